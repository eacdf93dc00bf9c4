// SHA-256 of many texts at once, where the processor hashes several side by side.
//
//   crypto::Sha256Batch batch;                              // one per worker
//   std::vector<crypto::Sha256Digest> digests(texts.size());
//   batch.Hash(texts, absl::MakeSpan(digests));             // digests[i] is that of texts[i]
//
// Each step of SHA-256 waits for the one before, so that a processor has time for other
// texts: sixteen of 1 KiB take as long as seven one after the other. Short ones, of 100 bytes, gain
// nothing, long ones, of more than 32 KiB, are hashed alone, and so are fewer than six.
// Where the build has no library for it (Debian has one for amd64), or the processor not what
// that needs, the texts are hashed one after the other. The digests are the same.
#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "auth/crypto/digest.h"

struct IMB_MGR;

namespace cdgate::crypto {

// Reused; allocates 200 KB once. Not thread-safe. It cannot fail: where the library does, the
// process ends, because a wrong digest must never get out.
class Sha256Batch {
 public:
  // So many are hashed at once on the widest processors.
  static constexpr size_t kLanes = 16;

  // `side_by_side`: where it can be done; tests ask for the other way, too.
  explicit Sha256Batch(bool side_by_side = true);
  ~Sha256Batch();
  // That of the calling thread, for those of whom there are more than threads.
  static Sha256Batch& OfThread();
  Sha256Batch(const Sha256Batch&) = delete;
  Sha256Batch& operator=(const Sha256Batch&) = delete;

  // `digests` has as many elements as `texts`.
  void Hash(absl::Span<const absl::string_view> texts, absl::Span<Sha256Digest> digests);

 private:
  struct Free {
    void operator()(IMB_MGR* lanes) const;
  };

  Sha256Digest HashAlone(absl::string_view text);

  std::unique_ptr<IMB_MGR, Free> lanes_;  // null: one text after the other
  Sha256Hasher alone_;
};

}  // namespace cdgate::crypto
