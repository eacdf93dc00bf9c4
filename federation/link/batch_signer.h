// How the sender vouches for what it sends: a signature over the events of a batch and over all
// that was sent before it (docs/attestation.md).
//
// The interface is here so that the state machine stays pure; the real one is
// session::ExportSigner.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/statement.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/types.h"

namespace cdgate::link {

// The tree over the events of a block, made where they were decided. Both empty: there is none.
struct BatchTree {
  std::string seed;  // 16 bytes
  std::string root;  // 32 bytes
};

// Bytes of a rolling digest.
inline constexpr size_t kRollingDigestBytes = 32;
// That of a direction in which nothing was signed yet.
inline std::string EmptyRollingDigest() { return std::string(kRollingDigestBytes, '\0'); }

// What is signed besides the tree.
struct BatchClaim {
  absl::string_view link_epoch;
  base::Position first;
  size_t count = 0;
  absl::string_view before;  // the rolling digest before the batch
};

// Called by one link, in its turn.
class BatchSigner {
 public:
  virtual ~BatchSigner() = default;

  // Before Sign(), and before a receipt is asked for: adds the certificates that the peer was not
  // given on this link and needs for what waits to be sent. The link sends them before that.
  virtual void Prepare(federation::v1::Attestors* needed) = 0;

  // By the key that the last Prepare() found in use, whichever is by now. Fills `statement` and
  // returns the rolling digest behind the batch. Empty where it cannot sign just now: the batch
  // leaves without, and the digest stays as it was.
  virtual std::string Sign(const BatchTree& tree, const BatchClaim& claim,
                           storage::v1::TreeSignature* statement) = 0;
};

}  // namespace cdgate::link
