// `cdgate audit` on a folder: nothing answers at any address.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "auth/audit/journal.h"
#include "gateway/base/file.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class AuditVerbsTest : public testing::Test {
 protected:
  AuditVerbsTest() {
    const auto gateway = ca_.Gateway("gw1");
    auto journal = audit::Journal::Open(
        {.folder = folder_, .domain = "alpha.example", .instance = "gw1"}, clock_,
        [&gateway] { return audit::MakeSigner(gateway.certificate_pem, gateway.key_pem); },
        nullptr);
    CDGATE_EXPECT_OK(journal);
    for (int i = 0; i < 3; ++i) {
      clock_.Advance(absl::Minutes(1));
      audit::Record act{.kind = audit::kAct};
      act.members.Text("who", "spiffe://alpha.example/user/ann")
          .Text("what", "/cdgate.admin.v1.AdminService/ApplyGrant")
          .Text("outcome", "OK");
      CDGATE_EXPECT_OK((*journal)->Append({act}));
    }
    CDGATE_EXPECT_OK((*journal)->AppendCheckpoint("stop"));
    hash_ = (*journal)->head().hash;
    CDGATE_EXPECT_OK(base::WriteFileAtomically(bundle_, ca_.bundle_pem()));
  }
  std::string Text() const { return base::ReadFile(file_).value(); }

  test::TempDir dir_;
  test::FakeClock clock_;
  test::TestCa ca_{"alpha.example", clock_.Now()};
  const std::string folder_ = dir_.File("audit");
  const std::string file_ = dir_.File("audit/000000000001.jsonl");
  const std::string bundle_ = dir_.File("bundle.pem");
  std::string hash_;
};

TEST_F(AuditVerbsTest, AFolderThatIsFine) {
  const CliRun run = RunCli({"audit", "verify", folder_, "--bundle", bundle_});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("entries 1 to 5 in 1 file are as they were written"),
                             HasSubstr("spiffe://alpha.example/gateway/gw1"), HasSubstr(hash_)));
  EXPECT_EQ(RunCli({"audit", "verify", folder_, "--known", "5:" + hash_}).code, kExitDone);
}

TEST_F(AuditVerbsTest, AnAlteredEntryIsNamed) {
  std::string text = Text();
  text[text.find("user/ann") + 5] = 'b';
  CDGATE_ASSERT_OK(base::WriteFileAtomically(file_, text));
  const CliRun run = RunCli({"audit", "verify", folder_});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.out, AllOf(HasSubstr("DAMAGED: entry 2 was altered"),
                             HasSubstr("000000000001.jsonl line 2")));
  EXPECT_THAT(RunCli({"audit", "verify", folder_, "-o", "json"}).out,
              AllOf(HasSubstr("\"kind\": \"altered\""), HasSubstr("\"number\": 2,")));
}

TEST_F(AuditVerbsTest, AnotherHashOfAKnownEntryIsNamed) {
  const std::string other = hash_.front() == '0' ? "1" + hash_.substr(1) : "0" + hash_.substr(1);
  const CliRun run = RunCli({"audit", "verify", folder_, "--known", "5:" + other});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.out, HasSubstr("entry 5 was replaced"));
  EXPECT_THAT(RunCli({"audit", "verify", folder_, "--known", "9:" + hash_}).out,
              HasSubstr("the end was cut off"));
  EXPECT_EQ(RunCli({"audit", "verify", folder_, "--known", "nonsense"}).code, kExitUsage);
}

TEST_F(AuditVerbsTest, WhatCannotBeVerifiedIsAnError) {
  EXPECT_EQ(RunCli({"audit", "verify", dir_.File("none")}).code, kExitUsage);
  EXPECT_THAT(RunCli({"audit", "verify", dir_.path()}).err, HasSubstr("there is no audit log in"));
  EXPECT_EQ(RunCli({"audit", "verify", folder_, "--bundle", dir_.File("none")}).code, kExitUsage);
}

TEST_F(AuditVerbsTest, ExportsAPeriodByteForByte) {
  EXPECT_EQ(RunCli({"audit", "export", folder_}).out, Text());
  const CliRun some = RunCli({"audit", "export", folder_, "--from", "2026-01-01T00:02:00Z", "--to",
                              "2026-01-01T00:03:00Z"});
  EXPECT_EQ(some.code, kExitDone) << some.err;
  EXPECT_THAT(some.out, HasSubstr("{\"number\":3,\"time\":\"2026-01-01T00:02:00.000000000Z\""));
  EXPECT_EQ(std::count(some.out.begin(), some.out.end(), '\n'), 1);
  EXPECT_THAT(RunCli({"audit", "export", folder_, "-o", "table"}).out,
              HasSubstr("spiffe://alpha.example/user/ann  ApplyGrant  OK"));
  EXPECT_EQ(RunCli({"audit", "export", folder_, "--from", "yesterday"}).code, kExitUsage);
}

}  // namespace
}  // namespace cdgate::cli
