#include "gateway/api/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "gateway/base/errors.h"

namespace cdgate::api {
namespace {

using base::MakeError;
using base::Reason;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// Everything is well, and we dial.
PeerPathFacts Well() {
  PeerPathFacts facts;
  facts.own_domain = "alpha.example";
  facts.now = kNow;
  facts.own_until = kNow + absl::Hours(24);
  facts.peer.set_domain("beta.example");
  facts.peer.set_endpoint("gw.beta.example:7444");
  facts.peer.set_dial(true);
  facts.peer.set_state(admin::v1::PEER_STATE_APPROVED);
  facts.peer.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(kNow + absl::Hours(48)));
  facts.has_policy = facts.exports_something = facts.imports_something = true;
  facts.link.set_state(admin::v1::LINK_STATE_UP);
  DialFacts& dial = facts.dial.emplace();
  dial.addresses = {"192.0.2.1"};
  dial.address = "192.0.2.1";
  dial.shown_id = "spiffe://beta.example/gateway/gw1";
  dial.shown_until = kNow + absl::Hours(12);
  federation::v1::GetAgreementResponse& theirs = dial.theirs.emplace();
  theirs.set_same_agreement(true);
  theirs.set_approved(true);
  theirs.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(kNow + absl::Hours(36)));
  theirs.set_exports_something(true);
  theirs.set_imports_something(true);
  return facts;
}

// The same where it dials us.
PeerPathFacts Dialled() {
  PeerPathFacts facts = Well();
  facts.dial.reset();
  facts.peer.set_dial(false);
  return facts;
}

const admin::v1::Finding& FindingOf(const admin::v1::DoctorPeerResponse& answer,
                                    const std::string& layer) {
  for (const admin::v1::Finding& finding : answer.findings()) {
    if (finding.layer() == layer) return finding;
  }
  ADD_FAILURE() << "no layer " << layer;
  return admin::v1::Finding::default_instance();
}

TEST(DiagnosisTest, AllLayersAreGoodInOrder) {
  const auto answer = Diagnose(Well());
  EXPECT_EQ(answer.first_failure(), "");
  std::vector<std::string> layers;
  for (const auto& finding : answer.findings()) {
    layers.push_back(finding.layer());
    EXPECT_EQ(finding.state(), admin::v1::FINDING_STATE_GOOD) << finding.ShortDebugString();
    EXPECT_THAT(finding.detail(), Not(IsEmpty()));
    EXPECT_THAT(finding.remedy(), IsEmpty());
  }
  EXPECT_THAT(layers, testing::ElementsAre("name", "route", "tcp", "tls", "certificate", "clock",
                                           "agreement", "policy", "link", "lag"));
  EXPECT_THAT(FindingOf(answer, "certificate").detail(),
              HasSubstr("spiffe://beta.example/gateway/gw1"));
}

struct Fault {
  const char* name;
  const char* layer;
  const char* reason;
  const char* detail;  // a part of it
  const char* remedy;  // a part of it
  std::function<void(PeerPathFacts&)> inject;
};

federation::v1::GetAgreementResponse& Theirs(PeerPathFacts& facts) { return *facts.dial->theirs; }

