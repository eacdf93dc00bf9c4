#include "gateway/app/attestors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/ca/folder.h"
#include "gateway/base/encoding.h"
#include "gateway/base/file.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/support/manual_executor.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::app {
namespace {

using base::Reason;
using test::HasReason;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The attestor is issued by a CA in a folder, as the gateway's renewal uses it.
class AttestorsTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    ca::AuthorityOptions options;
    options.domain = "alpha.example";
    CDGATE_ASSERT_OK(ca::Folder::Init(dir_.File("ca"), options, {}, world_.clock.Now()));
    bundle_ = base::ReadFile(dir_.File("ca/bundle.pem")).value();
    CDGATE_ASSERT_OK(trust_.Replace("alpha.example", bundle_, {}));
    Install("attestor/a1", crypto::LeafUse::kStatements);
    config_.set_domain("alpha.example");
    config_.set_data_dir(dir_.path());
    config_.mutable_identity()->set_bundle(dir_.File("ca/bundle.pem"));
    config_.mutable_attestor()->set_certificate(dir_.File("tls.crt"));
    config_.mutable_attestor()->set_key(dir_.File("tls.key"));
  }
  void TearDown() override { world_.store->Shutdown(); }

  void Install(const std::string& name, crypto::LeafUse use) {
    crypto::LeafRequest request;
    request.uri_names = {absl::StrCat("spiffe://alpha.example/", name)};
    request.validity = absl::Hours(24 * 9);
    request.use = use;
    const auto folder = ca::Folder::Open(dir_.File("ca"), {}).value();
    const auto leaf = folder->Issue(request, world_.clock.Now()).value();
    CDGATE_ASSERT_OK(ca::WriteKeyAndCertificate(dir_.File("tls.key"), leaf.key_pem,
                                                dir_.File("tls.crt"), leaf.certificate_pem, {}));
  }
  absl::StatusOr<Attestors*> Open() {
    auto opened =
        Attestors::Open({.config = config_,
                         .store = *world_.store,
                         .trust = trust_,
                         .origins = origins_,
                         .clock = world_.clock,
                         .random = base::SystemRandom(),
                         .metrics = world_.metrics,
                         .background = executor_,
                         .on_refused = [this](const absl::Status& why, absl::string_view event) {
                           told_.push_back(absl::StrCat(event, ": ", why.message()));
                         }});
    if (!opened.ok()) return opened.status();
    opened_ = *std::move(opened);
    return opened_.get();
  }
  void Turn(Attestors& attestors) {
    attestors.Upkeep();
    executor_.RunAll();
    attestors.Upkeep();
  }
  double Renewed(const std::string& result) {
    return world_.metrics.AddCounter("cdgate_attestor_renewals_total", "", {{"result", result}})
        .Value();
  }

  test::StoreWorld world_;
  test::TempDir dir_;
  test::ManualExecutor executor_;
  trust::TrustRegistry trust_;
  trust::TrustRegistry origins_;
  std::string bundle_;
  config::v1::GatewayConfig config_;
  std::vector<std::string> told_;
  std::unique_ptr<Attestors> opened_;  // until the store is shut down
};

TEST_F(AttestorsTest, WithoutOneNothingIsSignedAndOthersAreVerified) {
  config_.clear_attestor();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestors, Open());
  EXPECT_EQ(attestors->signer(), nullptr);
  EXPECT_THAT(attestors->Problems(), IsEmpty());
  CDGATE_EXPECT_OK(attestors->Reload());
  attestors->Upkeep();
  attestors->UpdateGauges();
  attestors->Stop();
  EXPECT_TRUE(attestors->registry().List("", 10).empty());
}

TEST_F(AttestorsTest, WhatIsSignedIsFoundInTheRegistry) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestors, Open());
  const auto made = attestors->signer()->Sign("text").value();
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto key, attestors->registry().Find("alpha.example", made.key_id, world_.clock.Now()));
  EXPECT_EQ(key->certificate().FingerprintSha256(), made.key_id);
  attestors->UpdateGauges();
  EXPECT_EQ(world_.metrics.AddGauge("cdgate_attestor_expiry_timestamp_seconds", "").Value(),
            absl::ToDoubleSeconds(key->certificate().not_after() - absl::UnixEpoch()));
}

