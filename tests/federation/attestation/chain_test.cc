#include "federation/attestation/chain.h"

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/event/event_fields.h"
#include "gateway/event/json_parser.h"
#include "gateway/event/record.h"
#include "tests/federation/attestation/attestors.h"
#include "tests/federation/attestation/story.h"
#include "tests/support/status_matchers.h"

namespace cdgate::attestation {
namespace {

using base::Reason;
using federation::v1::RelayedEvent;
using federation::v1::Statement;
using test::Accept;
using test::HasReason;
using test::Holding;
using test::Send;
using test::StoryEvent;
using ::testing::HasSubstr;

constexpr char kAlpha[] = "alpha.example";
constexpr char kBeta[] = "beta.example";
constexpr char kGamma[] = "gamma.example";

MATCHER_P(Proves, proof, absl::StrCat("is proven: ", ProofText(proof))) {
  *result_listener << test::StatusOf(arg).ToString();
  return arg.ok() && *arg == proof;
}

class ChainTest : public testing::Test {
 protected:
  absl::StatusOr<Proof> At(absl::string_view receiver, const RelayedEvent& event) {
    return test::VerifyAt(receiver, event, &verifier_);
  }
  absl::StatusOr<Proof> AtGamma(const RelayedEvent& event) { return At(kGamma, event); }
  // What gamma receives by alpha and beta.
  static Holding OverBeta(bool by_fields, test::Sending second = {.to = kGamma, .onward = 1}) {
    return Send(Send(Accept(kAlpha, StoryEvent(), by_fields), {.to = kBeta, .onward = 2}), second);
  }
  static Statement Read(const std::string& bytes) {
    Statement out;
    EXPECT_TRUE(out.ParseFromString(bytes));
    return out;
  }

