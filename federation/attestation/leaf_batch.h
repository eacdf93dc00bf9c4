// The leaves of export statements over many events, whose digests are made side by side
// (auth/crypto/sha256_batch.h): the same as LeafMaker makes one by one.
//
//   LeafBatch batch(seed);                                        // of one tree
//   batch.Add(copy, ClaimOf(stored), &content, terms, previous);  // what a sender sends
//   if (!batch.AddReceived(relayed, cloud_event, &content)) ...       // or what came
//   tree.Build(batch.Leaves(), seed);
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "auth/crypto/sha256_batch.h"
#include "federation/attestation/copy.h"
#include "federation/attestation/leaves.h"
#include "gateway/event/event_fields.h"
#include "gateway/event/relayed_view.h"

namespace cdgate::attestation {

class LeafBatch {
 public:
  // `seed`: of the tree.
  explicit LeafBatch(absl::string_view seed = "") : seed_(seed) {}
  // Begins anew.
  void Reset(absl::string_view seed);

  // The next event. `content`: SHA-256 of its data where that is known, else null. `previous`:
  // LeafMaker::Previous() of what goes with it.
  void Add(const CopyView& copy, const EventClaim& claim, const Digest* content,
           const TermsView& terms, const Digest& previous);
  // The next event as it came: what its sender must have signed. `event` is that of `relayed`.
  // False, and nothing is added, where its terms are no such.
  bool AddReceived(const event::RelayedView& relayed, const event::CloudEventView& event,
                   const Digest* content);

  size_t size() const { return leaves_.size() + waiting_.size(); }
  bool empty() const { return size() == 0; }
  // For Previous(). Owned by the batch.
  LeafMaker& maker() { return maker_; }
  // Of all that were added, in order. Good until the next Add().
  absl::Span<const Digest> Leaves();

 private:
  // Where the texts of an event end in texts_: that of its attributes, which begins where the
  // event before ends, and that of its leaf.
  struct Waiting {
    size_t attributes_end;
    size_t digest_at;  // in the leaf's: the digest of the attributes
    size_t end;
  };

  void HashWaiting();

  std::string seed_;
  LeafMaker maker_;
  event::FieldCommitter fields_;
  CopyView copy_;
  // At most as many as are hashed at once, so that their texts are still at hand then.
  std::vector<Waiting> waiting_;
  std::string texts_;
  std::vector<absl::string_view> views_;
  std::vector<Digest> digests_;
  std::vector<Digest> leaves_;
};

}  // namespace cdgate::attestation
