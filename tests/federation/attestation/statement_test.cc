#include "federation/attestation/statement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "federation/attestation/signed_text.h"
#include "tests/federation/attestation/attestors.h"
#include "tests/federation/attestation/story.h"
#include "tests/support/status_matchers.h"

namespace cdgate::attestation {
namespace {

using base::Reason;
using federation::v1::Statement;
using test::HasReason;

constexpr char kAlpha[] = "alpha.example";

class StatementTest : public testing::Test {
 protected:
  StatementTest() {
    EXPECT_TRUE(origin_.ParseFromString(holding_.event.statements(0)));
    EXPECT_TRUE(export_.ParseFromString(holding_.statement));
  }

  static absl::Status Reread(const Statement& statement) {
    Statement read;
    return ReadStatement(statement.SerializeAsString(), &read);
  }
  EventClaim Claim() const {
    return {.origin = holding_.event.origin(),
            .commitment = holding_.event.commitment(),
            .accepted_time_nanos = holding_.event.accepted_time_nanos(),
            .plane = holding_.event.plane(),
            .classification = holding_.event.classification()};
  }
  absl::Status Origin(const Statement& statement) {
    return verifier_.VerifyOrigin(statement, Claim(), false, Digest{});
  }
  absl::Status Export(const Statement& statement) {
    return verifier_.VerifyExport(statement, Claim(),
                                  verifier_.leaves().Hash(holding_.event.statements(0)));
  }

  const test::Holding holding_ =
      test::Send(test::Accept(kAlpha, test::StoryEvent(), true),
                 {.to = "beta.example", .onward = 1, .groups = {"g@alpha.example"}});
  Statement origin_, export_;
  test::FakeKeys keys_;
  StatementVerifier verifier_{keys_};
};

TEST_F(StatementTest, WhatWasMadeIsReadAndVerifies) {
  CDGATE_EXPECT_OK(Reread(origin_));
  CDGATE_EXPECT_OK(Reread(export_));
  CDGATE_EXPECT_OK(Origin(origin_));
  CDGATE_EXPECT_OK(Export(export_));
  EXPECT_THAT(Origin(export_), HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(Export(origin_), HasReason(Reason::kAttestationInvalid));
}

TEST_F(StatementTest, WhatIsOutOfBoundsIsNotRead) {
  Statement read;
  EXPECT_THAT(ReadStatement("", &read), HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(ReadStatement("\xff\xff", &read), HasReason(Reason::kAttestationInvalid));
  using Change = std::function<void(Statement*)>;
  for (const Change& change : std::vector<Change>{
           [](Statement* s) { s->clear_domain(); },
           [](Statement* s) { s->set_domain(std::string(256, 'd')); },
           [](Statement* s) { s->set_key_id(std::string(31, 'k')); },
           [](Statement* s) { s->clear_signature(); },
           [](Statement* s) { s->set_signature(std::string(73, 's')); },
           [](Statement* s) { s->clear_leaf_salt(); },
           [](Statement* s) { s->set_leaf_salt(std::string(17, 's')); },
           [](Statement* s) { s->set_path(std::string(33, 'p')); },
           [](Statement* s) { s->set_path(std::string(13 * 32, 'p')); },
           [](Statement* s) { s->set_index(1u << (s->path().size() / 32)); },
           [](Statement* s) { s->mutable_export_()->clear_receiver(); },
           [](Statement* s) { s->mutable_export_()->set_link("l"); },
           [](Statement* s) { s->mutable_export_()->clear_attributes_digest(); },
           [](Statement* s) { s->mutable_export_()->clear_content_digest(); },
           [](Statement* s) { s->mutable_export_()->set_changes(std::string(33, 'c')); },
           [](Statement* s) {
             s->mutable_export_()->mutable_terms()->add_groups(std::string(70'000, 'g'));
           }}) {
    Statement changed = export_;
    change(&changed);
    EXPECT_THAT(Reread(changed), HasReason(Reason::kAttestationInvalid))
        << changed.ShortDebugString();
  }
}

TEST_F(StatementTest, EveryPartIsCovered) {
  using Change = std::function<void(Statement*)>;
  for (const Change& change : std::vector<Change>{
           [](Statement* s) { s->set_sign_time_nanos(s->sign_time_nanos() + 1); },
           [](Statement* s) { s->set_index(s->index() ^ 1); },
           [](Statement* s) { (*s->mutable_leaf_salt())[3] ^= 1; },
           [](Statement* s) { (*s->mutable_path())[40] ^= 1; },
           [](Statement* s) { (*s->mutable_signature())[5] ^= 1; },
           [](Statement* s) { s->mutable_export_()->set_receiver("gamma.example"); },
           [](Statement* s) { (*s->mutable_export_()->mutable_link())[0] ^= 1; },
           [](Statement* s) { (*s->mutable_export_()->mutable_attributes_digest())[0] ^= 1; },
           [](Statement* s) { (*s->mutable_export_()->mutable_content_digest())[0] ^= 1; },
           [](Statement* s) { (*s->mutable_export_()->mutable_changes())[0] ^= 1; },
           [](Statement* s) { s->mutable_export_()->mutable_terms()->set_onward(2); },
           [](Statement* s) { s->mutable_export_()->mutable_terms()->clear_groups(); },
           [](Statement* s) { s->mutable_export_()->mutable_terms()->set_classification("x"); }}) {
    Statement changed = export_;
    change(&changed);
    EXPECT_THAT(Export(changed), HasReason(Reason::kAttestationInvalid))
        << changed.ShortDebugString();
  }
}

TEST_F(StatementTest, TheClaimIsWhatIsKnownOfTheEvent) {
  EventClaim other = Claim();
  other.accepted_time_nanos += 1;
  EXPECT_THAT(verifier_.VerifyOrigin(origin_, other, false, Digest{}),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(verifier_.VerifyOrigin(origin_, Claim(), true, Digest{}),
              HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(verifier_.VerifyExport(export_, Claim(), Digest{}),
              HasReason(Reason::kAttestationInvalid));
  other = Claim();
  other.origin = "beta.example";
  EXPECT_THAT(verifier_.VerifyOrigin(origin_, other, false, Digest{}),
              HasReason(Reason::kAttestationInvalid));
}

TEST_F(StatementTest, BothKindsOfKeysSignReceipts) {
  for (const char* receiver : {"alpha.example", "gamma.example"}) {
    const test::TestAttestor& attestor = test::AttestorOf(receiver);
    ReceiptClaim claim{.receiver = receiver,
                       .sender = "beta.example",
                       .agreement = "a",
                       .link_epoch = "e",
                       .position = 9,
                       .digest = {},
                       .sign_time_nanos = test::kSignTime};
    const std::string signature = attestor.Sign(ReceiptText(claim));
    const auto verify = [&] {
      return verifier_.VerifySignature(receiver, attestor.key_id, claim.sign_time_nanos,
                                       ReceiptText(claim), signature);
    };
    CDGATE_EXPECT_OK(verify());
    claim.position = 10;
    EXPECT_THAT(verify(), HasReason(Reason::kAttestationInvalid));
  }
}

}  // namespace
}  // namespace cdgate::attestation
