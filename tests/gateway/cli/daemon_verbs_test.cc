// Verbs that talk to a gateway, against one that answers what the test tells it to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/format.h"
#include "gateway/rpc/status.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cli {
namespace {

using base::MakeError;
using base::Reason;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
constexpr char kTestdata[] = "tests/gateway/cli/testdata/";

std::string Event(const std::string& id) {
  return absl::StrCat(R"({"context":{"specversion":"0.5.1","id":")", id,
                      R"(","source":"/a","type":"dev.cdevents.service.published.0.3.0",)"
                      R"("timestamp":"2026-01-02T03:04:05Z"},"subject":{"id":"s1","content":{}}})");
}

admin::v1::PeerStatus Peer() {
  admin::v1::PeerStatus status;
  admin::v1::Peer& peer = *status.mutable_peer();
  peer.set_domain("beta.example");
  peer.set_state(admin::v1::PEER_STATE_APPROVED);
  peer.set_endpoint("gw.beta.example:7444");
  peer.set_purpose("joint releases");
  peer.add_contacts("ops@beta.example");
  peer.set_agreement_id("a1");
  peer.set_approved_by("spiffe://alpha.example/user/admin");
  peer.mutable_create_time()->set_seconds(1767323045);
  peer.mutable_expire_time()->set_seconds(1798859045);
  status.set_fingerprint("AA:BB");
  status.set_policy_version(3);
  status.set_export_lag_events(12);
  status.mutable_export_lag()->set_seconds(90);
  status.mutable_link()->set_state(admin::v1::LINK_STATE_DOWN);
  status.mutable_link()->set_reason("HEARTBEAT_LOST");
  status.mutable_link()->set_message("nothing came for 15s");
  status.mutable_link()->mutable_since()->set_seconds(1767323045);
  status.mutable_link()->set_sent_position(40);
  status.mutable_link()->set_acknowledged_position(28);
  return status;
}

class DaemonVerbsTest : public testing::Test {
 protected:
  CliRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    const bool table = std::find(arguments.begin(), arguments.end(), "-o") == arguments.end();
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    CliRun run = RunCli(arguments, input);
    if (!table) return run;
    for (const absl::string_view line : absl::StrSplit(run.out, '\n')) {
      EXPECT_LE(Width(line), kTableWidth) << line;
    }
    return run;
  }
  template <typename Request>
  Request Last(const std::string& method) {
    Request request;
    EXPECT_TRUE(gateway_.LastRequest(method, &request)) << method;
    return request;
  }
  std::string Write(const std::string& name, const std::string& content) {
    CDGATE_EXPECT_OK(base::WriteFileAtomically(dir_.File(name), content));
    return dir_.File(name);
  }

  FakeGateway gateway_;
  test::TempDir dir_;
};

// --- errors

TEST_F(DaemonVerbsTest, ErrorsGiveReasonRemedyAndExitCode) {
  const struct {
    absl::Status error;
    int code;
    const char* text;
  } cases[] = {
      {MakeError(Reason::kNotFound, "no peer gamma.example"), kExitNo,
       "error: no peer gamma.example (not_found)\n  List what exists.\n"},
      {MakeError(Reason::kNotGranted, "user/x is no operator"), kExitNotAllowed,
       "(not_granted)\n  Have an operator apply a grant"},
      {MakeError(Reason::kOverloaded, "busy"), kExitNo, "(overloaded)"},
      {MakeError(Reason::kDraining, "going"), kExitUnreachable, "(draining)"},
      {absl::InternalError("secret path"), kExitNo, "(internal)"},
  };
  for (const auto& c : cases) {
    gateway_.Fail("GetPeer", c.error);
    const CliRun run = Run({"peer", "show", "gamma.example"});
    EXPECT_EQ(run.code, c.code) << run.err;
    EXPECT_THAT(run.err, HasSubstr(c.text));
    EXPECT_THAT(run.out, IsEmpty());
  }
}

