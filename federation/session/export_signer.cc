#include "federation/session/export_signer.h"

#include <utility>

#include "federation/attestation/merkle.h"
#include "federation/attestation/signed_text.h"
#include "gateway/base/logging.h"
#include "gateway/event/digests.h"

namespace cdgate::session {

std::string ExportSigner::NewSeed() {
  if (deps_.attestor == nullptr || deps_.attestor->Current() == nullptr) return "";
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
  auto certificates = deps_.attestors->ChainOf(key_id);
  if (!certificates) return;
  given_.insert(key_id);
  *needed_.add_attestors() = *std::move(certificates);
}

void ExportSigner::Prepare(federation::v1::Attestors* needed) {
  if (deps_.attestor != nullptr) attestor_ = deps_.attestor->Current();
  if (attestor_ != nullptr) Need(attestor_->key_id);
  needed->MergeFrom(needed_);
  needed_.Clear();
}

std::optional<std::string> ExportSigner::SignText(const std::string& text) const {
  if (attestor_ == nullptr || !given_.contains(attestor_->key_id)) return std::nullopt;
  auto signature = attestor_->Sign(text);
  if (signature.ok()) return *std::move(signature);
  base::LogError(base::LogLevel::kError, "a statement leaves unsigned", signature.status(),
                 {{"peer", parties_.receiver}});
  return std::nullopt;
}

attestation::Digest ExportSigner::LinkOf(const link::BatchTree& tree, const link::BatchClaim& claim,
                                         const attestation::Digest& before) const {
  return attestation::LinkDigest({.seed = tree.seed,
                                  .agreement = parties_.agreement,
                                  .link_epoch = claim.link_epoch,
                                  .first_position = claim.first.value(),
                                  .count = static_cast<uint32_t>(claim.count),
                                  .before = before});
}

std::optional<ExportSigner::Signature> ExportSigner::SignBatch(
    const attestation::Digest& link, const attestation::Digest& root) const {
  const int64_t now = absl::ToUnixNanos(deps_.clock.Now());
  auto bytes =
      SignText(attestation::ExportText(parties_.sender, parties_.receiver, now, link, root));
  if (!bytes) return std::nullopt;
  return Signature{link, root, attestor_->key_id, now, *std::move(bytes)};
}

void ExportSigner::SignAhead(const link::BatchTree& tree, const link::BatchClaim& claim) {
  ahead_.reset();
  const auto root = attestation::ReadDigest(tree.root);
  const auto before = attestation::ReadDigest(claim.before);
  if (root && before) ahead_ = SignBatch(LinkOf(tree, claim, *before), *root);
}

// None where something else was signed, or by another key.
std::optional<ExportSigner::Signature> ExportSigner::TakeAhead(const attestation::Digest& link,
                                                               const attestation::Digest& root) {
  std::optional<Signature> ahead = std::exchange(ahead_, std::nullopt);
  const bool same = ahead && ahead->link == link && ahead->root == root && attestor_ != nullptr &&
                    ahead->key_id == attestor_->key_id;
  return same ? std::move(ahead) : std::nullopt;
}

std::string ExportSigner::Sign(const link::BatchTree& tree, const link::BatchClaim& claim,
                               storage::v1::TreeSignature* statement) {
  const auto root = attestation::ReadDigest(tree.root);
  const auto before = attestation::ReadDigest(claim.before);
  if (!root || !before) return "";
  const attestation::Digest link = LinkOf(tree, claim, *before);
  auto signature = TakeAhead(link, *root);
  if (!signature) signature = SignBatch(link, *root);
  if (!signature) return "";
  statement->set_seed(tree.seed);
  statement->set_sign_time_nanos(signature->sign_time_nanos);
  statement->set_key_id(std::move(signature->key_id));
  statement->set_signature(std::move(signature->bytes));
  const auto after = attestation::NextDigest(*before, claim.first.value(),
                                             static_cast<uint32_t>(claim.count), *root);
  return std::string(event::AsBytes(after));
}

std::optional<federation::v1::Receipt> ExportSigner::SignReceipt(absl::string_view link_epoch,
                                                                 uint64_t position,
                                                                 const std::string& digest) {
  const auto rolling = attestation::ReadDigest(digest);
  if (!rolling) return std::nullopt;
  const int64_t now = absl::ToUnixNanos(deps_.clock.Now());
  auto signature = SignText(attestation::ReceiptText({.receiver = parties_.sender,
                                                      .sender = parties_.receiver,
                                                      .agreement = parties_.agreement,
                                                      .link_epoch = link_epoch,
                                                      .position = position,
                                                      .digest = *rolling,
                                                      .sign_time_nanos = now}));
  if (!signature) return std::nullopt;
  federation::v1::Receipt receipt;
  receipt.set_position(position);
  receipt.set_digest(digest);
  receipt.set_sign_time_nanos(now);
  receipt.set_key_id(attestor_->key_id);
  receipt.set_signature(*std::move(signature));
  return receipt;
}

}  // namespace cdgate::session
