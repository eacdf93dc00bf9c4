// The verbs of the small CA and of bundles, from the making of a domain to its rotation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/credentials/credentials.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/revocation_list.h"
#include "gateway/base/file.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CaVerbsTest : public testing::Test {
 protected:
  std::string Ca() { return dir_.File("ca"); }
  CliRun InitCa(const std::vector<std::string>& more = {}) {
    return With({"ca", "init", "alpha.example", "--ca", Ca()}, more);
  }
  CliRun Issue(const std::string& name, const std::string& folder,
               const std::vector<std::string>& more = {}) {
    return With({"cert", "issue", name, "--ca", Ca(), "--out", dir_.File(folder)}, more);
  }
  static CliRun With(std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCli(arguments);
  }
  crypto::Certificate Leaf(const std::string& folder) {
    return crypto::Certificate::FromPem(Read(folder + "/tls.crt")).value();
  }
  std::string Read(const std::string& name) { return base::ReadFile(dir_.File(name)).value(); }
  void Write(const std::string& name, const std::string& text) {
    CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File(name), text, 0600));
  }

  test::TempDir dir_;
};

TEST_F(CaVerbsTest, LifetimesAreShortUnlessToldOtherwise) {
  ASSERT_EQ(InitCa().code, kExitDone);
  ASSERT_EQ(Issue("gateway/gw1", "gw1").code, kExitDone);
  const auto week = Leaf("gw1");
  EXPECT_EQ(week.not_after() - week.not_before(), absl::Hours(24 * 7) + absl::Minutes(5));
  ASSERT_EQ(Issue("user/a", "a", {"--valid", "90s", "--key-type", "ed25519"}).code, kExitDone);
  const auto short_one = Leaf("a");
  EXPECT_EQ(short_one.not_after() - short_one.not_before(), absl::Seconds(90 + 300));
  EXPECT_EQ(short_one.key_description(), "Ed25519");
}

TEST_F(CaVerbsTest, ListShowsWhatWasIssued) {
  ASSERT_EQ(InitCa().code, kExitDone);
  ASSERT_EQ(Issue("gateway/gw1", "gw1").code, kExitDone);
  ASSERT_EQ(Issue("service/old", "old", {"--valid", "1h"}).code, kExitDone);
  const CliRun all = RunCli({"cert", "list", "--ca", Ca()});
  EXPECT_THAT(all.out, AllOf(HasSubstr("spiffe://alpha.example/gateway/gw1"),
                             HasSubstr(Leaf("gw1").serial()), HasSubstr("valid")));
  const CliRun soon = RunCli({"cert", "list", "--ca", Ca(), "--expiring", "1d"});
  EXPECT_THAT(soon.out, AllOf(HasSubstr("service/old"), Not(HasSubstr("gateway/gw1"))));
  EXPECT_THAT(RunCli({"cert", "list", "--ca", Ca(), "--revoked"}).err,
              HasSubstr("no such certificates"));
  ASSERT_EQ(RunCli({"cert", "revoke", "service/old", "--ca", Ca(), "--reason", "superseded"}).code,
            kExitDone);
  const CliRun revoked = RunCli({"cert", "list", "--ca", Ca(), "--revoked", "-o", "json"});
  EXPECT_THAT(revoked.out,
              AllOf(HasSubstr("\"state\": \"revoked\""), HasSubstr("\"reason\": \"superseded\""),
                    HasSubstr(Leaf("old").serial()), Not(HasSubstr("gw1"))));
}

TEST_F(CaVerbsTest, RevokeTakesASerialAnIdAndAFile) {
  ASSERT_EQ(InitCa().code, kExitDone);
  for (const char* name : {"a", "b", "c", "d"}) {
    ASSERT_EQ(Issue(absl::StrCat("service/", name), name).code, kExitDone);
  }
  const std::vector<std::string> whats = {Leaf("a").serial(), "service/b", dir_.File("c/tls.crt"),
                                          dir_.File("d")};
  for (const std::string& what : whats) {
    const CliRun run = RunCli({"cert", "revoke", what, "--ca", Ca()});
    EXPECT_EQ(run.code, kExitDone) << run.err;
  }
  const auto lists = crypto::RevocationList::ParsePem(Read("ca/crl.pem")).value();
  EXPECT_EQ(lists.front().entries().size(), 4U);
  EXPECT_EQ(RunCli({"cert", "revoke", "service/none", "--ca", Ca()}).code, kExitNo);
  EXPECT_EQ(RunCli({"cert", "revoke", "00ff", "--ca", Ca()}).code, kExitNo);
  EXPECT_EQ(RunCli({"cert", "revoke", "00ff", "--ca", Ca(), "--reason", "spite"}).code, kExitUsage);
}

