#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/base/errors.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"

namespace cdgate::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class AgreementVerbsTest : public testing::Test {
 protected:
  CliRun Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    return RunCli(arguments, "");
  }
  template <typename Request>
  Request Last(const std::string& method) {
    Request request;
    EXPECT_TRUE(gateway_.LastRequest(method, &request)) << method;
    return request;
  }

  FakeGateway gateway_;
};

TEST_F(AgreementVerbsTest, AnInviteStatesTheAgreement) {
  admin::v1::CreateInviteResponse answer;
  answer.set_token("cdgate-invite-xyz");
  answer.mutable_agreement_lifetime()->set_seconds(90 * 86400);
  gateway_.Answer("CreateInvite", answer);
  const CliRun run = Run({"peer", "invite", "--agreement-for", "90d", "--contact", "a", "--contact",
                          "b", "--purpose", "joint releases"});
  EXPECT_EQ(run.out, "cdgate-invite-xyz\n");
  EXPECT_THAT(run.err, HasSubstr("the agreement will hold for 90d"));
  const auto request = Last<admin::v1::CreateInviteRequest>("CreateInvite");
  EXPECT_EQ(request.agreement_lifetime().seconds(), 90 * 86400);
  EXPECT_EQ(request.contacts_size(), 2);
  EXPECT_EQ(request.purpose(), "joint releases");
  EXPECT_EQ(Run({"peer", "invite", "--agreement-for", "soon"}).code, kExitUsage);
  EXPECT_EQ(Run({"peer", "invite", "--revoke", "x", "--agreement-for", "1d"}).code, kExitUsage);
}

