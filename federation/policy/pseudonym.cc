#include "federation/policy/pseudonym.h"

#include "absl/strings/str_cat.h"

namespace cdgate::policy {
namespace {

constexpr size_t kCharacters = 26;

// The first 130 bits as base32 (RFC 4648, lower case).
void AppendBase32(const crypto::Sha256Digest& tag, std::string* out) {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  uint32_t buffer = 0;
  int bits = 0;
  size_t next = 0;
  for (size_t i = 0; i < kCharacters; ++i) {
    if (bits < 5) {
      buffer = buffer << 8 | tag[next++];
      bits += 8;
    }
    bits -= 5;
    out->push_back(kAlphabet[buffer >> bits & 31]);
  }
}

}  // namespace

Keyring::Keyring(std::vector<Key> keys) : keys_(std::move(keys)) {
  for (Key& key : keys_) key.prepared = std::make_shared<const crypto::HmacSha256Key>(key.secret);
}

const Keyring::Key* Keyring::For(int64_t accepted_time_nanos) const {
  for (auto key = keys_.rbegin(); key != keys_.rend(); ++key) {
    if (key->start_nanos <= accepted_time_nanos) return &*key;
  }
  return nullptr;
}

void AppendPseudonym(const Keyring::Key& key, absl::string_view kind, absl::string_view value,
                     std::string* out) {
  const std::initializer_list<absl::string_view> text = {kind, absl::string_view("\0", 1), value};
  const crypto::Sha256Digest tag = key.prepared != nullptr
                                       ? key.prepared->Tag(text)
                                       : crypto::HmacSha256Key(key.secret).Tag(text);
  absl::StrAppend(out, "p", key.version, ".");
  AppendBase32(tag, out);
}

std::string MakePseudonym(const Keyring::Key& key, absl::string_view kind,
                          absl::string_view value) {
  std::string out;
  AppendPseudonym(key, kind, value, &out);
  return out;
}

}  // namespace cdgate::policy
