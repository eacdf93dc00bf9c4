#include "federation/session/export_signer.h"

#include <utility>

#include "federation/attestation/merkle.h"
#include "federation/attestation/signed_text.h"
#include "gateway/base/logging.h"
#include "gateway/event/digests.h"

namespace cdgate::session {
std::string ExportSigner::NewSeed() {
  const auto identity = deps_.attestor == nullptr ? nullptr : deps_.attestor->Current();
  if (identity == nullptr) return "";
  Need(identity->key_id);
  return deps_.random.Bytes(attestation::kSeedBytes);
}

void ExportSigner::Note(absl::Span<const std::string> statements) {
  for (const std::string& bytes : statements) {
    federation::v1::Statement statement;
    if (statement.ParseFromString(bytes)) Need(statement.key_id());
  }
}

void ExportSigner::Need(const std::string& key_id) {
  if (deps_.attestors == nullptr || given_.contains(key_id)) return;
  // One that came into use just now is known a moment later.
  auto certificates = deps_.attestors->ChainOf(key_id);
  if (!certificates) return;
  given_.insert(key_id);
  *needed_.add_attestors() = *std::move(certificates);
}

std::optional<federation::v1::Attestors> ExportSigner::TakeCertificates() {
  if (needed_.attestors().empty()) return std::nullopt;
  return std::exchange(needed_, {});
}

std::string ExportSigner::Sign(const link::BatchTree& tree, const link::BatchClaim& claim,
                               storage::v1::TreeSignature* statement) const {
  const auto root = attestation::ReadDigest(tree.root);
  const auto before = attestation::ReadDigest(claim.before);
  if (deps_.attestor == nullptr || !root || !before) return "";
  const auto count = static_cast<uint32_t>(claim.count);
  const attestation::Digest link = attestation::LinkDigest({.seed = tree.seed,
                                                            .agreement = parties_.agreement,
                                                            .link_epoch = claim.link_epoch,
                                                            .first_position = claim.first.value(),
                                                            .count = count,
                                                            .before = *before});
  const int64_t now = absl::ToUnixNanos(deps_.clock.Now());
  auto signature = deps_.attestor->Sign(
      attestation::ExportText(parties_.sender, parties_.receiver, now, link, *root));
  if (!signature.ok()) {
    base::LogError(base::LogLevel::kError, "events leave unsigned", signature.status(),
                   {{"peer", parties_.receiver}});
    return "";
  }
  // A key that came into use just now: the peer does not have it yet.
  if (!given_.contains(signature->key_id)) return "";
  statement->set_seed(tree.seed);
  statement->set_sign_time_nanos(now);
  statement->set_key_id(signature->key_id);
  statement->set_signature(signature->signature);
  const auto after = attestation::NextDigest(*before, claim.first.value(), count, *root);
  return std::string(event::AsBytes(after));
}

std::optional<federation::v1::Receipt> ExportSigner::SignReceipt(absl::string_view link_epoch,
                                                                 uint64_t position,
                                                                 const std::string& digest) {
  const auto rolling = attestation::ReadDigest(digest);
  if (deps_.attestor == nullptr || !rolling) return std::nullopt;
  const int64_t now = absl::ToUnixNanos(deps_.clock.Now());
  auto signature = deps_.attestor->Sign(attestation::ReceiptText({.receiver = parties_.sender,
                                                                  .sender = parties_.receiver,
                                                                  .agreement = parties_.agreement,
                                                                  .link_epoch = link_epoch,
                                                                  .position = position,
                                                                  .digest = *rolling,
                                                                  .sign_time_nanos = now}));
  if (!signature.ok() || !given_.contains(signature->key_id)) return std::nullopt;
  federation::v1::Receipt receipt;
  receipt.set_position(position);
  receipt.set_digest(digest);
  receipt.set_sign_time_nanos(now);
  receipt.set_key_id(signature->key_id);
  receipt.set_signature(signature->signature);
  return receipt;
}

}  // namespace cdgate::session
