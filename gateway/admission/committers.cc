#include "gateway/admission/committers.h"

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/digests.h"
#include "gateway/event/record.h"

namespace cdgate::admission {
namespace {

bool CommitsToFields(uint32_t notes) { return (notes & event::kNoteFieldsCommitted) != 0; }

// Of a copy from which nothing was removed; empty where its fields cannot be committed to.
std::string WholeCommitment(const event::RelayedView& relayed, const event::ValidEvent& valid,
                            Committers& committers) {
  if (!CommitsToFields(relayed.notes())) {
    return std::string(event::AsBytes(
        event::Commitment(relayed.salt(), valid.content_digest(), committers.hasher)));
  }
  event::CloudEventView view;
  if (!view.Assign(relayed.cloud_event())) return "";
  const auto commitment = committers.fields.Commit(relayed.salt(), view);
  return commitment ? std::string(event::AsBytes(*commitment)) : "";
}

// With a proof a copy shows what is left of it, and needs no salt.
absl::Status CheckFieldProof(const event::RelayedView& relayed, Committers& committers) {
  event::CloudEventView view;
  view.Assign(relayed.cloud_event());
  committers.copy.Assign(view, relayed.withheld(), relayed.substituted());
  CDGATE_ASSIGN_OR_RETURN(const crypto::Sha256Digest commitment,
                          committers.prover.Verify(committers.copy, relayed.field_proof()));
  if (CommitsToFields(relayed.notes()) && relayed.salt().empty() &&
      event::AsBytes(commitment) == relayed.commitment()) {
    return absl::OkStatus();
  }
  return base::MakeError(base::Reason::kAttestationInvalid,
                         "relayed event: its fields are not those that its origin committed to");
}

}  // namespace

absl::Status CheckCommitment(const event::RelayedView& relayed, const event::ValidEvent& valid,
                             Committers& committers) {
  const bool altered = !relayed.withheld().empty() || !relayed.substituted().empty();
  if (!relayed.field_proof().empty()) return CheckFieldProof(relayed, committers);
  if (altered && relayed.salt().empty() && relayed.commitment().size() == crypto::kSha256Bytes) {
    return absl::OkStatus();
  }
  if (!altered && relayed.salt().size() == event::kSaltBytes &&
      WholeCommitment(relayed, valid, committers) == relayed.commitment()) {
    return absl::OkStatus();
  }
  return base::MakeError(base::Reason::kAttestationInvalid,
                         "relayed event: its commitment does not fit its data and salt");
}

}  // namespace cdgate::admission