TEST_F(AttestorsTest, AChangedFileIsTakenOverAndTheOldKeyStaysKnown) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestors, Open());
  const std::string first = attestors->signer()->Current()->key_id;
  Install("attestor/a1", crypto::LeafUse::kStatements);
  attestors->Upkeep();
  const std::string second = attestors->signer()->Current()->key_id;
  EXPECT_NE(second, first);
  for (const std::string& key_id : {first, second}) {
    CDGATE_EXPECT_OK(attestors->registry().Find("alpha.example", key_id, world_.clock.Now()));
  }
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(AttestorsTest, AWrongOneIsAnAlarmUntilItIsMended) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestors, Open());
  const std::string first = attestors->signer()->Current()->key_id;
  Install("gateway/gw1", crypto::LeafUse::kTls);
  attestors->Upkeep();
  attestors->Upkeep();
  EXPECT_EQ(attestors->signer()->Current()->key_id, first);
  EXPECT_THAT(told_, ElementsAre(testing::AllOf(HasSubstr("attestor refused: "),
                                                HasSubstr("it is no attestor"))));
  EXPECT_THAT(attestors->Problems(), ElementsAre(HasSubstr("the last good one signs")));
  Install("attestor/a1", crypto::LeafUse::kStatements);
  attestors->Upkeep();
  EXPECT_THAT(attestors->Problems(), IsEmpty());
  EXPECT_NE(attestors->signer()->Current()->key_id, first);
}

TEST_F(AttestorsTest, AWrongOneEndsTheStart) {
  Install("gateway/gw1", crypto::LeafUse::kTls);
  EXPECT_THAT(Open(), HasReason(Reason::kCredentialsInvalid));
}

TEST_F(AttestorsTest, IsRenewedBeforeItEndsAndLeavesTheBundleAlone) {
  config_.mutable_attestor()->mutable_renewal()->set_ca(dir_.File("ca"));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("bundle.pem"), bundle_));
  config_.mutable_identity()->set_bundle(dir_.File("bundle.pem"));
  // The next root is the affair of who connects.
  CDGATE_ASSERT_OK(ca::Folder::Open(dir_.File("ca"), {}).value()->PrepareNext(world_.clock.Now()));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestors, Open());
  const auto first = attestors->signer()->Current();
  Turn(*attestors);
  EXPECT_EQ(Renewed("renewed"), 0);
  world_.clock.Advance(absl::Hours(24 * 7));
  Turn(*attestors);
  EXPECT_EQ(Renewed("renewed"), 1) << attestors->Problems().size();
  const auto second = attestors->signer()->Current();
  EXPECT_NE(second->key_id, first->key_id);
  EXPECT_EQ(second->id, first->id);
  EXPECT_EQ(attestors->registry().List("", 10).size(), 2u);
  EXPECT_EQ(base::ReadFile(dir_.File("bundle.pem")).value(), bundle_);
  EXPECT_THAT(attestors->Problems(), IsEmpty());
}

TEST_F(AttestorsTest, AFailedRenewalIsAnAlarm) {
  config_.mutable_attestor()->mutable_renewal()->set_ca(dir_.File("elsewhere"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestors, Open());
  world_.clock.Advance(absl::Hours(24 * 7));
  Turn(*attestors);
  EXPECT_EQ(Renewed("failed"), 1);
  EXPECT_THAT(told_, ElementsAre(HasSubstr("attestor not renewed: ")));
  EXPECT_THAT(attestors->Problems(),
              testing::Contains(HasSubstr("the attestor's certificate was not renewed (once)")));
}

TEST_F(AttestorsTest, OneThatEndedWhileTheGatewayWasDownIsRenewedAtTheStart) {
  config_.mutable_attestor()->mutable_renewal()->set_ca(dir_.File("ca"));
  world_.clock.Advance(absl::Hours(24 * 30));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestors, Open());
  CDGATE_EXPECT_OK(attestors->signer()->Sign("x"));
  EXPECT_EQ(Renewed("renewed"), 1);
}

}  // namespace
}  // namespace cdgate::app