std::vector<Fault> Faults() {
  return {
      {"name", "name", "unreachable", "does not resolve", "cdgate peer set beta.example",
       [](auto& f) { f.dial->name = MakeError(Reason::kUnreachable, "gw does not resolve"); }},
      {"route", "route", "unreachable", "no route", "routes of this machine",
       [](auto& f) { f.dial->route = MakeError(Reason::kUnreachable, "no route to 192.0.2.1"); }},
      {"tcp", "tcp", "unreachable", "refused", "listens there",
       [](auto& f) { f.dial->tcp = MakeError(Reason::kUnreachable, "Connection refused"); }},
      {"tls", "tls", "tls_handshake_failed", "wrong version", "correct the port",
       [](auto& f) { f.dial->tls = MakeError(Reason::kTlsHandshakeFailed, "wrong version"); }},
      {"wrong ca", "certificate", "certificate_untrusted", "gateway/gw1: self-signed",
       "compare fingerprints",
       [](auto& f) {
         f.dial->certificate = MakeError(Reason::kCertificateUntrusted, "self-signed");
       }},
      {"wrong domain", "certificate", "wrong_peer", "is no gateway", "correct the endpoint",
       [](auto& f) { f.dial->certificate = MakeError(Reason::kWrongPeer, "is no gateway"); }},
      {"expired there", "certificate", "certificate_expired", "past", "renews the certificate",
       [](auto& f) { f.dial->certificate = MakeError(Reason::kCertificateExpired, "past"); }},
      {"expired here", "certificate", "certificate_expired", "our own", "cdgate cert issue",
       [](auto& f) { f.own_until = kNow; }},
      {"refused there", "certificate", "peer_closed_handshake", "its log has the reason",
       "the agreement with alpha.example",
       [](auto& f) {
         f.dial->call = MakeError(Reason::kUnreachable, "Socket closed");
         f.dial->theirs.reset();
       }},
      {"clock ahead", "clock", "", "31s ahead of ours", "NTP",
       [](auto& f) { f.dial->skew = absl::Seconds(31); }},
      {"clock behind", "clock", "", "31s behind ours", "NTP",
       [](auto& f) { f.dial->skew = -absl::Seconds(31); }},
      {"started frozen here", "agreement", "frozen", "was started frozen", "export resume",
       [](auto& f) { f.started_frozen = true; }},
      {"frozen here", "agreement", "frozen", "beta.example is frozen here", "peer resume beta",
       [](auto& f) { f.peer.set_frozen(true); }},
      {"pending here", "agreement", "agreement_pending", "on this side", "peer approve beta",
       [](auto& f) { f.peer.set_state(admin::v1::PEER_STATE_PENDING); }},
      {"expired here", "agreement", "agreement_expired", "ended here", "peer renew beta.example",
       [](auto& f) { f.peer.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(kNow)); }},
      {"frozen there", "agreement", "frozen", "peer alpha.example is frozen", "peer resume alpha",
       [](auto& f) {
         f.dial->call = MakeError(Reason::kFrozen, "peer alpha.example is frozen here");
         f.dial->theirs.reset();
       }},
      {"another agreement", "agreement", "no_agreement", "another agreement", "peer anew",
       [](auto& f) { Theirs(f).set_same_agreement(false); }},
      {"pending there", "agreement", "agreement_pending", "not approved yet", "approve alpha",
       [](auto& f) { Theirs(f).set_approved(false); }},
      {"started frozen there", "agreement", "frozen", "other gateway", "export resume",
       [](auto& f) { Theirs(f).set_started_frozen(true); }},
      {"expired there", "agreement", "agreement_expired", "it ended at", "peer renew alpha.example",
       [](auto& f) { Theirs(f).mutable_expire_time()->set_seconds(absl::ToUnixSeconds(kNow)); }},
      {"no policy", "policy", "no_policy", "no policy is in force here", "cdgate policy apply",
       [](auto& f) { f.has_policy = f.exports_something = f.imports_something = false; }},
      {"nothing allowed", "policy", "no_rule", "out: no import rule there allows anything",
       "both sides",
       [](auto& f) {
         Theirs(f).set_imports_something(false);
         Theirs(f).set_exports_something(false);
       }},
      {"exports stopped here", "policy", "exports_stopped", "stopped here", "export resume",
       [](auto& f) { f.exports_stopped = true; }},
      {"link down", "link", "heartbeat_lost", "nothing came", "dialled again",
       [](auto& f) {
         f.link.set_state(admin::v1::LINK_STATE_DOWN);
         f.link.set_reason("heartbeat_lost");
         f.link.set_message("nothing came for 15s");
       }},
      {"imports wait here", "lag", "disk_full", "no space", "waits",
       [](auto& f) { f.import_stall = MakeError(Reason::kDiskFull, "no space"); }},
      {"lag", "lag", "", "7 events wait, the oldest for 11s; it cannot take anything in: disk_full",
       "free disk space",
       [](auto& f) {
         f.lag_events = 7;
         f.lag_age = absl::Seconds(11);
         Theirs(f).set_import_stall("disk_full");
       }},
  };
}