  test::FakeKeys keys_;
  ChainVerifier verifier_{keys_};
};

TEST_F(ChainTest, UnalteredIsProvenOverAnyWay) {
  for (const bool by_fields : {false, true}) {
    Holding at = Accept(kAlpha, StoryEvent(), by_fields);
    at = Send(at, {.to = kBeta, .onward = 2});
    EXPECT_THAT(At(kBeta, at.event), Proves(Proof::kUnaltered));
    CDGATE_EXPECT_OK(test::VerifySent(at, &verifier_));
    at = Send(at, {.to = kGamma, .onward = 1});
    EXPECT_THAT(AtGamma(at.event), Proves(Proof::kUnaltered));
    CDGATE_EXPECT_OK(test::VerifySent(at, &verifier_));
    at = Send(at, {.to = "delta.example"});
    EXPECT_THAT(At("delta.example", at.event), Proves(Proof::kUnaltered));
  }
}

TEST_F(ChainTest, WhatIsLeftIsProvenByFieldsHoweverOftenItWasAltered) {
  Holding at = OverBeta(true, {.to = kGamma,
                               .onward = 1,
                               .redact = {"customData.people.author", "customData.people"},
                               .pseudonymise = {"subject.id", "customData.cost"},
                               .drop_links = true});
  EXPECT_FALSE(at.event.field_proof().empty());
  EXPECT_TRUE(at.event.salt().empty());
  EXPECT_THAT(AtGamma(at.event), Proves(Proof::kFields));
  at = Send(at, {.to = "delta.example", .redact = {"customData.team", "subject.content.change"}});
  EXPECT_THAT(At("delta.example", at.event), Proves(Proof::kFields));
  CDGATE_EXPECT_OK(test::VerifySent(at, &verifier_));
}

TEST_F(ChainTest, WhatTheOriginAlteredItsOwnExportProves) {
  Holding at = Accept(kAlpha, StoryEvent(), false);
  at = Send(at, {.to = kBeta, .onward = 1, .redact = {"customData"}});
  EXPECT_THAT(At(kBeta, at.event), Proves(Proof::kDirect));
  at = Send(at, {.to = kGamma});
  EXPECT_THAT(AtGamma(at.event), Proves(Proof::kOriginExport));
}

TEST_F(ChainTest, SoDoesItWhereOnlyAttributesWent) {
  Holding at = Accept(kAlpha, StoryEvent(), false);
  io::cloudevents::v1::CloudEvent event;
  ASSERT_TRUE(event.ParseFromString(at.event.cloud_event()));
  event.mutable_attributes()->erase("causationid");
  at.event.set_cloud_event(test::Canonical(event));  // the salt still fits the content
  at = Send(Send(at, {.to = kBeta, .onward = 1}), {.to = kGamma});
  EXPECT_THAT(AtGamma(at.event), Proves(Proof::kOriginExport));
}

TEST_F(ChainTest, WhatSomebodyElseAlteredOfContentIsUnproven) {
  const Holding at = OverBeta(false, {.to = kGamma, .onward = 1, .redact = {"customData"}});
  EXPECT_THAT(AtGamma(at.event), HasReason(Reason::kAttestationUnproven));
}

TEST_F(ChainTest, FromItsOriginAnEventNeedsNoStatement) {
  Holding at = Send(Accept(kAlpha, StoryEvent(), true), {.to = kBeta, .onward = 1});
  at.event.clear_statements();
  EXPECT_THAT(At(kBeta, at.event), Proves(Proof::kDirect));
  at.event.set_salt(std::string(16, 'x'));
  EXPECT_THAT(At(kBeta, at.event), HasReason(Reason::kAttestationInvalid));
}

TEST_F(ChainTest, StatementsAreAllThereAndInTheirPlaces) {
  const Holding at = OverBeta(true);
  RelayedEvent event = at.event;
  event.mutable_statements()->RemoveLast();
  EXPECT_THAT(AtGamma(event), HasReason(Reason::kAttestationUnproven));
  event.clear_statements();
  EXPECT_THAT(AtGamma(event), HasReason(Reason::kAttestationUnproven));
  event = at.event;
  event.add_statements(at.statement);
  EXPECT_THAT(AtGamma(event), HasReason(Reason::kAttestationInvalid));
  event = at.event;
  event.mutable_statements()->SwapElements(0, 1);
  EXPECT_THAT(AtGamma(event), HasReason(Reason::kAttestationInvalid));
  event = at.event;
  event.set_statements(0, event.statements(1));
  EXPECT_THAT(AtGamma(event), HasReason(Reason::kAttestationInvalid));
}

TEST_F(ChainTest, ThePathIsTheOneThatStatementsShow) {
  const Holding at = OverBeta(true);
  for (const auto& path : std::vector<std::vector<std::string>>{{},
                                                                {kBeta, kAlpha},
                                                                {kAlpha, "rogue.example"},
                                                                {kAlpha, kAlpha},
                                                                {kAlpha, kGamma},
                                                                {kAlpha, ""}}) {
    RelayedEvent event = at.event;
    event.mutable_path()->Assign(path.begin(), path.end());
    EXPECT_THAT(AtGamma(event), HasReason(Reason::kAttestationInvalid));
  }
  // Sent to beta, and passed on by another.
  RelayedEvent event = at.event;
  event.set_path(1, "delta.example");
  EXPECT_THAT(AtGamma(event), HasReason(Reason::kAttestationInvalid));
}

TEST_F(ChainTest, KeysHaveToBeTrustedAndOfTheDomain) {
  Holding at = OverBeta(true);
  keys_.Forget(kAlpha);
  EXPECT_THAT(AtGamma(at.event), HasReason(Reason::kAttestationUnproven));
  keys_.Forget("none");
  CDGATE_EXPECT_OK(AtGamma(at.event));
  // Rogue signs for alpha.
  Statement statement = Read(at.event.statements(1));
  statement.set_key_id(test::AttestorOf("rogue.example").key_id);
  at.event.set_statements(1, statement.SerializeAsString());
  EXPECT_THAT(AtGamma(at.event), HasReason(Reason::kAttestationUnproven));
}

TEST_F(ChainTest, WhatIsSignedOutsideTheValidityOfTheKeyIsUnproven) {
  const Holding first =
      Send(Accept(kAlpha, StoryEvent(), true),
           {.to = kBeta, .onward = 2, .sign_time_nanos = 1'900'000'000'000'000'000});
  const Holding at = Send(first, {.to = kGamma});
  EXPECT_THAT(AtGamma(at.event), HasReason(Reason::kAttestationUnproven));
}

TEST_F(ChainTest, WhatADomainOnTheWayChangedShows) {
  const Holding at = OverBeta(true, {.to = kGamma, .onward = 1, .redact = {"customData.team"}});
  const auto with = [&](auto&& change) {
    RelayedEvent event = at.event;
    change(&event);
    return AtGamma(event);
  };
  const auto data = [](RelayedEvent* event, absl::string_view from, absl::string_view to) {
    io::cloudevents::v1::CloudEvent cloud_event;
    ASSERT_TRUE(cloud_event.ParseFromString(event->cloud_event()));
    const std::string changed = absl::StrReplaceAll(cloud_event.binary_data(), {{from, to}});
    ASSERT_NE(changed, cloud_event.binary_data());
    cloud_event.set_binary_data(changed);
    event->set_cloud_event(test::Canonical(cloud_event));
  };
  CDGATE_EXPECT_OK(with([](RelayedEvent*) {}));
  EXPECT_THAT(with([&](RelayedEvent* e) { data(e, "1.50", "2.50"); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([&](RelayedEvent* e) { data(e, "\"cost\"", "\"team\": 1, \"cost\""); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([](RelayedEvent* e) { e->clear_field_proof(); }),
              HasReason(Reason::kAttestationUnproven));
  EXPECT_THAT(with([](RelayedEvent* e) { e->set_salt(std::string(16, 's')); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([](RelayedEvent* e) { e->set_origin("rogue.example"); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([](RelayedEvent* e) { e->set_classification("TLP:CLEAR"); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([](RelayedEvent* e) { e->set_plane("cd"); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([](RelayedEvent* e) { e->set_accepted_time_nanos(1); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([](RelayedEvent* e) { e->set_commitment(std::string(32, 'c')); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([](RelayedEvent* e) { e->set_notes(0); }),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(with([](RelayedEvent* e) { e->set_notes(256 | 1); }),
              HasReason(Reason::kAttestationInvalid));
}

TEST_F(ChainTest, TermsOnlyBecomeNarrower) {
  const auto judge = [&](const test::Sending& first, const test::Sending& second) {
    return AtGamma(Send(Send(Accept(kAlpha, StoryEvent(), true), first), second).event);
  };
  const test::Sending narrow{
      .to = kBeta, .onward = 2, .groups = {"g@a", "h@a"}, .classification = "TLP:GREEN"};
  CDGATE_EXPECT_OK(
      judge(narrow, {.to = kGamma, .onward = 1, .groups = {"h@a"}, .classification = "TLP:AMBER"}));
  const test::Sending as_before{
      .to = kGamma, .onward = 1, .groups = {"g@a"}, .classification = "TLP:GREEN"};
  CDGATE_EXPECT_OK(judge(narrow, as_before));
  test::Sending wider = as_before;
  wider.onward = 2;
  EXPECT_THAT(judge(narrow, wider), HasReason(Reason::kAttestationInvalid));
  wider = as_before;
  wider.groups = {};
  EXPECT_THAT(judge(narrow, wider), HasReason(Reason::kAttestationInvalid));
  wider.groups = {"g@a", "other@b"};
  EXPECT_THAT(judge(narrow, wider), HasReason(Reason::kAttestationInvalid));
  wider = as_before;
  wider.classification = "TLP:CLEAR";
  EXPECT_THAT(judge(narrow, wider), HasReason(Reason::kAttestationInvalid));
  wider.classification = "";
  EXPECT_THAT(judge(narrow, wider), HasReason(Reason::kAttestationInvalid));
  wider.classification = "made up";
  EXPECT_THAT(judge(narrow, wider), HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(judge({.to = kBeta, .onward = 0}, {.to = kGamma}),
              test::HasReasonAndMessage(Reason::kAttestationInvalid, HasSubstr("crossings")));
}

TEST_F(ChainTest, TermsInTheMiddleAreJudgedToo) {
  Holding at = Send(Accept(kAlpha, StoryEvent(), true), {.to = kBeta, .onward = 2});
  at = Send(at, {.to = kGamma, .onward = 5});
  at = Send(at, {.to = "delta.example", .onward = 0});
  EXPECT_THAT(At("delta.example", at.event), HasReason(Reason::kAttestationInvalid));
}

TEST_F(ChainTest, OneSignatureIsVerifiedOnceAndItsKeyAskedForAlways) {
  const Holding at = OverBeta(true);
  CDGATE_EXPECT_OK(AtGamma(at.event));
  const int asked = keys_.asked();
  CDGATE_EXPECT_OK(AtGamma(at.event));
  EXPECT_EQ(keys_.asked(), 2 * asked);
  keys_.Forget(kAlpha);
  EXPECT_THAT(AtGamma(at.event), HasReason(Reason::kAttestationUnproven));
}

// What is committed to of an event.
std::vector<std::pair<std::string, std::string>> FieldsOf(const std::string& cloud_event) {
  event::CloudEventView view;
  event::FieldReader reader;
  std::vector<std::pair<std::string, std::string>> out;
  if (!view.Assign(cloud_event)) return out;
  for (reader.Start(view); reader.Next();) {
    out.emplace_back(std::string(reader.name()), std::string(reader.value()));
  }
  return out;
}

// Of all that came, each bit. What the chain does not look at the sender's own statement covers.
// Hops follow from the path and other notes are the receiver's own; source, type and version of
// the CloudEvent are those of its data, which admission sees to.
TEST_F(ChainTest, EveryFlippedBitShows) {
  const Holding at = OverBeta(true, {.to = kGamma, .onward = 1, .redact = {"customData.team"}});
  const std::string bytes = at.event.SerializeAsString();
  const auto fields = FieldsOf(at.event.cloud_event());
  event::JsonParser parser;
  const google::protobuf::LogSilencer silent;  // of texts that are no UTF-8 any more
  size_t judged = 0;
  for (size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string flipped = bytes;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << i % 8));
    Holding other = at;
    event::CloudEventView view;
    if (!other.event.ParseFromString(flipped) || !view.Assign(other.event.cloud_event()) ||
        !parser.ParseIJson(view.data()).ok()) {
      continue;
    }
    ++judged;
    RelayedEvent same = other.event;
    same.set_hops(at.event.hops());
    same.set_notes(at.event.notes());
    same.DiscardUnknownFields();
    if (FieldsOf(same.cloud_event()) == fields) same.set_cloud_event(at.event.cloud_event());
    const bool shows = !AtGamma(other.event).ok() || !test::VerifySent(other, &verifier_).ok();
    EXPECT_TRUE(shows || same.SerializeAsString() == bytes) << "bit " << i;
  }
  EXPECT_GT(judged, 3000u);
}

TEST(ProofTextTest, NamesEach) {
  EXPECT_EQ(ProofText(Proof::kDirect), "direct");
  EXPECT_EQ(ProofText(Proof::kUnaltered), "unaltered");
  EXPECT_EQ(ProofText(Proof::kFields), "fields");
  EXPECT_EQ(ProofText(Proof::kOriginExport), "origin export");
}

}  // namespace
}  // namespace cdgate::attestation