TEST_F(CaVerbsTest, CrlGrowsInNumberAndIsShown) {
  ASSERT_EQ(InitCa().code, kExitDone);
  const CliRun first = RunCli({"ca", "crl", "--ca", Ca()});
  EXPECT_THAT(first.err, HasSubstr("list 2 with 0 certificates"));
  const CliRun second = RunCli({"ca", "crl", "--ca", Ca(), "--valid", "1h"});
  EXPECT_THAT(second.err, HasSubstr("list 3"));
  const CliRun shown = RunCli({"cert", "show", dir_.File("ca/crl.pem")});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("number      3"), HasSubstr("revoked     none")));
  EXPECT_THAT(RunCli({"cert", "show", dir_.File("ca/crl.pem"), "-o", "json"}).out,
              AllOf(HasSubstr("\"kind\": \"revocation_list\""), HasSubstr("\"number\": 3")));
}

TEST_F(CaVerbsTest, RenewKeepsTheNamesAndTakesAnotherKey) {
  ASSERT_EQ(InitCa().code, kExitDone);
  ASSERT_EQ(Issue("gateway/gw1", "gw1", {"--dns", "gw.alpha.example", "--valid", "2d"}).code,
            kExitDone);
  const auto before = Leaf("gw1");
  const std::string key = Read("gw1/tls.key");
  for (const std::string& path : {dir_.File("gw1"), dir_.File("gw1/tls.crt")}) {
    const CliRun run = RunCli({"cert", "renew", path, "--ca", Ca()});
    ASSERT_EQ(run.code, kExitDone) << run.err;
  }
  const auto after = Leaf("gw1");
  EXPECT_EQ(after.uri_names(), before.uri_names());
  EXPECT_EQ(after.dns_names(), before.dns_names());
  EXPECT_NE(after.serial(), before.serial());
  EXPECT_NE(Read("gw1/tls.key"), key);
  EXPECT_EQ(after.not_after() - after.not_before(), before.not_after() - before.not_before());
  CDGATE_EXPECT_OK(credentials::ClientIdentity::Load(dir_.File("gw1"), base::SystemClock()));
  EXPECT_EQ(RunCli({"cert", "renew", dir_.File("none"), "--ca", Ca()}).code, kExitUsage);
}

TEST_F(CaVerbsTest, PassphrasesComeFromFilesVariablesAndDescriptors) {
  Write("pass", "hush\n");
  ASSERT_EQ(InitCa({"--passphrase-file", dir_.File("pass")}).code, kExitDone);
  EXPECT_TRUE(crypto::PrivateKey::IsEncrypted(Read("ca/ca.key")));
  const CliRun without = Issue("user/a", "a");
  EXPECT_EQ(without.code, kExitUsage);
  EXPECT_THAT(without.err, AllOf(HasSubstr("ca.key"), HasSubstr("no passphrase is given")));
  EXPECT_EQ(Issue("user/a", "a", {"--passphrase-file", dir_.File("pass")}).code, kExitDone);
  const std::vector<std::string> by_variable = {"ca", "crl", "--ca", Ca(), "--passphrase-env", "P"};
  EXPECT_EQ(RunCli(by_variable, "", {{"P", "hush"}}).code, kExitDone);
  EXPECT_EQ(RunCli(by_variable).code, kExitUsage);
  const CliRun wrong = RunCli(by_variable, "", {{"P", "hushed"}});
  EXPECT_EQ(wrong.code, kExitUsage);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("does not open"), Not(HasSubstr("hushed"))));
  const int fd = InputFd("hush\n");
  EXPECT_EQ(RunCli({"ca", "crl", "--ca", Ca(), "--passphrase-fd", absl::StrCat(fd)}).code,
            kExitDone);
  close(fd);
}