TEST(UnreachableTest, IsCode3AndNamesTheAddress) {
  const test::TempDir dir;
  const CliRun run = RunCli({"status", "--gateway", "unix:" + dir.File("none")});
  EXPECT_EQ(run.code, kExitUnreachable);
  EXPECT_THAT(run.err, AllOf(HasSubstr("nothing answers at unix:" + dir.File("none")),
                             HasSubstr("(unreachable)")));
}

TEST(UnreachableTest, AnIdentityThatCannotBeUsedIsAUsageError) {
  const test::TempDir dir;
  const CliRun run = RunCli({"status", "--gateway", "localhost:1", "--identity", dir.path()});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr("tls.crt"));
}

// --- peers

TEST_F(DaemonVerbsTest, InvitePrintsTheTokenAloneOnStandardOutput) {
  admin::v1::CreateInviteResponse answer;
  answer.set_token("cdgate-invite-xyz");
  answer.set_fingerprint("AA:BB");
  gateway_.Answer("CreateInvite", answer);
  const CliRun run =
      Run({"peer", "invite", "--domain", "beta.example", "--ttl", "7d", "--offline"});
  EXPECT_EQ(run.out, "cdgate-invite-xyz\n");
  EXPECT_THAT(run.err, AllOf(HasSubstr("AA:BB"), HasSubstr("next: ")));
  const auto request = Last<admin::v1::CreateInviteRequest>("CreateInvite");
  EXPECT_EQ(request.domain(), "beta.example");
  EXPECT_EQ(request.ttl().seconds(), 7 * 86400);
  EXPECT_TRUE(request.offline());
}

TEST_F(DaemonVerbsTest, InviteRevokes) {
  gateway_.Answer("RevokeInvite", admin::v1::RevokeInviteResponse());
  EXPECT_EQ(Run({"peer", "invite", "--revoke", "abc"}).out, "revoked abc\n");
  EXPECT_EQ(Last<admin::v1::RevokeInviteRequest>("RevokeInvite").invite_id(), "abc");
}

TEST_F(DaemonVerbsTest, AcceptTakesTheTokenFromStandardInput) {
  admin::v1::AcceptInviteResponse answer;
  answer.mutable_peer()->set_domain("alpha.example");
  answer.set_peer_fingerprint("AA:BB");
  answer.set_our_fingerprint("CC:DD");
  gateway_.Answer("AcceptInvite", answer);
  const CliRun run = Run({"peer", "accept", "-"}, "cdgate-invite-xyz\n");
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.out, AllOf(HasSubstr("AA:BB"), HasSubstr("CC:DD")));
  EXPECT_EQ(Last<admin::v1::AcceptInviteRequest>("AcceptInvite").token(), "cdgate-invite-xyz");
}

TEST_F(DaemonVerbsTest, ApproveTellsADomainFromAReplyCode) {
  gateway_.Answer("ApprovePeer", Peer().peer());
  EXPECT_EQ(Run({"peer", "approve", "beta.example", "--fingerprint", "AA:BB"}).out,
            "approved beta.example\n");
  const auto by_domain = Last<admin::v1::ApprovePeerRequest>("ApprovePeer");
  EXPECT_EQ(by_domain.domain(), "beta.example");
  EXPECT_EQ(by_domain.fingerprint(), "AA:BB");
  for (const char* code : {"cdgate-reply-abc", "eply-AbC"}) {
    Run({"peer", "approve", code});
    EXPECT_EQ(Last<admin::v1::ApprovePeerRequest>("ApprovePeer").reply_code(), code);
  }
}

TEST_F(DaemonVerbsTest, PeersAreShownForPeopleAndPrograms) {
  gateway_.Answer("GetPeer", Peer());
  EXPECT_TRUE(test::MatchesGolden(absl::StrCat(kTestdata, "peer_show.txt"),
                                  Run({"peer", "show", "beta.example"}).out));
  EXPECT_THAT(Run({"peer", "show", "beta.example", "-o", "json"}).out,
              AllOf(HasSubstr("\"state\": \"DOWN\""), HasSubstr("\"sent_position\": 40")));
  EXPECT_THAT(Run({"peer", "show", "beta.example", "-o", "yaml"}).out,
              HasSubstr("  domain: beta.example\n"));
}

