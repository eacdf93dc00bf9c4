// SHA-256, HMAC-SHA-256 and comparison in constant time.
//
//   const std::string digest = crypto::Sha256(bytes);        // 32 raw bytes
//
//   crypto::Sha256Hasher hasher;                             // one per worker
//   for (const Record& r : batch) {
//     hasher.Reset();
//     hasher.Update(r.salt);
//     hasher.Update(r.data);
//     digests.push_back(hasher.Final());
//   }
//
// Digests and tags are raw bytes, always kSha256Bytes of them. Hashing cannot fail on
// input; where the library itself fails (no memory) the process ends, because a wrong
// digest must never get out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct SHA256state_st;

namespace cdgate::crypto {

inline constexpr size_t kSha256Bytes = 32;
using Sha256Digest = std::array<uint8_t, kSha256Bytes>;

// 32 bytes. Thread-safe.
std::string Sha256(absl::string_view bytes);

// 32 bytes. A key of any length; use at least 16 random bytes. Thread-safe.
std::string HmacSha256(absl::string_view key, absl::string_view bytes);

// Takes the same time whatever the contents are; only the lengths may show. For
// everything an attacker could guess byte by byte: proofs, tags, token secrets.
bool ConstantTimeEquals(absl::string_view a, absl::string_view b);

// A reusable context: about a third faster than Sha256() on small inputs, and no
// allocation after construction. Order of calls: (Reset Update* (Final | FinalTo))*.
// The constructor resets, too. Not thread-safe.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(Sha256Hasher&&) noexcept;
  Sha256Hasher& operator=(Sha256Hasher&&) noexcept;

  // The digest of `bytes` alone, whatever came since Reset(): the shortest way for short ones.
  // Call Reset() before the next use of the others.
  Sha256Digest Hash(absl::string_view bytes);

  void Reset();
  void Update(absl::string_view bytes);
  // The digest of what came since Reset(). Call Reset() before the next use.
  Sha256Digest FinalTo();
  // The same as a string of 32 bytes.
  std::string Final();

 private:
  struct Free {
    void operator()(SHA256state_st* context) const;
  };
  std::unique_ptr<SHA256state_st, Free> context_;
};

// HMAC-SHA-256 with a key that is used often: what the key costs is done once, and a tag
// allocates nothing.
//
//   const crypto::HmacSha256Key key(secret);
//   key.Tag({kind, text});               // the tag of HmacSha256(secret, kind + text)
//
// Immutable; thread-safe. Copies share what was prepared, which is wiped with the last.
class HmacSha256Key {
 public:
  // A key of any length; use at least 16 random bytes.
  explicit HmacSha256Key(absl::string_view key);

  // Of the parts one behind the other.
  Sha256Digest Tag(std::initializer_list<absl::string_view> parts) const;

 private:
  struct States;
  std::shared_ptr<const States> states_;
};

}  // namespace cdgate::crypto
