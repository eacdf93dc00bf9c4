// The texts that attestors sign, and the digests that tie the batches of a link together
// (docs/attestation.md).
//
//   const Digest link = LinkDigest({.seed = seed, .agreement = id, .link_epoch = epoch,
//                                   .first_position = 1, .count = 48, .before = before});
//   const std::string text = ExportText("alpha.example", "beta.example", now, link, tree.root());
//   Sign(text);
//   before = NextDigest(before, 1, 48, tree.root());
//
// Times are nanoseconds since the Unix epoch, UTC. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "federation/attestation/merkle.h"

namespace cdgate::attestation {

// Of an origin statement.
std::string OriginText(absl::string_view domain, int64_t sign_time_nanos, const Digest& root);

// Of an export statement.
std::string ExportText(absl::string_view sender, absl::string_view receiver,
                       int64_t sign_time_nanos, const Digest& link, const Digest& root);

// Which of all that was sent in one direction a batch is.
struct BatchPlace {
  absl::string_view seed;  // of its tree
  absl::string_view agreement;
  absl::string_view link_epoch;
  uint64_t first_position = 0;
  uint32_t count = 0;  // events
  Digest before{};     // the rolling digest of what was sent before
};
// What a statement shows of it to others: nothing, without the seed.
Digest LinkDigest(const BatchPlace& place);
// The rolling digest behind the batch.
Digest NextDigest(const Digest& before, uint64_t first_position, uint32_t count,
                  const Digest& root);

// What a receiver says that it has.
struct ReceiptClaim {
  absl::string_view receiver;
  absl::string_view sender;
  absl::string_view agreement;
  absl::string_view link_epoch;
  uint64_t position = 0;
  Digest digest{};  // rolling, at the position
  int64_t sign_time_nanos = 0;
};
std::string ReceiptText(const ReceiptClaim& claim);

}  // namespace cdgate::attestation