TEST_F(DaemonVerbsTest, ListsTakeEveryPage) {
  admin::v1::ListPeersResponse last;
  *last.add_peers() = Peer();
  gateway_.Answer("ListPeers", last);
  EXPECT_EQ(
      Run({"peer", "list"}).out,
      "DOMAIN        STATE  SINCE                 UNTIL       POLICY  LAG               REASON\n"
      "beta.example  down   2026-01-02T03:04:05Z  2027-01-02  v3      12, oldest 1m30s  "
      "HEARTBEAT_LOST\n");
  gateway_.Answer("ListPeers", admin::v1::ListPeersResponse());
  const CliRun none = Run({"peer", "list"});
  EXPECT_THAT(none.out, IsEmpty());
  EXPECT_THAT(none.err, HasSubstr("cdgate peer invite"));
}

TEST_F(DaemonVerbsTest, FreezeAndResume) {
  gateway_.Answer("FreezePeer", Peer().peer());
  gateway_.Answer("ResumePeer", Peer().peer());
  EXPECT_EQ(Run({"peer", "freeze", "beta.example", "--reason", "key lost"}).out,
            "frozen beta.example\n");
  EXPECT_EQ(Last<admin::v1::FreezePeerRequest>("FreezePeer").reason(), "key lost");
  EXPECT_EQ(Run({"peer", "resume", "beta.example"}).out, "resumed beta.example\n");
}

// --- policies and grants

constexpr char kPolicy[] =
    "kind: policy\n"
    "peer: beta.example\n"
    "export:\n"
    "  rules:\n"
    "    - {name: all, action: ALLOW, links: KEEP}\n";

TEST_F(DaemonVerbsTest, CheckPrintsTheFindingsAndFailsWhereThereAreErrors) {
  admin::v1::CheckPolicyResponse answer;
  auto& finding = *answer.add_findings();
  finding.set_error(true);
  finding.set_path("export.rules[0].when");
  finding.set_rule("all");
  finding.set_message("expected a condition");
  finding.set_line(1);
  finding.set_column(7);
  gateway_.Answer("CheckPolicy", answer);
  const CliRun run = Run({"policy", "check", Write("p.yaml", kPolicy)});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.out,
            "error   export.rules[0].when (all) 1:7: expected a condition\n"
            "policy for beta.example: not valid\n");
  EXPECT_EQ(Last<admin::v1::CheckPolicyRequest>("CheckPolicy").policy().export_().rules(0).links(),
            admin::v1::LINK_HANDLING_KEEP);
}

TEST_F(DaemonVerbsTest, ApplySendsWhatTheAuthorWrote) {
  admin::v1::ApplyPolicyResponse answer;
  answer.mutable_version()->set_version(4);
  answer.mutable_version()->set_effective_sequence(101);
  gateway_.Answer("ApplyPolicy", answer);
  const CliRun run = Run({"policy", "apply", "-", "--unplanned", "--base", "3"}, kPolicy);
  EXPECT_EQ(run.out, "policy for beta.example version 4 decides from sequence 101\n");
  const auto request = Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy");
  EXPECT_THAT(request.source(), HasSubstr("- {name: all"));
  EXPECT_TRUE(request.unplanned());
  EXPECT_EQ(request.base_version(), 3u);
  EXPECT_FALSE(request.validate_only());
}

TEST_F(DaemonVerbsTest, AWrongFileIsNamedWithItsLineAndNothingIsSent) {
  const std::string file = Write("p.yaml", "kind: policy\npeer: beta.example\nexprt: {}\n");
  const CliRun run = Run({"policy", "apply", file});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.err, AllOf(HasSubstr(file + ":3: exprt"), HasSubstr("(invalid_config)")));
  admin::v1::ApplyPolicyRequest request;
  EXPECT_FALSE(gateway_.LastRequest("ApplyPolicy", &request));
}

