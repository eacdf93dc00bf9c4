// The verbs about groups, against a gateway that answers what the test tells it to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/base/file.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::cli {
namespace {

using testing::HasSubstr;

constexpr char kCore[] = "kind: group\nname: core\nmembers: [beta.example, gamma.example]\n";

class GroupVerbsTest : public testing::Test {
 protected:
  GroupVerbsTest() {
    admin::v1::Group applied;
    applied.set_name("core");
    applied.add_members("beta.example");
    applied.add_members("gamma.example");
    applied.set_version(2);
    gateway_.Answer("ApplyGroup", applied);
    admin::v1::ListGroupsResponse list;
    admin::v1::GroupStatus& ours = *list.add_groups();
    ours.set_group("core@alpha.example");
    ours.set_version(2);
    ours.add_members("beta.example");
    ours.set_own(true);
    admin::v1::GroupStatus& theirs = *list.add_groups();
    theirs.set_group("partners@beta.example");
    theirs.set_version(9);
    theirs.add_members("alpha.example");
    theirs.mutable_expire_time()->set_seconds(1'767'225'600);
    gateway_.Answer("ListGroups", list);
    gateway_.Answer("DeleteGroup", admin::v1::DeleteGroupResponse());
  }

  CliRun Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    return RunCli(arguments, "");
  }
  admin::v1::ApplyGroupRequest LastApplied() {
    admin::v1::ApplyGroupRequest request;
    EXPECT_TRUE(gateway_.LastRequest("ApplyGroup", &request));
    return request;
  }
  std::string Write(const std::string& name, const std::string& content) {
    CDGATE_EXPECT_OK(base::WriteFileAtomically(dir_.File(name), content));
    return dir_.File(name);
  }

  test::TempDir dir_;
  FakeGateway gateway_;
};

TEST_F(GroupVerbsTest, GroupsComeFromFiles) {
  const CliRun run = Run({"group", "apply", Write("core.yaml", kCore)});
  EXPECT_EQ(run.out, "group core: version 2, 2 members\n") << run.err;
  EXPECT_THAT(LastApplied().group().members(),
              testing::ElementsAre("beta.example", "gamma.example"));
  EXPECT_EQ(LastApplied().source(), kCore);
  EXPECT_FALSE(LastApplied().validate_only());
  EXPECT_EQ(Run({"group", "apply", dir_.path(), "--dry-run"}).out,
            "group core: can be applied (dry run), 2 members\n");
  EXPECT_TRUE(LastApplied().validate_only());
}

TEST_F(GroupVerbsTest, ApplyTakesGroupsAmongOthers) {
  const CliRun run = Run({"apply", "-f", Write("core.yaml", kCore)});
  EXPECT_EQ(run.out, "group core: changed\n") << run.err;
  EXPECT_FALSE(LastApplied().validate_only());
}

TEST_F(GroupVerbsTest, OtherResourcesAreNoGroups) {
  const std::string file =
      Write("grant.yaml", "kind: grant\nname: x\nprincipal: spiffe://a.example/user/x\n");
  const CliRun run = Run({"group", "apply", file});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr("the grant x is no group"));
}

TEST_F(GroupVerbsTest, GroupsAreListedAndShown) {
  const std::string table = Run({"group", "list"}).out;
  EXPECT_THAT(table, HasSubstr("core@alpha.example"));
  EXPECT_THAT(table, HasSubstr("2026-01-01T00:00:00Z"));
  EXPECT_EQ(Run({"group", "show", "core"}).out,
            "core@alpha.example, version 2, ours, expires never\n  beta.example\n");
  EXPECT_EQ(Run({"group", "show", "partners@beta.example"}).out,
            "partners@beta.example, version 9, received from its owner, expires "
            "2026-01-01T00:00:00Z\n  alpha.example\n");
  EXPECT_THAT(Run({"group", "show", "core@alpha.example", "-o", "json"}).out,
              HasSubstr("\"own\": true"));
  // The short name is for ours alone.
  const CliRun none = Run({"group", "show", "partners"});
  EXPECT_NE(none.code, kExitDone);
  EXPECT_THAT(none.err, HasSubstr("no group partners"));
}

TEST_F(GroupVerbsTest, GroupsAreDeleted) {
  EXPECT_EQ(Run({"group", "delete", "core"}).out, "deleted group core\n");
  admin::v1::DeleteGroupRequest request;
  ASSERT_TRUE(gateway_.LastRequest("DeleteGroup", &request));
  EXPECT_EQ(request.name(), "core");
}

}  // namespace
}  // namespace cdgate::cli
