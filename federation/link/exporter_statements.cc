// What the sending half signs, and what the peer signs of it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/exporter.h"
#include "federation/link/protocol_error.h"

namespace cdgate::link {
namespace {

using base::Position;

// Digests that a receipt may still be for: as many as batches that may be on their way.
constexpr size_t kMaxSigned = 8192;

}  // namespace

// The receiver keeps the digest, as it keeps the position. It can lie about it to nobody but
// itself: what it signed for before is on our disk.
absl::Status Exporter::TakeDigest(const federation::v1::Resume& resume, Outputs* out) {
  if (resume.digest().empty()) return absl::OkStatus();
  if (resume.digest().size() != kRollingDigestBytes) {
    return ProtocolError(absl::StrCat("a digest has ", resume.digest().size(), " bytes"));
  }
  digest_ = resume.digest();
  const bool same_place = receipt_ && receipt_epoch_ == resume.link_epoch() &&
                          receipt_->position() == resume.position();
  if (same_place && receipt_->digest() != digest_) {
    out->push_back(HistoryDisputed{Position(resume.position())});
  }
  return absl::OkStatus();
}

// A receipt for what is not known here, or not any more, says nothing.
void Exporter::OnReceipt(const federation::v1::Receipt& receipt, Outputs* out) {
  const Position position(receipt.position());
  if (position > acknowledged_) return;
  while (!signed_.empty() && signed_.front().first < position) signed_.pop_front();
  if (signed_.empty() || signed_.front().first != position) return;
  if (signed_.front().second == receipt.digest()) {
    out->push_back(ReceiptReceived{receipt, link_epoch_});
  } else {
    out->push_back(HistoryDisputed{position});
  }
  signed_.pop_front();
}

std::optional<BatchClaim> Exporter::NextClaim(size_t events) const {
  const bool next = queue_.empty() && replay_.queued() == nullptr;
  if (!next || !statements_ || signer_ == nullptr || !place_known_) return std::nullopt;
  return BatchClaim{
      .link_epoch = link_epoch_, .first = sent_.Next(), .count = events, .before = digest_};
}

void Exporter::Sign(const BatchTree& tree, Position first, size_t count,
                    federation::v1::Batch* batch) {
  if (!statements_ || signer_ == nullptr || tree.root.empty()) return;
  std::string after = signer_->Sign(
      tree, {.link_epoch = link_epoch_, .first = first, .count = count, .before = digest_},
      batch->mutable_export_statement());
  if (after.empty()) return batch->clear_export_statement();
  digest_ = std::move(after);
  signed_.emplace_back(sent_, digest_);
  if (signed_.size() > kMaxSigned) signed_.pop_front();
}

}  // namespace cdgate::link
