// Pseudonyms: what a peer gets in place of a value that it may not see. The same for one
// peer whenever the value is sent, so that it can tell what belongs together; not to be
// linked between peers, nor across a change of keys.
//
//   Keyring keys({{.version = 1, .start_nanos = INT64_MIN, .secret = bytes}});
//   if (const Keyring::Key* key = keys.For(record.stored().accepted_time_nanos())) {
//     MakePseudonym(*key, "subject.content.user", "bob");     // p1.7k2v...
//   }
//
// The key is that of the time at which the event was accepted, so resends and replays say
// the same. The form: "p", the key's version, ".", and the first 26 characters (130 bits) of
// the base32 text of HMAC-SHA-256(key, class || 0 || value). The class says what kind of
// value it is: equal texts of different kinds cannot be matched. Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "auth/crypto/digest.h"

namespace cdgate::policy {

class Keyring {
 public:
  struct Key {
    uint32_t version = 0;
    int64_t start_nanos = 0;  // of the time accepted, since the Unix epoch
    std::string secret;       // 32 bytes
    // Prepared by the Keyring; null in a key that is not of one.
    std::shared_ptr<const crypto::HmacSha256Key> prepared = nullptr;
  };
  // Versions and times ascending.
  explicit Keyring(std::vector<Key> keys);

  // Null where there is none for that time.
  const Key* For(int64_t accepted_time_nanos) const;

 private:
  std::vector<Key> keys_;
};
using KeyringPtr = std::shared_ptr<const Keyring>;

// Allocates nothing but what `out` needs.
void AppendPseudonym(const Keyring::Key& key, absl::string_view kind, absl::string_view value,
                     std::string* out);
std::string MakePseudonym(const Keyring::Key& key, absl::string_view kind, absl::string_view value);

}  // namespace cdgate::policy
