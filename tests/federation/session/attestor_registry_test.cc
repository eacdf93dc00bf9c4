#include "federation/session/attestor_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "auth/trust/deny_list.h"
#include "gateway/base/encoding.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/support/test_ca.h"

namespace cdgate::session {
namespace {

using base::Reason;
using crypto::Certificate;
using federation::v1::AttestorCertificate;
using federation::v1::Attestors;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

constexpr char kAlpha[] = "alpha.example";
constexpr char kBeta[] = "beta.example";
constexpr char kGamma[] = "gamma.example";

AttestorCertificate Sent(const crypto::IssuedCertificate& issued) {
  AttestorCertificate out;
  const auto chain = Certificate::ParsePemChain(issued.certificate_pem).value();
  for (const Certificate& certificate : chain) out.add_certificates(certificate.ToDer());
  return out;
}

Attestors Frame(const std::vector<crypto::IssuedCertificate>& all) {
  Attestors frame;
  for (const auto& issued : all) *frame.add_attestors() = Sent(issued);
  return frame;
}

std::string KeyId(const crypto::IssuedCertificate& issued) {
  return Certificate::FromPem(issued.certificate_pem)->FingerprintSha256();
}

// alpha is ours, beta a peer; gamma has no bundle here.
class AttestorRegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    CDGATE_ASSERT_OK(trust_.Replace(kAlpha, alpha_.bundle_pem(), {}));
    CDGATE_ASSERT_OK(trust_.Replace(kBeta, beta_.bundle_pem(), {}));
    Open();
  }
  // The registry is told of what is on disk for as long as the store runs.
  void TearDown() override { world_.store->Shutdown(); }
  void Open(size_t max_attestors = 4096) {
    registry_ = AttestorRegistry::Open({.domain = kAlpha,
                                        .store = *world_.store,
                                        .trust = trust_,
                                        .origins = origins_,
                                        .clock = world_.clock,
                                        .max_attestors = max_attestors})
                    .value();
  }
  // The process ends, and another begins on the same disk.
  void Restart() {
    Settle();
    registry_.reset();
    world_.Close();
    world_.Open();
    Open();
  }
  // What was proposed before is on disk when this returns.
  void Settle() {
    CDGATE_ASSERT_OK(world_.Apply(test::Resource("test", absl::StrCat("n", ++settled_), "x")));
  }
  absl::Status Take(const std::vector<crypto::IssuedCertificate>& all) {
    return registry_->Take(kBeta, Frame(all));
  }
  absl::Status Find(const std::string& domain, const crypto::IssuedCertificate& issued) {
    return Find(domain, issued, world_.clock.Now());
  }
  absl::Status Find(const std::string& domain, const crypto::IssuedCertificate& issued,
                    absl::Time sign_time) {
    return registry_->Find(domain, KeyId(issued), sign_time).status();
  }
  size_t OnDisk() {
    Settle();
    return world_.store->Resources()->List(state::kAttestorKind).size();
  }
  void Deny(trust::DenialKind kind, const std::string& subject) {
    trust_.SetDenied(
        trust::DenyList::Compile({{.name = "stolen", .kind = kind, .subject = subject}}).value());
  }

  test::StoreWorld world_;
  const test::TestCa alpha_{kAlpha, world_.clock.Now()};
  const test::TestCa beta_{kBeta, world_.clock.Now()};
  const test::TestCa gamma_{kGamma, world_.clock.Now()};
  trust::TrustRegistry trust_;
  trust::TrustRegistry origins_;
  std::unique_ptr<AttestorRegistry> registry_;
  int settled_ = 0;
};

