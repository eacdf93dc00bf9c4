// Signatures of producers: of an event as it was signed, of one that was changed, of another key,
// and envelopes that are none.
#include "federation/attestation/producer_signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "auth/crypto/signature.h"
#include "tests/federation/attestation/producer.h"
#include "tests/support/status_matchers.h"

namespace cdgate::attestation {
namespace {

using base::Reason;
using test::HasReasonAndMessage;
using test::Producer;
using test::ProducerEvent;
using test::SignatureOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProducerSignatureTest : public ::testing::TestWithParam<crypto::KeyType> {
 protected:
  absl::StatusOr<ProducerSignature> Verify(const io::cloudevents::v1::CloudEvent& event) {
    const std::string bytes = event.SerializeAsString();
    event::CloudEventView view;
    EXPECT_TRUE(view.Assign(bytes));
    return VerifyProducer(view, {other_.public_key, producer_.public_key});
  }

  io::cloudevents::v1::CloudEvent Signed(const std::vector<std::string>& names = {}) {
    io::cloudevents::v1::CloudEvent event = ProducerEvent();
    (*event.mutable_attributes())["dssematerial"].set_ce_bytes(
        SignatureOf(event, names, producer_));
    return event;
  }

  const Producer producer_ = Producer::Make(GetParam());
  const Producer other_ = Producer::Make(GetParam());
};

TEST_P(ProducerSignatureTest, AnEventAsItWasSigned) {
  const auto found = Verify(Signed());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->key, 1u);
  EXPECT_TRUE(found->attributes.empty());
}

TEST_P(ProducerSignatureTest, ExtensionsThatAreCovered) {
  auto event = Signed({"priority", "absent", "urgent"});
  const auto found = Verify(event);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->attributes, ElementsAre("priority", "absent", "urgent"));
  (*event.mutable_attributes())["priority"].set_ce_integer(4);
  EXPECT_THAT(Verify(event).status(),
              HasReasonAndMessage(Reason::kAttestationInvalid, HasSubstr("other extension")));
}

TEST_P(ProducerSignatureTest, WhatIsNotCoveredMayChange) {
  auto event = Signed({"urgent"});
  (*event.mutable_attributes())["priority"].set_ce_integer(4);
  EXPECT_TRUE(Verify(event).ok());
}

TEST_P(ProducerSignatureTest, AnyChangeOfWhatItSignedIsSeen) {
  const auto changed = [this](auto change) {
    io::cloudevents::v1::CloudEvent event = Signed();
    change(event);
    return Verify(event).status();
  };
  const auto is_other =
      HasReasonAndMessage(Reason::kAttestationInvalid, HasSubstr("another content"));
  EXPECT_THAT(changed([](auto& event) { event.set_id("2"); }), is_other);
  EXPECT_THAT(changed([](auto& event) { event.set_source("/other"); }), is_other);
  EXPECT_THAT(changed([](auto& event) { event.set_type("other"); }), is_other);
  EXPECT_THAT(changed([](auto& event) { event.set_binary_data("{ }"); }), is_other);
  EXPECT_THAT(changed([](auto& event) { event.mutable_attributes()->erase("subject"); }), is_other);
  EXPECT_THAT(changed([](auto& event) {
                (*event.mutable_attributes())["time"].mutable_ce_timestamp()->set_seconds(1);
              }),
              is_other);
}

TEST_P(ProducerSignatureTest, ATimeCountsToTheSecond) {
  auto event = Signed();
  (*event.mutable_attributes())["time"].mutable_ce_timestamp()->set_nanos(5);
  EXPECT_TRUE(Verify(event).ok());
}

TEST_P(ProducerSignatureTest, AnotherKeyProvesNothing) {
  auto event = ProducerEvent();
  const Producer third = Producer::Make(GetParam());
  (*event.mutable_attributes())["dssematerial"].set_ce_bytes(SignatureOf(event, {}, third));
  EXPECT_THAT(Verify(event).status(),
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("none of the keys")));
}

TEST_P(ProducerSignatureTest, NoSignatureProvesNothing) {
  EXPECT_THAT(Verify(ProducerEvent()).status(),
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("no dssematerial")));
}

TEST_P(ProducerSignatureTest, AnEnvelopeInBase64AsOlderDraftsHaveIt) {
  auto event = ProducerEvent();
  (*event.mutable_attributes())["dssematerial"].set_ce_string(
      absl::Base64Escape(SignatureOf(event, {}, producer_)));
  EXPECT_TRUE(Verify(event).ok());
}

TEST_P(ProducerSignatureTest, WhatIsMalformedIsInvalid) {
  const auto of = [this](const std::string& material) {
    auto event = ProducerEvent();
    (*event.mutable_attributes())["dssematerial"].set_ce_bytes(material);
    return Verify(event).status();
  };
  const auto envelope = [](absl::string_view payload, absl::string_view rest) {
    return absl::StrCat(
        R"({"payloadType":"https://cloudevents.io/verifiability/dsse/v0.1","payload":")",
        absl::Base64Escape(payload), R"(")", rest, "}");
  };
  const std::string signature = R"(,"signatures":[{"sig":"AAAA"}])";
  const std::string core = absl::Base64Escape(std::string(32, 'c'));
  const auto invalid = [](absl::string_view what) {
    return HasReasonAndMessage(Reason::kAttestationInvalid, HasSubstr(std::string(what)));
  };
  EXPECT_THAT(of("no JSON"), invalid("no DSSE envelope"));
  EXPECT_THAT(of("{}"), invalid("payload type"));
  EXPECT_THAT(of(envelope("{}", signature)), invalid("no digest"));
  EXPECT_THAT(of(envelope("{}", "")), invalid("signatures"));
  EXPECT_THAT(of(envelope("{}", R"(,"signatures":[{"sig":"!"}])")), invalid("not base64"));
  EXPECT_THAT(
      of(envelope(absl::StrCat(R"({"core":")", core, R"(","ext":")", core, R"("})"), signature)),
      invalid("go together"));
  for (const char* name : {"id", "dssematerial", "twice\",\"twice"}) {
    EXPECT_THAT(of(envelope(absl::StrCat(R"({"core":")", core, R"(","ext":")", core,
                                         R"(","signedextattrs":[")", name, R"("]})"),
                            signature)),
                invalid("signedextattrs"));
  }
  EXPECT_THAT(of(std::string(kMaxProducerMaterialBytes + 1, ' ')), invalid("too long"));
}

INSTANTIATE_TEST_SUITE_P(Keys, ProducerSignatureTest,
                         ::testing::Values(crypto::KeyType::kP256, crypto::KeyType::kEd25519));

TEST(PublicKeyTest, FromPem) {
  // Of RFC 8410, 10.1.
  EXPECT_TRUE(
      crypto::PublicKey::FromPem("-----BEGIN PUBLIC KEY-----\n"
                                 "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                 "-----END PUBLIC KEY-----\n")
          .ok());
  EXPECT_THAT(crypto::PublicKey::FromPem("no key").status(),
              HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("public key")));
}

TEST(PreAuthenticationEncodingTest, TheVectorOfTheDsseProtocol) {
  EXPECT_EQ(PreAuthenticationEncoding("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

}  // namespace
}  // namespace cdgate::attestation
