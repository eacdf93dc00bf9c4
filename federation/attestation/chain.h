// Whether what came with an event shows whose it is, what became of it on the way, and that its
// terms let it come this far.
//
//   ChainVerifier verifier(keys);                               // one per worker
//   const absl::StatusOr<Proof> proof = verifier.Verify(relayed, view, {"gamma.example", judge});
//   if (!proof.ok()) return Refuse(proof.status());
//
// The sender's own statement, that of the batch, is not among those with the event: leaves.h and
// StatementVerifier::VerifySignature() verify it.
#pragma once

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "federation/attestation/attestor_keys.h"
#include "federation/attestation/copy.h"
#include "federation/attestation/field_proof.h"
#include "federation/attestation/statement.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/event_fields.h"
#include "gateway/event/relayed_view.h"

namespace cdgate::attestation {

// What shows that the content of a copy is its origin's.
enum class Proof {
  kDirect,        // its origin sent it itself
  kUnaltered,     // it is all there, as the origin committed to it
  kFields,        // what is left of it is, field by field
  kOriginExport,  // it is what the origin's own export statement says that it sent
};
// "direct", "unaltered", "fields", "origin export".
absl::string_view ProofText(Proof proof);

// Whether `after` is at least as strict a classification as `before`, both known and of one scale.
// Not asked of equal ones, nor where `before` is empty.
using AtLeastAsStrict = absl::FunctionRef<bool(absl::string_view before, absl::string_view after)>;

// Domains that a path may have.
inline constexpr size_t kMaxPathDomains = 32;

// Whether terms are within those that the event came under: ATTESTATION_INVALID, saying how, where
// they let it go further.
absl::Status CheckTermsWithin(const TermsView& before, const TermsView& after,
                              AtLeastAsStrict at_least_as_strict);

// Not thread-safe; keeps its memory, and remembers signatures that it verified.
class ChainVerifier {
 public:
  // `keys` outlives it.
  explicit ChainVerifier(AttestorKeys& keys) : statements_(keys) {}

  struct Receiver {
    absl::string_view domain;  // the receiver's own
    AtLeastAsStrict at_least_as_strict;
  };

  // `event` is that of `relayed`, whose JSON was admitted. ATTESTATION_INVALID where something is
  // false, ATTESTATION_UNPROVEN where what came does not show enough, and what AttestorKeys says.
  absl::StatusOr<Proof> Verify(const event::RelayedView& relayed,
                               const event::CloudEventView& event, const Receiver& receiver);

  // Of the batch that an event came in, and of receipts.
  StatementVerifier& statements() { return statements_; }

 private:
  absl::Status CheckPath(absl::string_view own_domain);
  absl::Status ReadStatements();
  absl::Status CheckPlace(size_t i) const;
  absl::Status VerifyOrigin();
  absl::Status VerifyExports();
  absl::Status CheckTerms(AtLeastAsStrict at_least_as_strict);
  absl::Status CheckSubstitutes();
  absl::StatusOr<Proof> ProveContent();
  absl::Status CheckSalt();
  absl::Status CheckFieldProof();
  bool IsDirect() const { return relayed_->path().size() == 1; }
  bool IsWhatOriginSent();

  StatementVerifier statements_;
  FieldProver prover_;
  event::FieldCommitter fields_;
  crypto::Sha256Hasher hasher_;
  // Of the event that is verified.
  const event::RelayedView* relayed_ = nullptr;
  CopyView copy_;
  EventClaim claim_;
  std::vector<federation::v1::Statement> read_;
  size_t count_ = 0;          // of those in `read_` that are the event's
  bool origin_fits_ = false;  // the origin's statement is of the event as it came
};

}  // namespace cdgate::attestation