TEST_F(AttestorRegistryTest, WhatWasTakenIsFoundAtOnceAndAfterARestart) {
  const auto issued = beta_.Attestor("a1");
  EXPECT_THAT(Find(kBeta, issued),
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("it is not known")));
  CDGATE_ASSERT_OK(Take({issued}));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto found,
                              registry_->Find(kBeta, KeyId(issued), world_.clock.Now()));
  EXPECT_EQ(found->certificate().FingerprintSha256(), KeyId(issued));
  Restart();
  CDGATE_EXPECT_OK(Find(kBeta, issued));
  ASSERT_TRUE(registry_->ChainOf(KeyId(issued)).has_value());
  EXPECT_EQ(registry_->ChainOf(KeyId(issued))->SerializeAsString(),
            Sent(issued).SerializeAsString());
  EXPECT_FALSE(registry_->ChainOf(std::string(32, 'x')).has_value());
}

TEST_F(AttestorRegistryTest, WhatIsKnownIsNotStoredAgain) {
  const auto issued = beta_.Attestor("a1");
  CDGATE_ASSERT_OK(Take({issued, issued}));
  Settle();
  CDGATE_ASSERT_OK(Take({issued}));
  EXPECT_EQ(OnDisk(), 1u);
  const auto stored =
      world_.store->Resources()->Find(state::kAttestorKind, base::HexEncode(KeyId(issued)));
  ASSERT_NE(stored, nullptr);
  EXPECT_EQ(stored->version, 1u);
  EXPECT_EQ(stored->author, kBeta);
}

TEST_F(AttestorRegistryTest, OursIsKeptAndSaysSo) {
  const auto issued = alpha_.Attestor("a1");
  const auto leaf = Certificate::FromPem(issued.certificate_pem).value();
  registry_->TakeOwn({.key_id = KeyId(issued),
                      .id = "spiffe://alpha.example/attestor/a1",
                      .certificates = {leaf.ToDer()},
                      .not_before = leaf.not_before(),
                      .not_after = leaf.not_after()});
  CDGATE_EXPECT_OK(Find(kAlpha, issued));
  Restart();
  const auto all = registry_->List("", 10);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(all[0].own);
  EXPECT_EQ(all[0].received_from, "");
  EXPECT_EQ(all[0].id, "spiffe://alpha.example/attestor/a1");
}

TEST_F(AttestorRegistryTest, OneDomainsAttestorNeverSpeaksForAnother) {
  const auto issued = beta_.Attestor("a1");
  CDGATE_ASSERT_OK(Take({issued}));
  EXPECT_THAT(Find(kAlpha, issued),
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("of another domain")));
  // Made by beta's CA under alpha's name.
  crypto::LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/attestor/a1"};
  request.use = crypto::LeafUse::kStatements;
  const auto forged = beta_.ca().Issue(request, world_.clock.Now()).value();
  EXPECT_THAT(Take({forged}), HasReason(Reason::kAttestationUnproven));
  EXPECT_THAT(Find(kAlpha, forged), HasReason(Reason::kAttestationUnproven));
}

TEST_F(AttestorRegistryTest, WhatIsNoAttestorIsRefusedAndTheOthersAreTaken) {
  const auto good = beta_.Attestor("a1");
  const auto gateway = beta_.Gateway("gw1");
  const auto connects = beta_.Leaf({"spiffe://beta.example/attestor/a2"});
  const auto of_another_ca = test::TestCa(kBeta, world_.clock.Now()).Attestor("a3");
  const auto taken = Take({gateway, connects, of_another_ca, good});
  EXPECT_THAT(taken, HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("no attestor")));
  EXPECT_THAT(base::MetadataOf(taken), AllOf(Contains(Pair("cause", "CERTIFICATE_WRONG_USE")),
                                             Contains(Pair("domain", kBeta))));
  CDGATE_EXPECT_OK(Find(kBeta, good));
  for (const auto& bad : {gateway, connects, of_another_ca}) {
    EXPECT_THAT(Find(kBeta, bad), HasReason(Reason::kAttestationUnproven));
  }
  EXPECT_EQ(OnDisk(), 1u);
  Attestors garbage;
  garbage.add_attestors()->add_certificates("garbage");
  EXPECT_THAT(registry_->Take(kBeta, garbage), HasReason(Reason::kAttestationUnproven));
}

