#include "gateway/cli/target.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "gateway/base/file.h"
#include "gateway/cli/token_file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::cli {
namespace {

using base::Reason;
using testing::HasSubstr;

class TargetTest : public testing::Test {
 protected:
  TargetTest() { environment_["HOME"] = dir_.path(); }

  void WriteContexts(const std::string& yaml) {
    CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File(".config/cdgate")));
    CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File(".config/cdgate/contexts.yaml"), yaml));
  }
  absl::StatusOr<Target> Resolve(const TargetFlags& flags) {
    return ResolveTarget(flags, [this](const char* name) { return environment_[name]; });
  }
  std::string Shown(const TargetFlags& flags) {
    const auto target = Resolve(flags);
    return target.ok() ? target->gateway + " " + target->identity : target.status().ToString();
  }

  test::TempDir dir_;
  std::map<std::string, std::string> environment_;
};

TEST_F(TargetTest, FlagsThenContextFlagThenEnvironmentThenCurrentContext) {
  WriteContexts(
      "current: a\n"
      "contexts:\n"
      "  a: {gateway: \"a:1\", identity: /ida}\n"
      "  b: {gateway: \"b:1\", identity: ~/idb}\n");
  EXPECT_EQ(Shown({}), "a:1 /ida");
  environment_["CDGATE_CONTEXT"] = "b";
  EXPECT_EQ(Shown({}), "b:1 " + dir_.File("idb"));
  environment_["CDGATE_GATEWAY"] = "e:1";
  EXPECT_EQ(Shown({}), "e:1 " + dir_.File("idb"));
  environment_["CDGATE_IDENTITY"] = "/ide";
  EXPECT_EQ(Shown({}), "e:1 /ide");
  EXPECT_EQ(Shown({.gateway = "", .identity = "", .context = "a"}), "a:1 /ida");
  EXPECT_EQ(Shown({.gateway = "f:1", .identity = "", .context = "a"}), "f:1 /ida");
  EXPECT_EQ(Shown({.gateway = "f:1", .identity = "/idf", .context = "a"}), "f:1 /idf");
}

TEST_F(TargetTest, TheConfigurationFolderMayBeElsewhere) {
  environment_["XDG_CONFIG_HOME"] = dir_.File("xdg");
  CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File("xdg/cdgate")));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("xdg/cdgate/contexts.yaml"),
                                             "contexts: {a: {gateway: \"unix:/s\"}}\n"));
  EXPECT_EQ(Shown({.gateway = "", .identity = "", .context = "a"}), "unix:/s ");
}

TEST_F(TargetTest, ASocketNeedsNoIdentity) {
  const auto target = Resolve({.gateway = "unix:/run/s", .identity = "", .context = ""});
  CDGATE_ASSERT_OK(target);
  EXPECT_TRUE(target->is_local());
}

TEST_F(TargetTest, SaysWhatIsMissing) {
  EXPECT_THAT(Resolve({}), test::HasReasonAndMessage(Reason::kInvalidArgument,
                                                     HasSubstr("--gateway HOST:PORT")));
  EXPECT_THAT(Resolve({.gateway = "a:1", .identity = "", .context = ""}),
              test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("--identity DIR")));
}

TEST_F(TargetTest, NamesWhatIsWrongInTheFile) {
  const TargetFlags context{.gateway = "", .identity = "", .context = "a"};
  EXPECT_THAT(Resolve(context), test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr("a")));
  const struct {
    const char* yaml;
    const char* named;
  } cases[] = {
      {"contexts: {b: {}}\n", "has no context a"},
      {"contexts:\n  a:\n    gatewy: x\n", ":3: gatewy"},
      {"contexts:\n  a:\n    gateway: [x]\n", ":3: gateway"},
      {"contexts: [\n", "contexts.yaml:"},
  };
  for (const auto& c : cases) {
    WriteContexts(c.yaml);
    EXPECT_THAT(Resolve(context),
                test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr(c.named)));
  }
}

TEST_F(TargetTest, TokenFileOfTheFlagThenOfTheEnvironmentAndNeverForASocket) {
  environment_["CDGATE_TOKEN_FILE"] = "/env";
  TargetFlags flags;
  flags.gateway = "a:1";
  flags.identity = "/id";
  EXPECT_EQ(Resolve(flags)->token_file, "/env");
  flags.token_file = "/flag";
  EXPECT_EQ(Resolve(flags)->token_file, "/flag");
  flags.gateway = "unix:/s";
  EXPECT_THAT(Resolve(flags),
              test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("CDGATE_TOKEN_FILE")));
}

TEST_F(TargetTest, ATokenFileHoldsOneTokenAndIsNobodyElses) {
  const std::string path = dir_.File("token");
  EXPECT_THAT(ReadTokenFile(path), test::HasReason(Reason::kFileUnreadable));
  const auto write = [&](const std::string& text, mode_t mode) {
    CDGATE_ASSERT_OK(base::WriteFileAtomically(path, text, mode));
  };
  write(" a.b.c\n", 0600);
  EXPECT_EQ(ReadTokenFile(path).value(), "a.b.c");
  for (const char* const bad : {"", " \n", "a b", "a\nb", "ä"}) {
    write(bad, 0600);
    EXPECT_THAT(ReadTokenFile(path), test::HasReason(Reason::kCredentialsInvalid)) << bad;
  }
  write("secret", 0644);
  EXPECT_THAT(ReadTokenFile(path),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("chmod 600")));
  write(std::string(8000, 'a'), 0600);
  EXPECT_FALSE(ReadTokenFile(path).ok());
}

}  // namespace
}  // namespace cdgate::cli