TEST_F(CaVerbsTest, KeysOfIdentitiesMayBeEncryptedToo) {
  Write("pass", "hush\n");
  ASSERT_EQ(InitCa().code, kExitDone);
  const std::vector<std::string> pass = {"--key-passphrase-file", dir_.File("pass")};
  ASSERT_EQ(Issue("user/a", "a", pass).code, kExitDone);
  EXPECT_TRUE(crypto::PrivateKey::IsEncrypted(Read("a/tls.key")));
  EXPECT_THAT(credentials::ClientIdentity::Load(dir_.File("a"), base::SystemClock()),
              test::HasReason(base::Reason::kCredentialsInvalid));
  CDGATE_EXPECT_OK(
      credentials::ClientIdentity::Load(dir_.File("a"), base::SystemClock(), dir_.File("pass")));
  // It is never renewed into one that is not.
  EXPECT_EQ(RunCli({"cert", "renew", dir_.File("a"), "--ca", Ca()}).code, kExitUsage);
  EXPECT_EQ(With({"cert", "renew", dir_.File("a"), "--ca", Ca()}, pass).code, kExitDone);
  EXPECT_TRUE(crypto::PrivateKey::IsEncrypted(Read("a/tls.key")));
  EXPECT_THAT(RunCli({"cert", "show", dir_.File("a/tls.key")}).out, HasSubstr("encrypted"));
  EXPECT_THAT(
      RunCli({"cert", "show", dir_.File("a/tls.key"), "--passphrase-file", dir_.File("pass")}).out,
      HasSubstr("P-256, encrypted"));
}

TEST_F(CaVerbsTest, AnIntermediateIssuesWhileTheRootsKeyIsElsewhere) {
  const CliRun made = InitCa({"--intermediate"});
  ASSERT_EQ(made.code, kExitDone);
  EXPECT_THAT(made.err, HasSubstr("root.key to a place that is offline"));
  std::filesystem::remove(dir_.File("ca/root.key"));
  ASSERT_EQ(Issue("user/a", "a").code, kExitDone);
  CDGATE_EXPECT_OK(credentials::ClientIdentity::Load(dir_.File("a"), base::SystemClock()));
  EXPECT_EQ(RunCli({"cert", "revoke", "user/a", "--ca", Ca()}).code, kExitDone);
}

TEST_F(CaVerbsTest, DnsNamesAreBoundedWhereTheCaSaysSo) {
  ASSERT_EQ(InitCa({"--dns-suffix", "alpha.example"}).code, kExitDone);
  EXPECT_EQ(Issue("gateway/gw1", "gw1", {"--dns", "gw.alpha.example"}).code, kExitDone);
  const CliRun refused = Issue("gateway/gw2", "gw2", {"--dns", "gw.beta.example"});
  EXPECT_EQ(refused.code, kExitNo);
  EXPECT_THAT(refused.err, HasSubstr("permitted subtree violation"));
  EXPECT_FALSE(base::FileExists(dir_.File("gw2/tls.key")));
}

TEST_F(CaVerbsTest, RotatesInThreeSteps) {
  ASSERT_EQ(InitCa().code, kExitDone);
  ASSERT_EQ(Issue("user/a", "a").code, kExitDone);
  const CliRun first = RunCli({"ca", "rotate", "--ca", Ca()});
  ASSERT_EQ(first.code, kExitDone) << first.err;
  EXPECT_THAT(first.err, HasSubstr("cdgate ca rotate --switch"));
  EXPECT_EQ(RunCli({"ca", "rotate", "--ca", Ca()}).code, kExitNo);
  ASSERT_EQ(RunCli({"ca", "rotate", "--ca", Ca(), "--switch"}).code, kExitDone);
  const CliRun early = RunCli({"ca", "rotate", "--ca", Ca(), "--retire"});
  EXPECT_EQ(early.code, kExitNo);
  EXPECT_THAT(early.err, HasSubstr("1 certificates of the CAs before are in force"));
  ASSERT_EQ(RunCli({"cert", "renew", dir_.File("a"), "--ca", Ca()}).code, kExitDone);
  ASSERT_EQ(RunCli({"ca", "rotate", "--ca", Ca(), "--retire", "--force"}).code, kExitDone);
  ASSERT_EQ(RunCli({"cert", "renew", dir_.File("a"), "--ca", Ca()}).code, kExitDone);
  CDGATE_EXPECT_OK(credentials::ClientIdentity::Load(dir_.File("a"), base::SystemClock()));
  EXPECT_EQ(RunCli({"ca", "rotate", "--ca", Ca(), "--switch", "--retire"}).code, kExitUsage);
}

