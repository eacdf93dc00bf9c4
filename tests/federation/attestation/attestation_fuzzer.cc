// An "s" and a statement, or an "e" and a relayed event with what goes with it: read and verified
// without harm, however hostile. What verifies against its field proof still does when nothing is
// done to it.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "auth/crypto/certificate_authority.h"
#include "federation/attestation/chain.h"
#include "federation/attestation/field_proof.h"
#include "federation/attestation/leaf_batch.h"
#include "federation/attestation/statement.h"
#include "gateway/base/errors.h"

namespace {

using namespace cdgate::attestation;  // the subject
using cdgate::base::Reason;
using cdgate::federation::v1::Statement;

// One key for everybody, which signed nothing.
class OneKey : public AttestorKeys {
 public:
  OneKey() {
    const auto root = cdgate::crypto::CertificateAuthority::InitRoot("alpha.example", {},
                                                                     absl::FromUnixSeconds(1));
    certificate_ = std::make_shared<const cdgate::crypto::Certificate>(
        cdgate::crypto::Certificate::FromPem(root.value().certificate_pem).value());
  }
  absl::StatusOr<AttestorKey> Find(absl::string_view, absl::string_view, absl::Time) override {
    return AttestorKey(*certificate_);
  }

 private:
  std::shared_ptr<const cdgate::crypto::Certificate> certificate_;
};

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequireReason(const absl::Status& status) {
  const auto reason = cdgate::base::ReasonOf(status);
  Require(reason == Reason::kAttestationInvalid || reason == Reason::kAttestationUnproven);
}

void TryStatement(absl::string_view bytes, ChainVerifier* verifier) {
  Statement statement;
  const absl::Status read = ReadStatement(bytes, &statement);
  if (!read.ok()) return RequireReason(read);
  const std::string commitment(32, 'c');
  const EventClaim claim{.origin = statement.domain(), .commitment = commitment};
  RequireReason(verifier->statements().VerifyOrigin(statement, claim, false, Digest{}));
  RequireReason(verifier->statements().VerifyExport(statement, claim, Digest{}));
}

void TryProof(const CopyView& copy, absl::string_view proof) {
  static auto* const prover = new FieldProver;
  const auto commitment = prover->Verify(copy, proof);
  if (!commitment.ok()) return RequireReason(commitment.status());
  const auto again = prover->AlterAgain(copy, proof, copy);
  Require(again.ok());
  const auto same = prover->Verify(copy, *again);
  Require(same.ok() && *same == *commitment);
}

void TryEvent(absl::string_view bytes, ChainVerifier* verifier) {
  cdgate::event::RelayedView relayed;
  cdgate::event::CloudEventView event;
  if (!relayed.Assign(bytes) || !event.Assign(relayed.cloud_event())) return;
  CopyView copy;
  copy.Assign(event, relayed.withheld(), relayed.substituted());
  TryProof(copy, relayed.field_proof());
  LeafBatch leaves(std::string(kSeedBytes, 's'));
  const size_t added = leaves.AddReceived(relayed, event, nullptr) ? 1 : 0;
  Require(leaves.Leaves().size() == added);
  const auto proof = verifier->Verify(
      relayed, event, {"gamma.example", [](absl::string_view, absl::string_view) { return true; }});
  if (!proof.ok()) return RequireReason(proof.status());
  // Nobody signed it.
  Require(*proof == Proof::kDirect && relayed.path().size() == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const keys = new OneKey;
  static auto* const verifier = new ChainVerifier(*keys);
  static auto* const silent = new google::protobuf::LogSilencer;
  (void)silent;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  if (input[0] == 's') TryStatement(input.substr(1), verifier);
  if (input[0] == 'e') TryEvent(input.substr(1), verifier);
  return 0;
}
