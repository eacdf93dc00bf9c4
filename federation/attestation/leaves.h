// The leaves of trees: what a domain says of one event (docs/attestation.md).
//
//   LeafMaker leaves;                                           // one per worker
//   // The origin, over the events of a commit that it accepted itself:
//   tree.push_back(leaves.Origin(leaves.Salt(seed, i), ClaimOf(stored), outer, attributes));
//   // A sender, over the events of a batch; the receiver makes the same from what came:
//   const CopyDigests digests = leaves.DigestsOf(copy);
//   tree.push_back(leaves.Export(leaves.Salt(seed, i), ClaimOf(stored), digests, terms,
//                                leaves.Previous(statements)));
//
// Of many events of one sender they are made side by side: leaf_batch.h.
//
// Every digest that a leaf is made from has 32 bytes; what comes from elsewhere is checked before
// (statement.h, chain.h). Keeps its memory; not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "auth/crypto/digest.h"
#include "federation/attestation/copy.h"
#include "federation/attestation/merkle.h"
#include "gateway/event/event_fields.h"

namespace cdgate::attestation {

using LeafSalt = event::FieldSalt;  // 16 bytes

// What a sender says of the copy that it sent.
struct CopyDigests {
  Digest attributes{};
  Digest content{};
  Digest changes{};
};

class LeafMaker {
 public:
  // Of the i-th event of a batch.
  LeafSalt Salt(absl::string_view seed, uint32_t i);
  // Of an event in the statement of its origin, from the salt of its commitment.
  LeafSalt OriginSalt(absl::string_view event_salt);

  // The leaf of an origin statement. `outer`: outer attributes disagreed with the CDEvent as it
  // was published (event::kNoteOuterDisagrees). `attributes`: AttributesOf() where the commitment
  // is to the content, else all zero.
  Digest Origin(const LeafSalt& salt, const EventClaim& claim, bool outer,
                const Digest& attributes);

  // The leaf of an export statement. `previous`: Previous() of what goes with the event.
  Digest Export(const LeafSalt& salt, const EventClaim& claim, const CopyDigests& copy,
                const TermsView& terms, const Digest& previous);

  // Appends what Export() is the digest of; where in `out` the digest of the attributes is.
  static size_t AppendExport(const LeafSalt& salt, const EventClaim& claim, const CopyDigests& copy,
                             const TermsView& terms, const Digest& previous, std::string* out);

  // Those of `copy`. `content`: SHA-256 of its data where that is known, else null.
  CopyDigests DigestsOf(const CopyView& copy, const Digest* content = nullptr);
  Digest AttributesOf(const event::CloudEventView& event) {
    return fields_.AttributesDigest(event);
  }
  Digest ContentOf(const event::CloudEventView& event) { return Hash(event.data()); }
  Digest ChangesOf(const CopyView& copy);

  // SHA-256 of the last of the serialised statements that go with an event; all zero where none
  // does.
  template <typename Statements>
  Digest Previous(const Statements& statements) {
    return statements.empty() ? Digest{} : Hash(*(statements.end() - 1));
  }
  // SHA-256.
  Digest Hash(absl::string_view bytes);

 private:
  Digest HashChanges(const CopyView& copy);

  event::FieldCommitter fields_;
  crypto::Sha256Hasher hasher_;
  std::string input_;
};

}  // namespace cdgate::attestation