TEST_F(AttestorRegistryTest, AFrameBeyondItsBoundsIsRefusedWhole) {
  const auto good = beta_.Attestor("a1");
  Attestors many;
  for (int i = 0; i <= kMaxAttestorsOfFrame; ++i) *many.add_attestors() = Sent(good);
  Attestors empty = Frame({good});
  empty.add_attestors();
  Attestors deep = Frame({good});
  for (int i = 0; i < 4; ++i) {
    deep.mutable_attestors(0)->add_certificates(deep.attestors(0).certificates(0));
  }
  Attestors large = Frame({good});
  large.mutable_attestors(0)->add_certificates(std::string(8 << 10, 'x'));
  for (const Attestors& frame : {many, empty, deep, large}) {
    EXPECT_THAT(registry_->Take(kBeta, frame), HasReason(Reason::kProtocolError));
  }
  EXPECT_THAT(Find(kBeta, good), HasReason(Reason::kAttestationUnproven));
}

TEST_F(AttestorRegistryTest, TheTimeOfSigningDecidesAndNotNow) {
  const absl::Time start = world_.clock.Now();
  const auto issued = beta_.Attestor("a1");  // a day
  CDGATE_ASSERT_OK(Take({issued}));
  CDGATE_EXPECT_OK(Find(kBeta, issued, start - absl::Minutes(5)));
  EXPECT_THAT(Find(kBeta, issued, start - absl::Minutes(6)),
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("valid from")));
  world_.clock.Advance(absl::Hours(24 * 30));
  trust_.TimePassed();
  CDGATE_EXPECT_OK(Find(kBeta, issued, start + absl::Hours(24)));
  EXPECT_THAT(Find(kBeta, issued, start + absl::Hours(25)),
              HasReason(Reason::kAttestationUnproven));
  // Also one that had ended before it came.
  const auto old = beta_.Attestor("a0");
  CDGATE_EXPECT_OK(Take({old}));
  CDGATE_EXPECT_OK(Find(kBeta, old, start));
}

TEST_F(AttestorRegistryTest, RevocationAndDenialCountAtOnceAndForWhatWasSignedBefore) {
  const auto a1 = beta_.Attestor("a1");
  const auto a2 = beta_.Attestor("a2");
  CDGATE_ASSERT_OK(Take({a1, a2}));
  CDGATE_EXPECT_OK(Find(kBeta, a1));
  CDGATE_ASSERT_OK(
      trust_.Replace(kBeta, beta_.bundle_pem(), {beta_.CrlRevoking(a1.certificate_pem)}));
  const absl::Status revoked = Find(kBeta, a1);
  EXPECT_THAT(revoked, HasReason(Reason::kAttestationUnproven));
  EXPECT_THAT(base::MetadataOf(revoked), Contains(Pair("cause", "CERTIFICATE_REVOKED")));
  CDGATE_EXPECT_OK(Find(kBeta, a2));
  const std::string serial = Certificate::FromPem(a2.certificate_pem)->serial();
  for (const auto& [kind, subject] :
       {std::pair(trust::DenialKind::kSerial, absl::StrCat("beta.example/", serial)),
        std::pair(trust::DenialKind::kPrincipal, std::string("spiffe://beta.example/attestor/a2")),
        std::pair(trust::DenialKind::kDomain, std::string(kBeta))}) {
    Deny(kind, subject);
    EXPECT_THAT(base::MetadataOf(Find(kBeta, a2)), Contains(Pair("cause", "CERTIFICATE_DENIED")))
        << subject;
  }
  Deny(trust::DenialKind::kDomain, kGamma);
  CDGATE_EXPECT_OK(Find(kBeta, a2));
  trust_.Remove(kBeta);
  EXPECT_THAT(Find(kBeta, a2), HasReason(Reason::kAttestationUnproven));
}