TEST_F(DaemonVerbsTest, ShowPrintsThePolicyAsItWasWritten) {
  admin::v1::PolicyVersion version;
  version.mutable_policy()->set_peer("beta.example");
  version.set_version(4);
  version.set_author("spiffe://alpha.example/user/admin");
  version.set_source("kind: policy\n# why\npeer: beta.example");
  gateway_.Answer("GetPolicy", version);
  EXPECT_EQ(Run({"policy", "show", "beta.example", "--version", "4"}).out,
            "# version 4 by spiffe://alpha.example/user/admin, -, decides from sequence 0\n"
            "kind: policy\n# why\npeer: beta.example\n");
  EXPECT_EQ(Last<admin::v1::GetPolicyRequest>("GetPolicy").version(), 4u);
  version.clear_source();
  gateway_.Answer("GetPolicy", version);
  EXPECT_THAT(Run({"policy", "show", "beta.example"}).out,
              HasSubstr("kind: policy\npeer: beta.example\n"));
}

TEST_F(DaemonVerbsTest, ExplainShowsRulesValuesAndTheVerdict) {
  admin::v1::ExplainEventResponse answer;
  auto& event = *answer.mutable_event();
  event.set_id("e1");
  event.set_type("dev.cdevents.build.finished.0.3.0");
  event.set_source("/a");
  event.set_origin("alpha.example");
  event.set_sequence(7);
  event.mutable_accept_time()->set_seconds(1767323045);
  auto& rule = *answer.add_rules();
  rule.set_rule("releases");
  rule.set_when("SUBJECT_TYPE() = 'artifact'");
  rule.set_verdict("no match");
  auto& value = *rule.add_values();
  value.set_expression("SUBJECT_TYPE()");
  value.set_value("'build'");
  answer.set_reason("no_rule");
  answer.set_direction("export");
  gateway_.Answer("ExplainEvent", answer);
  EXPECT_TRUE(test::MatchesGolden(
      absl::StrCat(kTestdata, "policy_explain.txt"),
      Run({"policy", "explain", "7", "--sequence", "--peer", "beta.example"}).out));
  const auto request = Last<admin::v1::ExplainEventRequest>("ExplainEvent");
  EXPECT_EQ(request.event().sequence(), 7u);
  EXPECT_EQ(request.peer(), "beta.example");
}

