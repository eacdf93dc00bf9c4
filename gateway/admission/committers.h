// Whether the commitment that a relayed event came with is to what came.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "auth/crypto/digest.h"
#include "federation/attestation/copy.h"
#include "federation/attestation/field_proof.h"
#include "gateway/event/event_fields.h"
#include "gateway/event/relayed_view.h"
#include "gateway/event/valid_event.h"

namespace cdgate::admission {

// What makes commitments. Reuses its memory; not thread-safe.
struct Committers {
  crypto::Sha256Hasher hasher;
  event::FieldCommitter fields;
  attestation::FieldProver prover;
  attestation::CopyView copy;
};

// ATTESTATION_INVALID. A copy from which something was removed or replaced does not give its
// origin's digest any more: its commitment stands for the original, and the salt, by which what was
// removed could be guessed, does not travel with it.
absl::Status CheckCommitment(const event::RelayedView& relayed, const event::ValidEvent& valid,
                             Committers& committers);

}  // namespace cdgate::admission