TEST(DiagnosisTest, EachFaultIsFoundInItsLayerAndNothingBehindItIsTested) {
  for (const Fault& fault : Faults()) {
    SCOPED_TRACE(fault.name);
    PeerPathFacts facts = Well();
    fault.inject(facts);
    const auto answer = Diagnose(facts);
    EXPECT_EQ(answer.first_failure(), fault.layer);
    const admin::v1::Finding& finding = FindingOf(answer, fault.layer);
    EXPECT_EQ(finding.state(), admin::v1::FINDING_STATE_FAILED);
    EXPECT_EQ(finding.reason(), fault.reason);
    EXPECT_THAT(finding.detail(), HasSubstr(fault.detail));
    EXPECT_THAT(finding.remedy(), HasSubstr(fault.remedy));
    bool behind = false;
    for (const admin::v1::Finding& other : answer.findings()) {
      if (other.layer() == fault.layer) {
        behind = true;
        continue;
      }
      // Where the other side did not answer, its clock is not known.
      const bool untold = other.layer() == "clock" && !facts.dial->theirs;
      EXPECT_EQ(other.state(), behind || untold ? admin::v1::FINDING_STATE_NOT_TESTED
                                                : admin::v1::FINDING_STATE_GOOD)
          << other.ShortDebugString();
      EXPECT_THAT(other.remedy(), IsEmpty());
      if (behind) {
        EXPECT_THAT(other.detail(), HasSubstr("fails before it"));
      }
    }
  }
}

TEST(DiagnosisTest, OneDirectionAloneIsAsIntended) {
  PeerPathFacts facts = Well();
  facts.imports_something = false;
  Theirs(facts).set_exports_something(false);
  const auto answer = Diagnose(facts);
  EXPECT_EQ(answer.first_failure(), "");
  EXPECT_EQ(FindingOf(answer, "policy").detail(),
            "out: open; in: no import rule here allows anything");
}

TEST(DiagnosisTest, EventsOnTheirWayAreNotLate) {
  PeerPathFacts facts = Well();
  facts.lag_events = 5;
  facts.lag_age = absl::Seconds(9);
  EXPECT_EQ(Diagnose(facts).first_failure(), "");
}

TEST(DiagnosisTest, AnOlderGatewayThereDoesNotTellItsSide) {
  PeerPathFacts facts = Well();
  facts.dial->theirs.reset();
  facts.dial->call = MakeError(Reason::kMethodUnknown, "no such method");
  const auto answer = Diagnose(facts);
  EXPECT_EQ(answer.first_failure(), "");
  EXPECT_EQ(FindingOf(answer, "clock").state(), admin::v1::FINDING_STATE_NOT_TESTED);
}

TEST(DiagnosisTest, AnUpLinkOfAPeerThatDialsUsSpeaksForTheWay) {
  const auto answer = Diagnose(Dialled());
  EXPECT_EQ(answer.first_failure(), "");
  EXPECT_EQ(FindingOf(answer, "certificate").state(), admin::v1::FINDING_STATE_GOOD);
  EXPECT_EQ(FindingOf(answer, "clock").state(), admin::v1::FINDING_STATE_NOT_TESTED);
}

TEST(DiagnosisTest, APeerThatDialsUsAndIsRefusedFailsAtItsCertificate) {
  PeerPathFacts facts = Dialled();
  facts.link.set_state(admin::v1::LINK_STATE_DOWN);
  facts.refused = {kNow - absl::Minutes(1), "certificate_revoked", "serial 5f is revoked"};
  const auto answer = Diagnose(facts);
  EXPECT_EQ(answer.first_failure(), "certificate");
  EXPECT_EQ(FindingOf(answer, "certificate").reason(), "certificate_revoked");
  EXPECT_THAT(FindingOf(answer, "certificate").detail(), HasSubstr("serial 5f is revoked"));
  EXPECT_EQ(FindingOf(answer, "tcp").state(), admin::v1::FINDING_STATE_NOT_TESTED);
}

TEST(DiagnosisTest, APeerThatDoesNotComeIsToTestItselfTheWay) {
  PeerPathFacts facts = Dialled();
  facts.link.set_state(admin::v1::LINK_STATE_DOWN);
  const auto answer = Diagnose(facts);
  EXPECT_EQ(answer.first_failure(), "link");
  EXPECT_THAT(FindingOf(answer, "link").remedy(), HasSubstr("cdgate peer doctor alpha.example"));
}

TEST(DiagnosisTest, WhatAPeerThatDialsUsSaidOfTheAgreementCounts) {
  PeerPathFacts facts = Dialled();
  facts.link.set_state(admin::v1::LINK_STATE_DOWN);
  facts.link.set_reason("no_agreement");
  facts.link.set_message("beta.example ended the agreement");
  const auto answer = Diagnose(facts);
  EXPECT_EQ(answer.first_failure(), "agreement");
  EXPECT_THAT(FindingOf(answer, "agreement").detail(), HasSubstr("ended the agreement"));
}

}  // namespace
}  // namespace cdgate::api
