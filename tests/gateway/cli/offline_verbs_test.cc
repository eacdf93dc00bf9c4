// The verbs that need no gateway, and the command line as a whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "auth/credentials/credentials.h"
#include "auth/crypto/certificate.h"
#include "gateway/base/file.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/format.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kEvent[] =
    R"({"context":{"specversion":"0.5.1","id":"e1","source":"/a","type":"dev.cdevents.service.)"
    R"(deployed.0.3.0","timestamp":"2026-01-02T03:04:05Z"},"subject":{"id":"s1","content":)"
    R"({"environment":{"id":"prod"},"artifactId":"pkg:oci/app@sha256%3Aab"}},)"
    R"("customData":{"team":"checkout"}})";

std::string Replaced(absl::string_view from, absl::string_view to) {
  std::string event = kEvent;
  const size_t at = event.find(std::string(from));
  return event.replace(at, from.size(), std::string(to));
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

// --- the command line

TEST(CommandLineTest, HelpListsTheVerbs) {
  const CliRun run = RunCli({"--help"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/cli/testdata/help.txt", run.out));
}

TEST(CommandLineTest, EveryVerbHasHelpWithAnExample) {
  const std::vector<std::string> verbs = {"serve",
                                          "ca init",
                                          "ca crl",
                                          "ca rotate",
                                          "cert issue",
                                          "cert renew",
                                          "cert revoke",
                                          "cert list",
                                          "bundle show",
                                          "bundle convert",
                                          "cert show",
                                          "peer invite",
                                          "peer accept",
                                          "peer approve",
                                          "peer renew",
                                          "peer set",
                                          "peer doctor",
                                          "export stop",
                                          "export resume",
                                          "export status",
                                          "peer list",
                                          "peer show",
                                          "peer freeze",
                                          "peer resume",
                                          "peer remove",
                                          "policy check",
                                          "policy apply",
                                          "policy explain",
                                          "policy show",
                                          "policy history",
                                          "grant apply",
                                          "grant list",
                                          "grant delete",
                                          "apply",
                                          "publish",
                                          "subscribe",
                                          "subscription list",
                                          "subscription delete",
                                          "who-got",
                                          "status",
                                          "validate",
                                          "filter check",
                                          "filter eval",
                                          "completion",
                                          "version",
                                          "policy plan",
                                          "policy plans",
                                          "policy approve",
                                          "policy diff",
                                          "policy rollback",
                                          "policy rotate-pseudonyms"};
  for (const std::string& verb : verbs) {
    std::vector<std::string> arguments = absl::StrSplit(verb, ' ');
    arguments.push_back("--help");
    const CliRun run = RunCli(arguments);
    EXPECT_EQ(run.code, kExitDone) << verb;
    const size_t example = run.out.find("\nExample:\n  ");
    ASSERT_NE(example, std::string::npos) << verb;
    EXPECT_THAT(run.out.substr(example), HasSubstr(absl::StrCat("cdgate ", verb))) << verb;
  }
}

TEST(CommandLineTest, AWrongCommandLineIsCode2AndSaysWhereToLook) {
  const struct {
    std::vector<std::string> arguments;
    const char* named;
    const char* help;
  } cases[] = {
      {{}, "required", "cdgate --help"},
      {{"frobnicate"}, "frobnicate", "cdgate --help"},
      {{"peer"}, "required", "cdgate peer --help"},
      {{"peer", "frobnicate", "--now"}, "frobnicate", "cdgate peer --help"},
      {{"status", "--nonsense"}, "--nonsense", "cdgate status --help"},
      {{"status", "-o", "xml"}, "xml", "cdgate status --help"},
      {{"serve"}, "--config", "cdgate serve --help"},
      {{"completion", "tcsh"}, "tcsh", "cdgate completion --help"},
      {{"status"}, "no gateway is named", "cdgate status --help"},
      {{"status", "--gateway", "a:1"}, "no identity is named", "cdgate status --help"},
      {{"subscribe", "--from", "soon"}, "soon", "cdgate subscribe --help"},
  };
  for (const auto& c : cases) {
    const CliRun run = RunCli(c.arguments);
    EXPECT_EQ(run.code, kExitUsage) << run.err;
    EXPECT_THAT(run.err, AllOf(HasSubstr("error: "), HasSubstr(c.named), HasSubstr(c.help)));
    EXPECT_THAT(run.out, IsEmpty());
  }
}

TEST(CommandLineTest, ServeGetsTheConfigurationAndGivesTheExitCode) {
  const CliRun run = RunCli({"serve", "--config", "/etc/gateway.yaml"});
  EXPECT_EQ(run.code, 42);
  EXPECT_EQ(run.err, "/etc/gateway.yaml");
}

TEST(CommandLineTest, VersionPrintsTheRelease) {
  EXPECT_THAT(RunCli({"version"}).out, HasSubstr("cdgate 0."));
  EXPECT_THAT(RunCli({"version", "-o", "json"}).out, HasSubstr("\"version\": \"0."));
  EXPECT_THAT(RunCli({"version", "-o", "yaml"}).out, HasSubstr("version: \"0."));
}

// --- certificates

class CertificateVerbsTest : public testing::Test {
 protected:
  CliRun InitCa(const std::string& domain = "alpha.example") {
    return RunCli({"ca", "init", domain, "--ca", dir_.File("ca")});
  }
  CliRun Issue(const std::string& name, const std::string& out,
               const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"cert",          "issue", name, "--ca",
                                          dir_.File("ca"), "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCli(arguments);
  }

  test::TempDir dir_;
};

TEST_F(CertificateVerbsTest, MakesAnIdentityThatVerifies) {
  ASSERT_EQ(InitCa().code, kExitDone);
  const std::string out = dir_.File("gw1");
  const CliRun run = Issue(
      "gateway/gw1", out, {"--dns", "localhost", "--dns", "gw.alpha.example", "--ip", "127.0.0.1"});
  ASSERT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(ModeOf(dir_.File("ca/ca.key")), 0600u);
  EXPECT_EQ(ModeOf(out + "/tls.key"), 0600u);
  const auto certificate =
      crypto::Certificate::FromPem(base::ReadFile(out + "/tls.crt").value()).value();
  EXPECT_THAT(certificate.uri_names(), testing::ElementsAre("spiffe://alpha.example/gateway/gw1"));
  EXPECT_THAT(certificate.dns_names(), testing::ElementsAre("localhost", "gw.alpha.example"));
  EXPECT_THAT(certificate.ip_names(), testing::ElementsAre("127.0.0.1"));
  // Key, certificate and bundle fit together.
  CDGATE_EXPECT_OK(credentials::ClientIdentity::Load(out, base::SystemClock()));
}

TEST_F(CertificateVerbsTest, ACaIsNotOverwritten) {
  ASSERT_EQ(InitCa().code, kExitDone);
  const std::string key = base::ReadFile(dir_.File("ca/ca.key")).value();
  const CliRun again = InitCa();
  EXPECT_EQ(again.code, kExitNo);
  EXPECT_THAT(again.err, HasSubstr("not overwritten (already_exists)"));
  EXPECT_EQ(base::ReadFile(dir_.File("ca/ca.key")).value(), key);
}

TEST_F(CertificateVerbsTest, RefusesNamesThatAreNoIdentities) {
  EXPECT_EQ(InitCa("Alpha.Example").code, kExitUsage);
  EXPECT_EQ(Issue("gateway/gw1", dir_.File("x")).code, kExitUsage) << "there is no CA yet";
  ASSERT_EQ(InitCa().code, kExitDone);
  for (const char* name : {"gw1", "robot/x", "gateway/a/b", "spiffe://beta.example/gateway/gw1"}) {
    const CliRun run = Issue(name, dir_.File("x"));
    EXPECT_NE(run.code, kExitDone) << name;
    EXPECT_FALSE(base::FileExists(dir_.File("x/tls.key"))) << name;
  }
  EXPECT_EQ(Issue("gateway/gw1", dir_.File("x"), {"--valid", "soon"}).code, kExitUsage);
  EXPECT_NE(Issue("gateway/gw1", dir_.File("x"), {"--ip", "no"}).code, kExitDone);
}

TEST_F(CertificateVerbsTest, ShowPrintsWhatACertificateSays) {
  ASSERT_EQ(InitCa().code, kExitDone);
  ASSERT_EQ(Issue("user/admin", dir_.File("admin")).code, kExitDone);
  for (const char* path : {"admin", "admin/tls.crt"}) {
    const CliRun run = RunCli({"cert", "show", dir_.File(path)});
    EXPECT_EQ(run.code, kExitDone) << run.err;
    EXPECT_THAT(run.out, AllOf(HasSubstr("spiffe://alpha.example/user/admin"),
                               HasSubstr("days left"), HasSubstr("sha256 ")));
  }
  EXPECT_THAT(RunCli({"cert", "show", dir_.File("ca/ca.crt"), "-o", "json"}).out,
              HasSubstr("\"is_ca\": true"));
  const CliRun missing = RunCli({"cert", "show", dir_.File("none")});
  EXPECT_EQ(missing.code, kExitUsage);
  EXPECT_THAT(missing.err, HasSubstr("file_unreadable"));
}

// --- validate

TEST(ValidateVerbTest, SaysOfEachInputWhetherItIsValid) {
  const CliRun run = RunCli({"validate"}, absl::StrCat(kEvent, "\n", Replaced("\"e1\"", "5")));
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.out,
            "standard input: valid, dev.cdevents.service.deployed.0.3.0 (CDEvents 0.5.1)\n"
            "standard input:2: not valid, dev.cdevents.service.deployed.0.3.0 (CDEvents 0.5.1)\n"
            "  /context/id: type string, found 5\n");
  EXPECT_EQ(RunCli({"validate"}, kEvent).code, kExitDone);
}

TEST(ValidateVerbTest, JsonIsOneObjectForEachInput) {
  const CliRun run =
      RunCli({"validate", "-", "-o", "json"}, absl::StrCat(kEvent, "\n", Replaced("\"e1\"", "5")));
  EXPECT_EQ(run.out,
            "{\"file\":\"-\",\"valid\":true,\"type\":\"dev.cdevents.service.deployed.0.3.0\","
            "\"release\":\"0.5.1\",\"faults\":[]}\n"
            "{\"file\":\"-\",\"line\":2,\"valid\":false,"
            "\"type\":\"dev.cdevents.service.deployed.0.3.0\",\"release\":\"0.5.1\",\"faults\":[{"
            "\"path\":\"/context/id\",\"rule\":\"type string\","
            "\"value\":\"5\"}]}\n");
}

TEST(ValidateVerbTest, LintRemarksOnWhatNoSchemaLooksInto) {
  const std::string event = Replaced("pkg:oci/app@sha256%3Aab", "app-1.0");
  EXPECT_THAT(RunCli({"validate"}, event).out, Not(HasSubstr("remark")));
  const CliRun run = RunCli({"validate", "--lint"}, event);
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.out, HasSubstr("remark: /subject/content/artifactId: no package URL: "));
  EXPECT_THAT(RunCli({"validate", "--lint", "-o", "json"}, event).out,
              HasSubstr("\"remarks\":[{\"path\":\"/subject/content/artifactId\""));
  EXPECT_THAT(RunCli({"validate", "--lint"}, kEvent).out, Not(HasSubstr("remark")));
}

TEST(ValidateVerbTest, WhatIsNoJsonIsNotValid) {
  for (const char* input : {"", "nonsense", "{\"a\":1", "{\"a\":1,\"a\":2}", "\xef\xbb\xbf{}"}) {
    const CliRun run = RunCli({"validate", "-o", "json"}, input);
    EXPECT_EQ(run.code, kExitNo) << input;
    EXPECT_THAT(run.out, AllOf(HasSubstr("\"valid\":false,\"type\":null"), HasSubstr("\"rule\"")));
  }
}

TEST(ValidateVerbTest, ACloudEventIsJudgedWithItsEnvelope) {
  const auto judge = [](absl::string_view type) {
    return RunCli({"validate"},
                  absl::StrCat(R"({"specversion":"1.0","id":"e1","source":"/a","type":")", type,
                               R"(","data":)", kEvent, "}"));
  };
  EXPECT_EQ(judge("dev.cdevents.service.deployed.0.3.0").code, kExitDone);
  const CliRun other = judge("dev.cdevents.service.removed.0.3.0");
  EXPECT_EQ(other.code, kExitNo);
  EXPECT_THAT(other.out, HasSubstr("not valid, dev.cdevents.service.deployed.0.3.0"));
}

