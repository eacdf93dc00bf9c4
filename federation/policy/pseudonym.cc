#include "federation/policy/pseudonym.h"

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"

namespace cdgate::policy {
namespace {

constexpr size_t kCharacters = 26;

}  // namespace

const Keyring::Key* Keyring::For(int64_t accepted_time_nanos) const {
  for (auto key = keys_.rbegin(); key != keys_.rend(); ++key) {
    if (key->start_nanos <= accepted_time_nanos) return &*key;
  }
  return nullptr;
}

std::string MakePseudonym(const Keyring::Key& key, absl::string_view kind,
                          absl::string_view value) {
  const std::string mac =
      crypto::HmacSha256(key.secret, absl::StrCat(kind, absl::string_view("\0", 1), value));
  return absl::StrCat("p", key.version, ".",
                      absl::string_view(base::Base32Encode(mac)).substr(0, kCharacters));
}

}  // namespace cdgate::policy
