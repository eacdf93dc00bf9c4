#include "gateway/config/resource_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::config {
namespace {

using base::Reason;
using testing::HasSubstr;

constexpr char kTwo[] = R"(# who publishes here
kind: grant
name: jenkins
principal: spiffe://alpha.example/service/jenkins
role: PUBLISHER
sources: [/alpha/jenkins/%]
---
# only a comment

--- # the policy
kind: policy
peer: beta.example
export:
  rules:
    - name: all
      action: ALLOW
)";

TEST(ResourceFileTest, ReadsAllDocuments) {
  const auto resources = ParseResources(kTwo, "two.yaml");
  CDGATE_ASSERT_OK(resources);
  ASSERT_EQ(resources->size(), 2u);
  const Resource& grant = (*resources)[0];
  EXPECT_EQ(grant.kind, "grant");
  EXPECT_EQ(grant.name, "jenkins");
  EXPECT_EQ(grant.line, 2);
  EXPECT_EQ(dynamic_cast<const admin::v1::Grant&>(*grant.message).role(),
            admin::v1::ROLE_PUBLISHER);
  EXPECT_THAT(grant.source, testing::StartsWith("# who publishes here\nkind: grant\n"));
  EXPECT_THAT(grant.source, testing::EndsWith("%]\n"));
  const Resource& policy = (*resources)[1];
  EXPECT_EQ(policy.kind, "policy");
  EXPECT_EQ(policy.name, "beta.example");
  EXPECT_EQ(policy.line, 11);
  EXPECT_EQ(dynamic_cast<const admin::v1::Policy&>(*policy.message).export_().rules(0).name(),
            "all");
}

TEST(ResourceFileTest, ReadsAGroup) {
  const auto resources = ParseResources(
      "kind: group\nname: core\nmembers: [beta.example, gamma.example]\n"
      "expire_time: 2027-01-01T00:00:00Z\n",
      "core.yaml");
  CDGATE_ASSERT_OK(resources);
  ASSERT_EQ(resources->size(), 1u);
  EXPECT_EQ(resources->front().name, "core");
  const auto& group = dynamic_cast<const admin::v1::Group&>(*resources->front().message);
  EXPECT_EQ(group.members_size(), 2);
  EXPECT_EQ(group.expire_time().seconds(), 1'798'761'600);
}

TEST(ResourceFileTest, ErrorsNameTheLineInTheFile) {
  const struct {
    std::string text;
    const char* message;
  } kCases[] = {
      {std::string(kTwo) + "    - nam: x\n",
       "r.yaml:17: export.rules[1].nam: unknown key; expected one of name, when, action, redact, "
       "pseudonymise, links, terms; did you mean name"},
      {"kind: polcy\npeer: b\n",
       "r.yaml:1: kind: found \"polcy\"; expected one of grant, group, policy, schema; did you "
       "mean "
       "policy"},
      {"kind: peer\n", "r.yaml:1: kind: found \"peer\""},
      {"kind:\n", "r.yaml:1: kind: found \"\""},
      {"name: x\nkind: grant\n", "r.yaml:1: a resource begins with its kind"},
      {"- kind: grant\n", "a resource begins with its kind"},
      {"x\n", "a resource begins with its kind"},
      {"---\nkind: grant\nrole: AUDITOR\n", "r.yaml:2: name: missing"},
      {"kind: policy\n", "r.yaml:1: peer: missing"},
      {"kind: grant\nname: a\n...\nkind: grant\n", "a second document begins"},
      {"kind: grant\nkind: grant\n", "r.yaml:2: kind: given twice"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(ParseResources(c.text, "r.yaml"),
                test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr(c.message)))
        << c.text;
  }
}

TEST(ResourceFileTest, FilesWithoutResourcesAreEmpty) {
  for (const char* text : {"", "---\n---\n", "# nothing\n", "---"}) {
    EXPECT_TRUE(ParseResources(text, "r.yaml")->empty()) << text;
  }
}

TEST(ResourceFileTest, LinesThatOnlyLookLikeMarkersBelongToTheDocument) {
  const auto resources = ParseResources(
      "kind: policy\r\npeer: b\r\nexport: {rules: [{name: '----', when: \"a\n  ---b\"}]}\n", "r");
  CDGATE_ASSERT_OK(resources);
  EXPECT_EQ(resources->size(), 1u);
}

TEST(ResourceFileTest, LoadsFromFiles) {
  test::TempDir dir;
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir.File("r.yaml"), kTwo));
  EXPECT_EQ(LoadResources(dir.File("r.yaml"))->size(), 2u);
  EXPECT_THAT(LoadResources(dir.File("none.yaml")), test::HasReason(Reason::kFileUnreadable));
}

}  // namespace
}  // namespace cdgate::config