// --- filter

TEST(FilterVerbsTest, EvalGivesTheValue) {
  EXPECT_EQ(RunCli({"filter", "eval", "CDEVENT('customData.team')"}, kEvent).out, "checkout\n");
  EXPECT_EQ(RunCli({"filter", "eval", "SUBJECT_TYPE() = 'service'", "-o", "json"}, kEvent).out,
            "{\n  \"value\": true,\n  \"errors\": []\n}\n");
  EXPECT_EQ(RunCli({"filter", "eval", "HOPS() + 1", "--hops", "2", "-o", "json"}, kEvent).out,
            "{\n  \"value\": 3,\n  \"errors\": []\n}\n");
  EXPECT_EQ(RunCli({"filter", "eval", "ORIGIN()", "--origin", "alpha.example"}, kEvent).out,
            "alpha.example\n");
}

TEST(FilterVerbsTest, EvalNamesWhatWentWrongAndWhere) {
  const CliRun run = RunCli({"filter", "eval", "1 +\n nosuch", "-o", "json"}, kEvent);
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.out, AllOf(HasSubstr("\"missingAttribute\""), HasSubstr("\"line\": 2"),
                             HasSubstr("\"column\": 2"), HasSubstr("\"message\": ")));
  const CliRun parse = RunCli({"filter", "eval", "1 +", "-o", "json"}, kEvent);
  EXPECT_EQ(parse.code, kExitNo);
  EXPECT_THAT(parse.out, HasSubstr("\"parse\""));
}