TEST_F(DaemonVerbsTest, GrantsFromFlagsAndFromFolders) {
  admin::v1::Grant grant;
  grant.set_name("jenkins");
  grant.set_principal("spiffe://alpha.example/service/jenkins");
  grant.set_role(admin::v1::ROLE_PUBLISHER);
  gateway_.Answer("ApplyGrant", grant);
  const CliRun run = Run({"grant", "apply", "jenkins", "--principal", grant.principal(), "--role",
                          "publisher", "--source", "/a/%", "--source", "/b/%"});
  EXPECT_EQ(run.out, "grant jenkins: spiffe://alpha.example/service/jenkins is publisher\n");
  const auto request = Last<admin::v1::ApplyGrantRequest>("ApplyGrant");
  EXPECT_EQ(request.grant().role(), admin::v1::ROLE_PUBLISHER);
  EXPECT_THAT(request.grant().sources(), testing::ElementsAre("/a/%", "/b/%"));
  EXPECT_EQ(Run({"grant", "apply", "x", "--principal", "y", "--role", "king"}).code, kExitUsage);

  admin::v1::ApplyPolicyResponse policy;
  policy.mutable_version()->set_version(1);
  gateway_.Answer("ApplyPolicy", policy);
  Write("b.yaml", kPolicy);
  Write("a.yml",
        "kind: grant\nname: jenkins\nprincipal: spiffe://a.example/service/j\n"
        "role: PUBLISHER\n");
  Write("ignored.txt", "}{");
  gateway_.Answer("ListGrants", admin::v1::ListGrantsResponse());
  const CliRun applied = Run({"apply", "-f", dir_.path(), "--unplanned", "--dry-run"});
  EXPECT_EQ(applied.code, kExitNo) << "there is something to do; " << applied.err;
  EXPECT_THAT(applied.out, AllOf(HasSubstr("grant jenkins: "), HasSubstr("policy beta.example: ")));
  EXPECT_TRUE(Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy").validate_only());
  EXPECT_TRUE(Last<admin::v1::ApplyGrantRequest>("ApplyGrant").validate_only());
}

TEST_F(DaemonVerbsTest, WhoGotSaysWhatBecameOfAnEvent) {
  admin::v1::WhoGotResponse answer;
  auto& event = *answer.mutable_event();
  event.set_id("e1");
  event.set_type("dev.cdevents.artifact.published.0.3.0");
  event.set_source("/a");
  event.set_origin("alpha.example");
  event.set_sequence(7);
  event.mutable_accept_time()->set_seconds(1767323045);
  auto& outcome = *answer.add_outcomes();
  outcome.set_peer("beta.example");
  outcome.set_state("accepted");
  outcome.set_rule("releases@3");
  outcome.set_reason("allowed_by_rule");
  answer.mutable_import()->set_peer("gamma.example");
  answer.mutable_import()->set_state("accepted");
  answer.mutable_import()->set_rule("theirs@1");
  gateway_.Answer("WhoGot", answer);
  EXPECT_TRUE(test::MatchesGolden(absl::StrCat(kTestdata, "who_got.txt"),
                                  Run({"who-got", "e1", "--origin", "alpha.example"}).out));
  EXPECT_EQ(Last<admin::v1::WhoGotRequest>("WhoGot").event().origin(), "alpha.example");
  EXPECT_THAT(Run({"who-got", "e1", "-o", "json"}).out, HasSubstr("\"state\": \"accepted\""));
}

TEST_F(DaemonVerbsTest, StatusSaysWhatIsWrong) {
  admin::v1::GetStatusResponse answer;
  answer.set_domain("alpha.example");
  answer.set_instance("gw1");
  answer.set_software("cdgate 0.1.0");
  answer.set_epoch("abc");
  answer.set_first_sequence(1);
  answer.set_head_sequence(9);
  answer.set_log_bytes(4096);
  answer.add_problems("beta.example: the link is down");
  *answer.add_peers() = Peer();
  gateway_.Answer("GetStatus", answer);
  EXPECT_TRUE(test::MatchesGolden(absl::StrCat(kTestdata, "status.txt"), Run({"status"}).out));
}

// --- publishing

// Puts every event into the log but those whose id is "bad" or "mine", and counts.
grpc::Status TakeAll(FakeGateway::PublishStream* stream, std::vector<std::string>* data) {
  events::v1::PublishStreamRequest request;
  while (stream->Read(&request)) {
    events::v1::PublishStreamResponse response;
    for (const auto& event : request.events()) {
      auto& result = *response.add_results();
      if (event.id() == "bad") {
        *result.mutable_error() = rpc::ToProto(MakeError(Reason::kIdentityConflict, "exists"));
      } else if (event.id() == "mine") {
        *result.mutable_error() = rpc::ToProto(MakeError(Reason::kSourceNotGranted, "not yours"));
      } else {
        data->push_back(event.binary_data());
        result.set_sequence(data->size());
        result.set_duplicate(event.id() == "again");
      }
    }
    stream->Write(response);
  }
  return grpc::Status::OK;
}

class PublishVerbTest : public DaemonVerbsTest {
 protected:
  PublishVerbTest() {
    gateway_.publish_stream = [this](FakeGateway::PublishStream* stream) {
      return TakeAll(stream, &data_);
    };
  }
  std::vector<std::string> data_;
};

TEST_F(PublishVerbTest, PublishesAndSumsUp) {
  const CliRun run = Run({"publish"}, Event("a") + "\n" + Event("again") + "\n");
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(run.out, "published 2 events, sequences 1 to 2; 1 was there already\n");
  EXPECT_THAT(data_, testing::ElementsAre(Event("a"), Event("again")));
}

TEST_F(PublishVerbTest, NamesWhatWasRefusedAndWhere) {
  const CliRun run = Run({"publish"}, absl::StrCat(Event("a"), "\n", Event("bad"), "\nnonsense\n"));
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.out, "published 1 event, sequence 1; 2 refused\n");
  EXPECT_THAT(run.err, AllOf(HasSubstr("standard input:2: exists (identity_conflict)"),
                             HasSubstr("standard input:3: "), HasSubstr("(invalid_json)")));
}