TEST_F(AttestorRegistryTest, AnUnknownDomainIsRefusedUntilItsBundleIsSet) {
  const auto issued = gamma_.Attestor("a1");
  EXPECT_THAT(Take({issued}), HasReasonAndMessage(Reason::kAttestationUnproven,
                                                  HasSubstr("cdgate trust set gamma.example")));
  EXPECT_THAT(Find(kGamma, issued), HasReason(Reason::kAttestationUnproven));
  EXPECT_EQ(OnDisk(), 0u);
  // Without its coming again.
  CDGATE_ASSERT_OK(trust_.Replace(kGamma, gamma_.bundle_pem(), {}));
  CDGATE_EXPECT_OK(Find(kGamma, issued));
  EXPECT_EQ(OnDisk(), 1u);
  EXPECT_EQ(registry_->List("", 10).at(0).received_from, kBeta);
}

TEST_F(AttestorRegistryTest, WhoWaitsIsBounded) {
  std::vector<crypto::IssuedCertificate> all;
  for (int i = 0; i < 70; ++i) {
    all.push_back(gamma_.Attestor(absl::StrCat("a", i)));
    EXPECT_THAT(Take({all.back()}), HasReason(Reason::kAttestationUnproven));
    world_.clock.Advance(absl::Seconds(1));
  }
  CDGATE_ASSERT_OK(trust_.Replace(kGamma, gamma_.bundle_pem(), {}));
  EXPECT_THAT(Find(kGamma, all[0]), HasReason(Reason::kAttestationUnproven)) << "the oldest went";
  CDGATE_EXPECT_OK(Find(kGamma, all[69], world_.clock.Now()));
}

TEST_F(AttestorRegistryTest, TheOldestThatHasEndedMakesRoomAndNothingElseDoes) {
  Open(64);  // four of a domain
  const absl::Time start = world_.clock.Now();
  const auto a0 = beta_.Attestor("a0", start, absl::Hours(1));
  const auto a1 = beta_.Attestor("a1", start, absl::Hours(1));
  const auto a2 = beta_.Attestor("a2");
  const auto a3 = beta_.Attestor("a3");
  CDGATE_ASSERT_OK(Take({a0, a1, a2, a3}));
  Settle();
  const auto a4 = beta_.Attestor("a4");
  EXPECT_THAT(Take({a4}), HasReasonAndMessage(Reason::kQuota, HasSubstr("beta.example")));
  world_.clock.Advance(absl::Hours(2));
  CDGATE_EXPECT_OK(Find(kBeta, a0, start));  // it is used
  CDGATE_ASSERT_OK(Take({a4}));
  EXPECT_THAT(Find(kBeta, a1, start), HasReason(Reason::kAttestationUnproven));
  for (const auto& kept : {a0, a2, a3, a4}) CDGATE_EXPECT_OK(Find(kBeta, kept, start));
  EXPECT_EQ(OnDisk(), 4u);
  // Another domain has room of its own.
  CDGATE_ASSERT_OK(trust_.Replace(kGamma, gamma_.bundle_pem(), {}));
  CDGATE_EXPECT_OK(Take({gamma_.Attestor("a1")}));
}

TEST_F(AttestorRegistryTest, IsListedByDomainInPages) {
  CDGATE_ASSERT_OK(trust_.Replace(kGamma, gamma_.bundle_pem(), {}));
  const auto b1 = beta_.Attestor("b1");
  CDGATE_ASSERT_OK(Take({gamma_.Attestor("g1"), b1, alpha_.Attestor("a1")}));
  Deny(trust::DenialKind::kDomain, kGamma);
  const auto first = registry_->List("", 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].domain, kAlpha);
  EXPECT_EQ(first[1].domain, kBeta);
  EXPECT_EQ(first[1].first_seen, world_.clock.Now());
  CDGATE_EXPECT_OK(first[1].state);
  const auto rest =
      registry_->List(absl::StrCat(first[1].domain, " ", base::HexEncode(first[1].key_id)), 2);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].domain, kGamma);
  EXPECT_THAT(rest[0].state, HasReason(Reason::kCertificateDenied));
  const std::string hex = base::HexEncode(KeyId(b1));
  ASSERT_EQ(registry_->FindByPrefix(hex.substr(0, 10)).size(), 1u);
  EXPECT_EQ(registry_->FindByPrefix(hex)[0].id, "spiffe://beta.example/attestor/b1");
  EXPECT_EQ(registry_->FindByPrefix("").size(), 2u) << "two tell that it is ambiguous";
  EXPECT_TRUE(registry_->FindByPrefix("zz").empty());
}