TEST_F(AgreementVerbsTest, ATokenCanBeLookedAtBeforeItIsAccepted) {
  admin::v1::CheckInviteResponse invite;
  invite.set_domain("alpha.example");
  invite.set_fingerprint("AA:BB");
  invite.set_purpose("joint releases");
  invite.add_contacts("ops@alpha.example");
  invite.mutable_agreement_lifetime()->set_seconds(90 * 86400);
  invite.mutable_expire_time()->set_seconds(1'800'000'000);
  gateway_.Answer("CheckInvite", invite);
  const CliRun good = Run({"peer", "accept", "cdgate-invite-xyz", "--show"});
  EXPECT_EQ(good.code, kExitDone);
  for (const char* text : {"alpha.example", "AA:BB", "joint releases", "ops@alpha.example",
                           "for 90d from when it is made", "any domain"}) {
    EXPECT_THAT(good.out, HasSubstr(text));
  }
  admin::v1::AcceptInviteRequest accepted;
  EXPECT_FALSE(gateway_.LastRequest("AcceptInvite", &accepted));
  invite.set_reason("INVITE_INVALID");
  invite.set_message("the invite expired");
  gateway_.Answer("CheckInvite", invite);
  const CliRun bad = Run({"peer", "accept", "cdgate-invite-xyz", "--show"});
  EXPECT_EQ(bad.code, kExitNo);
  EXPECT_THAT(bad.out, HasSubstr("the invite expired"));
  EXPECT_EQ(Run({"peer", "accept", "x", "--show", "--offline"}).code, kExitUsage);
}

TEST_F(AgreementVerbsTest, WhoAcceptsSeesTheTermsAndHowToRefuse) {
  admin::v1::AcceptInviteResponse answer;
  answer.mutable_peer()->set_domain("alpha.example");
  answer.mutable_peer()->set_purpose("joint releases");
  answer.mutable_peer()->add_contacts("ops@alpha.example");
  answer.mutable_peer()->mutable_expire_time()->set_seconds(1'800'000'000);
  gateway_.Answer("AcceptInvite", answer);
  const CliRun run = Run({"peer", "accept", "cdgate-invite-xyz"});
  EXPECT_THAT(run.out, HasSubstr("purpose           joint releases\n"));
  EXPECT_THAT(run.out, HasSubstr("agreement until   2027-01-15T08:00:00Z\n"));
  EXPECT_THAT(run.err, HasSubstr("cdgate peer remove alpha.example"));
}

TEST_F(AgreementVerbsTest, RenewsUntilATimeOrForADuration) {
  admin::v1::Peer peer;
  peer.set_domain("beta.example");
  peer.mutable_expire_time()->set_seconds(1'800'000'000);
  gateway_.Answer("RenewPeer", peer);
  EXPECT_EQ(Run({"peer", "renew", "beta.example", "--until", "2027-01-15T08:00:00Z"}).out,
            "the agreement with beta.example holds until 2027-01-15T08:00:00Z on our side\n");
  EXPECT_EQ(Last<admin::v1::RenewPeerRequest>("RenewPeer").expire_time().seconds(), 1'800'000'000);
  EXPECT_EQ(Run({"peer", "renew", "beta.example", "--until", "2027-01-15"}).code, kExitDone);
  EXPECT_EQ(Last<admin::v1::RenewPeerRequest>("RenewPeer").expire_time().seconds(),
            1'800'000'000 - 8 * 3600);
  EXPECT_EQ(Run({"peer", "renew", "beta.example", "--for", "365d"}).code, kExitDone);
  EXPECT_EQ(Last<admin::v1::RenewPeerRequest>("RenewPeer").lifetime().seconds(), 365 * 24 * 3600);
  EXPECT_EQ(Run({"peer", "renew", "beta.example"}).code, kExitUsage);
  EXPECT_EQ(Run({"peer", "renew", "beta.example", "--for", "1d", "--until", "2027-01-15"}).code,
            kExitUsage);
  EXPECT_THAT(Run({"peer", "renew", "beta.example", "--until", "soon"}).err,
              HasSubstr("2027-06-30"));
}

TEST_F(AgreementVerbsTest, SetsWhatIsNamedAlone) {
  admin::v1::Peer peer;
  peer.set_domain("beta.example");
  peer.set_endpoint("gw:1");
  peer.set_dial(true);
  gateway_.Answer("UpdatePeer", peer);
  EXPECT_EQ(Run({"peer", "set", "beta.example", "--endpoint", "gw:1", "--dial", "yes"}).out,
            "noted of beta.example; we dial it at gw:1\n");
  auto request = Last<admin::v1::UpdatePeerRequest>("UpdatePeer");
  EXPECT_EQ(request.endpoint(), "gw:1");
  EXPECT_TRUE(request.dial());
  EXPECT_FALSE(request.has_purpose());
  Run({"peer", "set", "beta.example", "--purpose", "", "--contact", "a", "--contact", "b"});
  request = Last<admin::v1::UpdatePeerRequest>("UpdatePeer");
  EXPECT_TRUE(request.has_purpose());
  EXPECT_FALSE(request.has_endpoint());
  EXPECT_FALSE(request.has_dial());
  EXPECT_EQ(request.contacts_size(), 2);
  EXPECT_EQ(Run({"peer", "set", "beta.example", "--dial", "maybe"}).code, kExitUsage);
}

TEST_F(AgreementVerbsTest, RemovingSaysWhatEachSideHolds) {
  admin::v1::RemovePeerResponse removed;
  removed.set_events_given(12);
  removed.set_events_received(1);
  gateway_.Answer("RemovePeer", removed);
  admin::v1::GetHoldingsResponse held;
  held.mutable_oldest_given()->set_seconds(1'800'000'000);
  held.mutable_newest_given()->set_seconds(1'800'000'060);
  held.set_dead_letters(3);
  held.set_open_backfills(1);
  gateway_.Answer("GetHoldings", held);
  EXPECT_EQ(Run({"peer", "remove", "beta.example"}).out,
            "removed beta.example\n"
            "it holds       12 events of ours, from 2027-01-15T08:00:00Z to 2027-01-15T08:01:00Z\n"
            "we hold        1 event of its\n"
            "dead letters   3 that nobody redrove or dropped\n"
            "backfills      1 not over, and ended by this\n");
  // A gateway of an older release.
  gateway_.Fail("GetHoldings", absl::UnimplementedError("no such method"));
  EXPECT_EQ(Run({"peer", "remove", "beta.example"}).out,
            "removed beta.example\nit holds       12 events of ours\nwe hold        1 event of "
            "its\n");
}

TEST_F(AgreementVerbsTest, WhatAPeerLostIsListed) {
  admin::v1::ListLostEventsResponse lost;
  admin::v1::LostEvent& one = *lost.add_events();
  one.mutable_event()->set_sequence(7);
  one.mutable_event()->set_origin("alpha.example");
  one.mutable_event()->set_source("/ci");
  one.mutable_event()->set_id("build-7");
  one.mutable_event()->set_type("dev.x");
  one.mutable_event()->mutable_accept_time()->set_seconds(1'800'000'000);
  one.set_state("dead_lettered");
  lost.add_forgotten()->set_first_sequence(1);
  lost.mutable_forgotten(0)->set_last_sequence(6);
  gateway_.Answer("ListLostEvents", lost);
  const CliRun run = Run({"peer", "lost", "beta.example"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_EQ(run.out,
            "SEQUENCE  ORIGIN         TYPE   ID       SOURCE  ACCEPTED              STATE\n"
            "7         alpha.example  dev.x  build-7  /ci     2027-01-15T08:00:00Z  dead_lettered\n"
            "sequences 1 to 6 were lost, too, and nothing is kept of them any more\n");
  EXPECT_THAT(run.err, HasSubstr("it could have been given these at most"));
  EXPECT_EQ(Last<admin::v1::ListLostEventsRequest>("ListLostEvents").domain(), "beta.example");
  EXPECT_THAT(Run({"peer", "lost", "beta.example", "-o", "json"}).out,
              HasSubstr("\"id\": \"build-7\""));

  lost.set_next_page_token("more");
  gateway_.Answer("ListLostEvents", lost);
  EXPECT_THAT(Run({"peer", "lost", "beta.example", "--limit", "1"}).err, HasSubstr("--limit"));
  EXPECT_EQ(Last<admin::v1::ListLostEventsRequest>("ListLostEvents").page_size(), 1);
  EXPECT_EQ(Run({"peer", "lost", "beta.example", "--limit", "0"}).code, kExitUsage);
}

TEST_F(AgreementVerbsTest, APeerThatLostNothingIsSaidTo) {
  gateway_.Answer("ListLostEvents", admin::v1::ListLostEventsResponse());
  const CliRun none = Run({"peer", "lost", "beta.example"});
  EXPECT_EQ(none.code, kExitDone);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err, "beta.example lost nothing to retention\n");
  gateway_.Fail("ListLostEvents", base::MakeError(base::Reason::kNotFound, "there is no peer x"));
  EXPECT_EQ(Run({"peer", "lost", "x"}).code, kExitNo);
}

TEST_F(AgreementVerbsTest, APeerThatLostSomethingIsShownWithTheCommandThatListsIt) {
  admin::v1::PeerStatus peer;
  peer.mutable_peer()->set_domain("beta.example");
  peer.set_lost_events(3);
  gateway_.Answer("GetPeer", peer);
  EXPECT_THAT(Run({"peer", "show", "beta.example"}).out,
              HasSubstr("lag            0; 3 lost to retention\n"
                        "lost events    cdgate peer lost beta.example shows which\n"));
}

TEST_F(AgreementVerbsTest, TheDoctorSaysWhatFailsAndWhatIsNotTested) {
  admin::v1::DoctorPeerResponse answer;
  const auto add = [&answer](const std::string& layer, admin::v1::FindingState state,
                             const std::string& detail) {
    admin::v1::Finding& finding = *answer.add_findings();
    finding.set_layer(layer);
    finding.set_state(state);
    finding.set_detail(detail);
    return &finding;
  };
  add("name", admin::v1::FINDING_STATE_GOOD, "gw is 192.0.2.1");
  gateway_.Answer("DoctorPeer", answer);
  EXPECT_EQ(Run({"peer", "doctor", "beta.example"}).code, kExitDone);
  admin::v1::Finding* const failed = add("tcp", admin::v1::FINDING_STATE_FAILED, "refused");
  failed->set_reason("unreachable");
  failed->set_remedy("see whether it runs");
  add("tls", admin::v1::FINDING_STATE_NOT_TESTED, "tcp fails before it");
  answer.set_first_failure("tcp");
  gateway_.Answer("DoctorPeer", answer);
  const CliRun run = Run({"peer", "doctor", "beta.example"});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.out,
            "name         good        gw is 192.0.2.1\n"
            "tcp          FAILED      refused (unreachable)\n"
            "                         next: see whether it runs\n"
            "tls          not tested  tcp fails before it\n");
  const CliRun json = Run({"peer", "doctor", "beta.example", "-o", "json"});
  EXPECT_EQ(json.code, kExitNo);
  EXPECT_THAT(json.out, HasSubstr("\"first_failure\": \"tcp\""));
}

TEST_F(AgreementVerbsTest, ExportsAreStoppedForAllPeersAtOnce) {
  admin::v1::ExportSwitch exports;
  exports.set_stopped(true);
  exports.set_reason("leak suspected");
  exports.set_changed_by("spiffe://alpha.example/user/ann");
  exports.mutable_change_time()->set_seconds(1'800'000'000);
  gateway_.Answer("StopExports", exports);
  EXPECT_EQ(Run({"export", "stop"}).code, kExitUsage);
  EXPECT_EQ(Run({"export", "stop", "--all", "--reason", "leak suspected"}).out,
            "exports   stopped\n"
            "since     2027-01-15T08:00:00Z, by spiffe://alpha.example/user/ann\n"
            "reason    leak suspected\n");
  EXPECT_EQ(Last<admin::v1::StopExportsRequest>("StopExports").reason(), "leak suspected");
  gateway_.Answer("ResumeExports", admin::v1::ExportSwitch());
  EXPECT_EQ(Run({"export", "resume"}).code, kExitUsage);
  EXPECT_EQ(Run({"export", "resume", "--all"}).out, "exports   not stopped\n");
  exports.Clear();
  exports.set_started_frozen(true);
  gateway_.Answer("GetExports", exports);
  EXPECT_THAT(Run({"export", "status"}).out, HasSubstr("started with --frozen"));
}

}  // namespace
}  // namespace cdgate::cli
