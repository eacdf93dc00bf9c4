// The digests that tell events apart; docs/concepts.md has them side by side.
//
//   content digest   SHA-256 of the data bytes (ValidEvent::content_digest)
//   canonical digest SHA-256 of the canonical JSON: where two content digests differ,
//                    it says whether the texts mean the same
//   commitment       SHA-256("cdgate/commit/v1" || salt || content digest), which
//                    travels with every copy of an event
//
// The canonical JSON is made for this comparison and shown to nobody: members sorted by
// the bytes of their names, no white space, strings with the least escaping, and each
// number by its exact decimal value, so that 1, 1.0 and 10e-1 are one value, 0 and -0 are
// two, and digits beyond what a double holds count (RFC 8785 would round them). Two texts
// of different values never have the same canonical form; that two texts of the same
// value have different ones happens only for numbers with an exponent beyond nine digits.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/crypto/digest.h"
#include "gateway/event/json_parser.h"

namespace cdgate::event {

inline constexpr size_t kSaltBytes = 16;

// INVALID_JSON or AMBIGUOUS_JSON where `json` is not I-JSON.
absl::StatusOr<std::string> CanonicalJson(absl::string_view json, JsonParser& parser);

// 32 bytes: SHA-256 of CanonicalJson(json).
absl::StatusOr<std::string> CanonicalJsonDigest(absl::string_view json);

// 32 bytes. `salt` has kSaltBytes, `content_digest` 32.
std::string Commitment(absl::string_view salt, absl::string_view content_digest);
// The same with a worker's hasher.
crypto::Sha256Digest Commitment(absl::string_view salt, const crypto::Sha256Digest& content_digest,
                                crypto::Sha256Hasher& hasher);

// The bytes of a digest, as the protos hold them.
inline absl::string_view AsBytes(const crypto::Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace cdgate::event
