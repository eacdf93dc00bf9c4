#include "federation/session/pseudonym_keeper.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

using storage::v1::PseudonymKey;
using storage::v1::PseudonymKeys;

constexpr size_t kSecretBytes = 32;

std::string Scope(absl::string_view peer, uint32_t version) {
  return absl::StrCat("pseudonym;peer=", peer, ";version=", version);
}

// With the times of all keys; where there is no resource, the first key alone.
absl::StatusOr<PseudonymKeys> Read(const state::ResourcePtr& resource) {
  PseudonymKeys keys;
  if (resource == nullptr) {
    keys.add_keys()->set_version(1);
    return keys;
  }
  CDGATE_ASSIGN_OR_RETURN(keys, resource->As<PseudonymKeys>());
  if (keys.keys().empty()) {
    return base::MakeError(base::Reason::kLogCorrupt,
                           absl::StrCat("pseudonym ", resource->name, " has no key"));
  }
  PseudonymKey& newest = *keys.mutable_keys()->rbegin();
  if (newest.from_commit()) newest.set_start_time_nanos(absl::ToUnixNanos(resource->commit_time));
  newest.set_from_commit(false);
  return keys;
}

int64_t StartOf(const PseudonymKey& key) {
  return key.start_time_nanos() == 0 ? INT64_MIN : key.start_time_nanos();
}

state::ResourceEdit EditOf(const PseudonymKeys& keys, const state::ResourcePtr& before,
                           absl::string_view peer, const std::string& author) {
  state::ResourceEdit edit;
  edit.kind = state::kPseudonymKind;
  edit.name = std::string(peer);
  edit.value = keys.SerializeAsString();
  edit.expected_version = before == nullptr ? 0 : before->version;
  edit.author = author;
  return edit;
}

}  // namespace

absl::StatusOr<PseudonymKeeper> PseudonymKeeper::Create(std::string secret, base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(crypto::SivSealer sealer, crypto::SivSealer::Create(secret));
  return PseudonymKeeper(std::move(secret), std::move(sealer), random);
}

std::string PseudonymKeeper::FirstKey(absl::string_view peer) const {
  return crypto::HmacSha256(secret_, absl::StrCat("cdgate/pseudonym/v1/", peer));
}

absl::StatusOr<policy::KeyringPtr> PseudonymKeeper::KeysOf(const state::ResourceSnapshot& resources,
                                                           absl::string_view peer) const {
  CDGATE_ASSIGN_OR_RETURN(const PseudonymKeys stored,
                          Read(resources.Find(state::kPseudonymKind, peer)));
  std::vector<policy::Keyring::Key> keys;
  for (const PseudonymKey& key : stored.keys()) {
    std::string secret = FirstKey(peer);
    if (!key.sealed_key().empty()) {
      CDGATE_ASSIGN_OR_RETURN(secret, sealer_.Open(key.sealed_key(), Scope(peer, key.version())));
    }
    keys.push_back({key.version(), StartOf(key), std::move(secret)});
  }
  return std::make_shared<const policy::Keyring>(std::move(keys));
}

absl::StatusOr<state::ResourceEdit> PseudonymKeeper::Rotate(
    const state::ResourceSnapshot& resources, absl::string_view peer, const std::string& author,
    uint32_t* version) const {
  const state::ResourcePtr before = resources.Find(state::kPseudonymKind, peer);
  CDGATE_ASSIGN_OR_RETURN(PseudonymKeys keys, Read(before));
  *version = keys.keys().rbegin()->version() + 1;
  PseudonymKey& key = *keys.add_keys();
  key.set_version(*version);
  key.set_sealed_key(sealer_.Seal(random_->Bytes(kSecretBytes), Scope(peer, *version)));
  key.set_from_commit(true);
  return EditOf(keys, before, peer, author);
}

std::optional<state::ResourceEdit> PseudonymKeeper::Forget(const state::ResourceSnapshot& resources,
                                                           absl::string_view peer,
                                                           absl::Time oldest) const {
  const state::ResourcePtr before = resources.Find(state::kPseudonymKind, peer);
  absl::StatusOr<PseudonymKeys> keys = Read(before);
  if (before == nullptr || !keys.ok()) return std::nullopt;
  auto& kept = *keys->mutable_keys();
  bool any = false;
  // A key is of no use any more once the next one was in use before the oldest event.
  while (kept.size() > 1 && StartOf(kept[1]) <= absl::ToUnixNanos(oldest)) {
    kept.erase(kept.begin());
    any = true;
  }
  if (!any) return std::nullopt;
  return EditOf(*keys, before, peer, "cdgate");
}

absl::Time PseudonymKeeper::NewestSince(const state::ResourceSnapshot& resources,
                                        absl::string_view peer) {
  const absl::StatusOr<PseudonymKeys> keys = Read(resources.Find(state::kPseudonymKind, peer));
  if (!keys.ok() || keys->keys().rbegin()->start_time_nanos() == 0) return absl::InfinitePast();
  return absl::FromUnixNanos(keys->keys().rbegin()->start_time_nanos());
}

}  // namespace cdgate::session
