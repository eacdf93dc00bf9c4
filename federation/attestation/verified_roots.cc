#include "federation/attestation/verified_roots.h"

#include <string>
#include <utility>

#include "gateway/event/event_fields.h"

namespace cdgate::attestation {

Digest SignatureKey(absl::string_view domain, absl::string_view key_id, absl::string_view text,
                    absl::string_view signature) {
  std::string input;
  for (const absl::string_view part : {domain, key_id, text, signature}) {
    event::AppendWithLength(part, &input);
  }
  crypto::Sha256Hasher hasher;
  hasher.Update(input);
  return hasher.FinalTo();
}

bool VerifiedRoots::Knows(const Digest& key) {
  if (recent_.contains(key)) return true;
  if (!older_.contains(key)) return false;
  Add(key);
  return true;
}

void VerifiedRoots::Add(const Digest& key) {
  if (recent_.size() >= capacity_) {
    older_ = std::move(recent_);
    recent_.clear();
  }
  recent_.insert(key);
}

}  // namespace cdgate::attestation
