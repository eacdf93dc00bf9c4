#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cli {
namespace {

using admin::v1::CheckPeerBundleRequest;
using admin::v1::PeerBundleChange;
using admin::v1::SetPeerBundleRequest;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class TrustSetVerbTest : public testing::Test {
 protected:
  TrustSetVerbTest() {
    CDGATE_EXPECT_OK(base::WriteFileAtomically(dir_.File("beta.pem"), "roots", 0644));
    CDGATE_EXPECT_OK(base::WriteFileAtomically(dir_.File("crl.pem"), "list", 0644));
    change_.set_peer("beta.example");
    change_.set_fingerprint_before("AA:01");
    change_.set_fingerprint_after("BB:02");
    change_.add_added()->set_subject("CN=new");
    change_.add_removed()->set_subject("CN=old");
    change_.set_changes(true);
    Answer();
  }

  void Answer() {
    admin::v1::CheckPeerBundleResponse checked;
    *checked.mutable_change() = change_;
    gateway_.Answer("CheckPeerBundle", checked);
    admin::v1::SetPeerBundleResponse set;
    *set.mutable_change() = change_;
    gateway_.Answer("SetPeerBundle", set);
  }

  CliRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    std::vector<std::string> all = {"trust", "set", "beta.example", "--bundle",
                                    dir_.File("beta.pem")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"--gateway", gateway_.address()});
    return RunCli(all, input);
  }
  bool WasSet() { return gateway_.LastRequest("SetPeerBundle", &set_); }

  test::TempDir dir_;
  FakeGateway gateway_;
  PeerBundleChange change_;
  SetPeerBundleRequest set_;
};

TEST_F(TrustSetVerbTest, ShowsBothFingerprintsAndAsks) {
  for (const char* answer : {"", "n\n", "no\n", "yess\n", "\n"}) {
    const CliRun run = Run({}, answer);
    EXPECT_EQ(run.code, kExitNo) << answer;
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err,
                AllOf(HasSubstr("AA:01"), HasSubstr("BB:02"), HasSubstr("comes in  root CN=new"),
                      HasSubstr("dropped   root CN=old"), HasSubstr("[y/N]"),
                      HasSubstr("nothing was changed")));
    EXPECT_FALSE(WasSet()) << answer;
  }
  for (const char* answer : {"y\n", "Yes\n", " y"}) {
    const CliRun run = Run({}, answer);
    EXPECT_EQ(run.code, kExitDone) << run.err;
    EXPECT_EQ(run.out, "set the bundle of beta.example: BB:02\n");
  }
}

TEST_F(TrustSetVerbTest, SetsWhatWasShown) {
  EXPECT_EQ(Run({"--yes", "--crl", dir_.File("crl.pem"), "--allow-older", "--forget-crls"}).code,
            kExitDone);
  ASSERT_TRUE(WasSet());
  EXPECT_EQ(set_.peer(), "beta.example");
  EXPECT_EQ(set_.candidate().bundle(), "roots");
  ASSERT_EQ(set_.candidate().revocation_lists_size(), 1);
  EXPECT_EQ(set_.candidate().revocation_lists(0), "list");
  EXPECT_TRUE(set_.candidate().allow_older());
  EXPECT_TRUE(set_.candidate().forget_revocation_lists());
  EXPECT_EQ(set_.fingerprint(), "BB:02");
  EXPECT_EQ(set_.held_fingerprint(), "AA:01");
  CheckPeerBundleRequest checked;
  ASSERT_TRUE(gateway_.LastRequest("CheckPeerBundle", &checked));
  EXPECT_EQ(checked.candidate().SerializeAsString(), set_.candidate().SerializeAsString());
  EXPECT_EQ(Run({"--yes", "--fingerprint", "CC:03"}).code, kExitDone);
  ASSERT_TRUE(WasSet());
  EXPECT_EQ(set_.fingerprint(), "CC:03");
}

TEST_F(TrustSetVerbTest, ForProgramsThereIsJsonAndNoQuestion) {
  const CliRun run = Run({"--yes", "-o", "json"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.out, HasSubstr("\"fingerprint_after\": \"BB:02\""));
  EXPECT_THAT(run.err, Not(HasSubstr("BB:02")));
}

TEST_F(TrustSetVerbTest, ADryRunAndWhatIsHeldAlreadyChangeNothing) {
  const CliRun dry = Run({"--dry-run"});
  EXPECT_EQ(dry.code, kExitDone);
  EXPECT_THAT(dry.out, HasSubstr("after     BB:02"));
  change_.set_changes(false);
  Answer();
  const CliRun same = Run({"--yes"});
  EXPECT_EQ(same.code, kExitDone);
  EXPECT_THAT(same.err, HasSubstr("held like that"));
  EXPECT_FALSE(WasSet());
}

TEST_F(TrustSetVerbTest, SaysWhatIsWrong) {
  gateway_.Fail("CheckPeerBundle",
                base::MakeError(base::Reason::kBundleRefused, "is of another domain"));
  const CliRun refused = Run({"--yes"});
  EXPECT_EQ(refused.code, kExitNo);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("another domain"), HasSubstr("bundle_refused")));
  const CliRun missing = Run({"--crl", dir_.File("none.pem")});
  EXPECT_EQ(missing.code, kExitUsage);
  EXPECT_THAT(missing.err, HasSubstr("none.pem"));
}

}  // namespace
}  // namespace cdgate::cli