TEST(FilterVerbsTest, EvalTakesAnyCloudEventAndNone) {
  const char* plain = R"({"specversion":"1.0","id":"1","source":"/s","type":"my.type","n":3,)"
                      R"("time":"2018-04-26T14:48:09+02:00","data":{"a":"x"}})";
  EXPECT_EQ(RunCli({"filter", "eval", "n + 1"}, plain).out, "4\n");
  EXPECT_EQ(RunCli({"filter", "eval", "time"}, plain).out, "2018-04-26T14:48:09+02:00\n");
  EXPECT_EQ(RunCli({"filter", "eval", "CDEVENT('a')"}, plain).out, "x\n");
  EXPECT_EQ(RunCli({"filter", "eval", "1 + 1"}, "").out, "2\n");
  EXPECT_EQ(RunCli({"filter", "eval", "missing", "-o", "json"}, "").code, kExitNo);
}

TEST(FilterVerbsTest, EvalNeedsOneEvent) {
  const CliRun two = RunCli({"filter", "eval", "true"}, absl::StrCat(kEvent, kEvent));
  EXPECT_EQ(two.code, kExitUsage);
  EXPECT_THAT(two.err, HasSubstr("2 events"));
  EXPECT_EQ(RunCli({"filter", "eval", "true"}, "{}").code, kExitNo);
}

