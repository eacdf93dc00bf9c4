// Signatures and rolling digests that people can read.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "federation/link/batch_signer.h"

namespace cdgate::test {

// `text` with dots behind it, as long as a digest.
inline std::string FakeDigest(absl::string_view text) {
  std::string digest(text);
  digest.resize(link::kRollingDigestBytes, '.');
  return digest;
}

// What FakeDigest made, without its dots; zero bytes are "0".
inline std::string ReadDigest(const std::string& digest) {
  if (digest == link::EmptyRollingDigest()) return "0";
  return digest.substr(0, digest.find('.'));
}

// The signature says what is signed; the digest is that before it, and the root.
class FakeSigner final : public link::BatchSigner {
 public:
  // Of keys that came into use, or of others that statements need.
  void Need(const federation::v1::Attestors& certificates) { needed_.MergeFrom(certificates); }
  void Prepare(federation::v1::Attestors* needed) override {
    needed->MergeFrom(needed_);
    needed_.Clear();
  }

  std::string Sign(const link::BatchTree& tree, const link::BatchClaim& claim,
                   storage::v1::TreeSignature* statement) override {
    const std::string before = ReadDigest(std::string(claim.before));
    statement->set_signature(absl::StrCat(tree.root, " ", claim.first.value(), "+", claim.count,
                                          " of ", claim.link_epoch, " after ", before));
    return FakeDigest(absl::StrCat(before, "-", tree.root));
  }

 private:
  federation::v1::Attestors needed_;
};

}  // namespace cdgate::test
