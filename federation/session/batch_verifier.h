// What the peer signed of a batch, judged, and kept as it can be shown to others.
//
//   BatchVerifier verifier(deps, peer, agreement, digest_on_disk);
//   CDGATE_ASSIGN_OR_RETURN(auto signed_by, verifier.Take(import, admitted, records));
//   Store(event, signed_by.Leaf(i)); Store(signed_by.statement);
//   verifier.digest();                       // rolling, behind the batch
//
// Batches are taken in order, each once. Not thread-safe: everything runs on the session's strand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "federation/attestation/chain.h"
#include "federation/attestation/leaf_batch.h"
#include "federation/link/messages.h"
#include "federation/session/session_types.h"

namespace cdgate::session {

class BatchVerifier {
 public:
  // Of one batch.
  struct Signed {
    storage::v1::ImportStatement statement = {};
    std::string root = {};  // the beginning of it; empty: the batch came unsigned

    // StoredEvent.import_leaf of the i-th event; empty: it came unsigned.
    std::string Leaf(size_t i) const;
  };

  // `digest`: rolling, as on disk; empty: nothing was signed so far. `deps.attestors` is not null.
  BatchVerifier(const SessionDeps& deps, std::string peer, std::string agreement,
                std::string digest);

  // ATTESTATION_INVALID where what is signed is not what came, ATTESTATION_UNPROVEN where its key
  // is not trusted: nothing of the batch may be taken then, nor of what comes behind it.
  // `admitted`: its events, as Admission::Import() has them; `records`: those that passed, in
  // order, read. What is digested is not digested again, nor read.
  absl::StatusOr<Signed> Take(const link::CommitImport& import,
                              absl::Span<const admission::Imported> admitted,
                              absl::Span<const event::Record> records);

  // Whether an event that others passed on shows whose it is; OK of the peer's own.
  absl::Status CheckChain(const event::RelayedView& event, const policy::Environment& environment);

  // Whether the peer signed it.
  absl::Status CheckReceipt(const link::ReceiptReceived& received);

  // Behind the last batch taken; empty: nothing was signed so far.
  const std::string& digest() const { return digest_; }

 private:
  // False where it is no event. `record`: null where it did not pass.
  bool AddLeaf(const event::RelayedView& event, const event::Record* record);
  // Good until the next call.
  absl::StatusOr<absl::Span<const attestation::Digest>> LeavesOf(
      const link::CommitImport& import, absl::Span<const admission::Imported> admitted,
      absl::Span<const event::Record> records);

  const SessionDeps& deps_;
  const std::string peer_, agreement_;
  std::string digest_;
  attestation::ChainVerifier chain_;
  attestation::LeafBatch leaves_;
  attestation::MerkleTree tree_;
};

}  // namespace cdgate::session