TEST_F(PublishVerbTest, NotAllowedIsCode4OnlyWhereThatIsAll) {
  EXPECT_EQ(Run({"publish"}, Event("mine")).code, kExitNotAllowed);
  EXPECT_EQ(Run({"publish"}, Event("mine") + Event("bad")).code, kExitNo);
}

TEST_F(PublishVerbTest, JsonHasALineForEachEvent) {
  const CliRun run = Run({"publish", "-o", "json"}, "[" + Event("a") + "," + Event("bad") + "]");
  EXPECT_EQ(
      run.out,
      "{\"input\":\"standard input\",\"id\":\"a\","
      "\"type\":\"dev.cdevents.service.published.0.3.0\",\"sequence\":1,\"duplicate\":false}\n"
      "{\"input\":\"standard input\",\"id\":\"bad\","
      "\"type\":\"dev.cdevents.service.published.0.3.0\","
      "\"error\":{\"reason\":\"identity_conflict\",\"message\":\"exists\"}}\n");
}

TEST_F(PublishVerbTest, NewIdsAreNew) {
  Run({"publish", "--new-ids"}, Event("a") + Event("a"));
  ASSERT_EQ(data_.size(), 2u);
  EXPECT_NE(data_[0], data_[1]);
}

TEST_F(PublishVerbTest, ManyEventsKeepTheirOrder) {
  std::string input;
  constexpr int kEvents = 20000;  // more than may be on the way at once
  for (int i = 0; i < kEvents; ++i) absl::StrAppend(&input, Event(absl::StrCat(i)), "\n");
  const CliRun run = Run({"publish", "-"}, input);
  EXPECT_EQ(run.out, "published 20000 events, sequences 1 to 20000\n") << run.err;
  ASSERT_EQ(data_.size(), static_cast<size_t>(kEvents));
  EXPECT_EQ(data_.back(), Event(absl::StrCat(kEvents - 1)));
}

TEST_F(PublishVerbTest, AnEventLargerThanAMessageIsRefusedAlone) {
  const std::string large =
      Event("large").insert(1, absl::StrCat("\"customData\":\"", std::string(1 << 20, 'x'), "\","));
  const CliRun run = Run({"publish"}, large + Event("a"));
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.out, "published 1 event, sequence 1; 1 refused\n");
  EXPECT_THAT(run.err, HasSubstr("(too_large)"));
}

TEST_F(PublishVerbTest, ACallThatBreaksSaysHowFarItGot) {
  gateway_.publish_stream = [](FakeGateway::PublishStream* stream) {
    events::v1::PublishStreamRequest request;
    stream->Read(&request);
    events::v1::PublishStreamResponse response;
    response.add_results()->set_sequence(1);
    stream->Write(response);
    return rpc::ToGrpcStatus(MakeError(Reason::kDraining, "shutting down"));
  };
  const CliRun run = Run({"publish"}, Event("a") + Event("b"));
  EXPECT_EQ(run.code, kExitUnreachable);
  EXPECT_THAT(run.err, HasSubstr("after 1 event; publishing again is safe: shutting down"));
}

}  // namespace
}  // namespace cdgate::cli