TEST(FilterVerbsTest, CheckTakesConditionsOnly) {
  EXPECT_EQ(RunCli({"filter", "check", "type LIKE 'dev.cdevents.%'"}).code, kExitDone);
  const CliRun run = RunCli({"filter", "check", "type LIKE", "-o", "json"});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.out, AllOf(HasSubstr("\"valid\": false"), HasSubstr("\"line\": 1"),
                             HasSubstr("\"column\": ")));
  EXPECT_EQ(RunCli({"filter", "check", "1 + 1"}).code, kExitNo) << "not a condition";
}

// --- completion

TEST(CompletionVerbTest, KnowsEveryVerbInEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const CliRun run = RunCli({"completion", shell});
    EXPECT_EQ(run.code, kExitDone);
    EXPECT_THAT(run.out, AllOf(HasSubstr("policy"), HasSubstr("explain"), HasSubstr("--identity")));
  }
}

// What bash offers after `line`.
std::string Offered(const std::string& script, const std::string& words, int at) {
  const std::string command =
      absl::StrCat("bash -c '. ", script, "; COMP_WORDS=(", words, "); COMP_CWORD=", at,
                   "; _cdgate; echo ${COMPREPLY[@]}' 2>&1");
  FILE* const pipe = popen(command.c_str(), "r");
  std::string text;
  char buffer[256];
  while (pipe != nullptr && fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
  if (pipe != nullptr) pclose(pipe);
  return text;
}

TEST(CompletionVerbTest, TheBashScriptOffersWhatMayFollow) {
  const test::TempDir dir;
  CDGATE_ASSERT_OK(
      base::WriteFileAtomically(dir.File("cdgate"), RunCli({"completion", "bash"}).out));
  const std::string script = dir.File("cdgate");
  EXPECT_EQ(Offered(script, "cdgate sub", 1), "subscribe subscription\n");
  EXPECT_EQ(Offered(script, "cdgate peer re", 2), "resume renew remove redrive\n");
  EXPECT_EQ(Offered(script, "cdgate subscribe --gateway a:1 --fr", 4), "--from\n");
  EXPECT_EQ(Offered(script, "cdgate nonsense --g", 2), "\n");
}

}  // namespace
}  // namespace cdgate::cli
