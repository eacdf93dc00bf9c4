// Signatures of a simulation: what is signed is in them, in a form that can be computed again.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "federation/link/batch_signer.h"

namespace cdgate::test {

// As long as a digest, and of `text` alone.
inline std::string SimulatedDigest(absl::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::string digest = absl::StrCat(absl::Hex(hash, absl::kZeroPad16));
  digest.resize(link::kRollingDigestBytes, '.');
  return digest;
}

// Over events, by their ids.
inline std::string SimulatedRoot(const std::vector<uint64_t>& ids) {
  std::string text = "events";
  for (const uint64_t id : ids) absl::StrAppend(&text, " ", id);
  return SimulatedDigest(text);
}

// What a signature says, and the rolling digest behind the batch. `before`: empty is none.
inline std::string SimulatedClaim(absl::string_view root, absl::string_view link_epoch,
                                  uint64_t first, size_t count, absl::string_view before) {
  const std::string start = link::EmptyRollingDigest();
  return absl::StrCat(root, "|", link_epoch, "|", first, "+", count, "|",
                      before.empty() ? absl::string_view(start) : before);
}

// Cannot sign one batch in sixteen, as if its key had just ended.
class SimulatedSigner final : public link::BatchSigner {
 public:
  void Prepare(federation::v1::Attestors* needed) override {
    if (std::exchange(told_, true)) return;
    needed->add_attestors()->add_certificates(key_);
  }
  // A new link: its peer was told of nothing.
  void Connect() { told_ = false; }
  // By which it signs from now on; unless `told`, the peer is told of it before.
  void SetKey(std::string key, bool told = false) {
    key_ = std::move(key);
    told_ = told;
  }

  std::string Sign(const link::BatchTree& tree, const link::BatchClaim& claim,
                   storage::v1::TreeSignature* statement) override {
    if (tree.root.front() == '0') return "";
    const std::string text =
        SimulatedClaim(tree.root, claim.link_epoch, claim.first.value(), claim.count, claim.before);
    statement->set_seed(tree.seed);
    statement->set_key_id(key_);
    statement->set_signature(text);
    return SimulatedDigest(text);
  }

 private:
  std::string key_ = "key 1";
  bool told_ = false;
};

}  // namespace cdgate::test