TEST_F(CaVerbsTest, BundlesGoFromOneFormToTheOtherAndBack) {
  ASSERT_EQ(InitCa().code, kExitDone);
  ASSERT_EQ(RunCli({"ca", "rotate", "--ca", Ca()}).code, kExitDone);
  const CliRun document =
      RunCli({"bundle", "convert", Ca(), "-o", "spiffe", "--refresh-hint", "1h"});
  ASSERT_EQ(document.code, kExitDone) << document.err;
  EXPECT_THAT(document.out, AllOf(HasSubstr("\"spiffe_sequence\": 2"),
                                  HasSubstr("\"spiffe_refresh_hint\": 3600")));
  Write("bundle.json", document.out);
  EXPECT_EQ(RunCli({"bundle", "convert", dir_.File("bundle.json"), "-o", "pem"}).out,
            Read("ca/bundle.pem"));
  const CliRun shown = RunCli({"bundle", "show", dir_.File("bundle.json"), "-o", "json"});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("\"sequence\": 2"), HasSubstr("\"key\": \"P-256\"")));
  EXPECT_EQ(RunCli({"bundle", "convert", Ca(), "-o", "pem", "--sequence", "3"}).code, kExitUsage);
  EXPECT_EQ(RunCli({"bundle", "convert", Ca(), "-o", "der"}).code, kExitUsage);
  Write("broken.json", "{\"keys\":1}");
  EXPECT_NE(RunCli({"bundle", "show", dir_.File("broken.json")}).code, kExitDone);
  // An identity's bundle may be either.
  ASSERT_EQ(Issue("user/a", "a").code, kExitDone);
  Write("a/bundle.pem", document.out);
  CDGATE_EXPECT_OK(credentials::ClientIdentity::Load(dir_.File("a"), base::SystemClock()));
}

TEST_F(CaVerbsTest, ShowNamesWhatIsNoPem) {
  Write("text", "nothing to see");
  EXPECT_THAT(RunCli({"cert", "show", dir_.File("text")}).err,
              HasSubstr("has no certificate, revocation list or key in PEM"));
}

TEST_F(CaVerbsTest, AnAttestorSignsStatementsAndDoesNotConnect) {
  ASSERT_EQ(InitCa().code, kExitDone);
  ASSERT_EQ(Issue("attestor/a1", "a1").code, kExitDone);
  const auto first = Leaf("a1");
  EXPECT_EQ(first.uri_names().front(), "spiffe://alpha.example/attestor/a1");
  EXPECT_FALSE(first.may_be_used_for_tls());
  EXPECT_EQ(first.not_after() - first.not_before(), absl::Hours(24 * 90) + absl::Minutes(5));
  EXPECT_THAT(RunCli({"cert", "show", dir_.File("a1")}).out,
              HasSubstr("use         signs statements"));
  EXPECT_THAT(RunCli({"cert", "list", "--ca", Ca()}).out, HasSubstr("attestor/a1"));
  ASSERT_EQ(RunCli({"cert", "renew", dir_.File("a1"), "--ca", Ca(), "--valid", "1d"}).code,
            kExitDone);
  const auto second = Leaf("a1");
  EXPECT_NE(second.serial(), first.serial());
  EXPECT_FALSE(second.may_be_used_for_tls());
  EXPECT_EQ(RunCli({"cert", "revoke", "attestor/a1", "--ca", Ca()}).code, kExitDone);
  const auto lists = crypto::RevocationList::ParsePem(Read("ca/crl.pem")).value();
  EXPECT_EQ(lists.front().entries().size(), 2U);
  EXPECT_EQ(Issue("attestor/a2", "a2", {"--dns", "gw.alpha.example"}).code, kExitNo);
  EXPECT_EQ(Issue("attestors/a2", "a2").code, kExitUsage);
  // The command line does not connect with it either.
  ASSERT_EQ(Issue("attestor/a3", "a3").code, kExitDone);
  const auto client = credentials::ClientIdentity::Load(dir_.File("a3"), base::SystemClock());
  EXPECT_THAT(client, test::HasReason(base::Reason::kCredentialsInvalid));
}

}  // namespace
}  // namespace cdgate::cli