TEST_F(AttestorRegistryTest, WhatIsNoAttestorOnDiskIsLeftOut) {
  const auto issued = beta_.Attestor("a1");
  CDGATE_ASSERT_OK(Take({issued}));
  CDGATE_ASSERT_OK(world_.Apply(test::Resource(state::kAttestorKind, "00ff", "garbage")));
  storage::v1::KeptAttestor empty;
  empty.set_domain(kBeta);
  CDGATE_ASSERT_OK(
      world_.Apply(test::Resource(state::kAttestorKind, "01ff", empty.SerializeAsString())));
  Restart();
  EXPECT_EQ(registry_->List("", 10).size(), 1u);
  CDGATE_EXPECT_OK(Find(kBeta, issued));
}

TEST_F(AttestorRegistryTest, WhatCouldNotBeStoredIsTriedAgain) {
  const auto issued = beta_.Attestor("a1");
  world_.store->Shutdown();
  CDGATE_ASSERT_OK(Take({issued}));
  CDGATE_EXPECT_OK(Find(kBeta, issued));
  registry_->Tick();  // refused again, and nothing breaks
  CDGATE_EXPECT_OK(Find(kBeta, issued));
}

TEST_F(AttestorRegistryTest, KeysThatAreMuchUsedArePreparedUntilTheyAreNot) {
  const auto much = beta_.Attestor("a1");
  const auto little = beta_.Attestor("a2");
  CDGATE_ASSERT_OK(Take({much, little}));
  const auto key = [this](const crypto::IssuedCertificate& issued) {
    return registry_->Find(kBeta, KeyId(issued), world_.clock.Now()).value();
  };
  for (int i = 0; i < 32; ++i) EXPECT_FALSE(key(much)->Fits("text", "no signature"));
  EXPECT_FALSE(key(little)->Fits("text", "no signature"));
  EXPECT_FALSE(key(much)->prepared());
  registry_->Tick();
  EXPECT_TRUE(key(much)->prepared());
  EXPECT_FALSE(key(little)->prepared());
  const auto held = key(much);
  world_.clock.Advance(absl::Minutes(61));
  registry_->Tick();
  EXPECT_FALSE(held->prepared());
}

// OpenSSL verifies by it as before, and it keeps no other key from its turn.
TEST_F(AttestorRegistryTest, AKeyThatCannotBePreparedIsLeftAlone) {
  const auto ed25519 =
      beta_.Attestor("a1", world_.clock.Now(), absl::Hours(24), crypto::KeyType::kEd25519);
  const auto p256 = beta_.Attestor("a2");
  CDGATE_ASSERT_OK(Take({ed25519, p256}));
  const auto key = [this](const crypto::IssuedCertificate& issued) {
    return registry_->Find(kBeta, KeyId(issued), world_.clock.Now()).value();
  };
  for (int i = 0; i < 33; ++i) EXPECT_FALSE(key(ed25519)->Fits("text", "no signature"));
  for (int i = 0; i < 32; ++i) EXPECT_FALSE(key(p256)->Fits("text", "no signature"));
  registry_->Tick();
  EXPECT_FALSE(key(ed25519)->prepared());
  registry_->Tick();
  EXPECT_TRUE(key(p256)->prepared());
}

}  // namespace
}  // namespace cdgate::session
