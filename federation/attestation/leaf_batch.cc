#include "federation/attestation/leaf_batch.h"

#include <cstring>

namespace cdgate::attestation {

using crypto::Sha256Batch;

void LeafBatch::Reset(absl::string_view seed) {
  seed_.assign(seed.data(), seed.size());
  waiting_.clear();
  texts_.clear();
  leaves_.clear();
}

void LeafBatch::Add(const CopyView& copy, const EventClaim& claim, const Digest* content,
                    const TermsView& terms, const Digest& previous) {
  const auto place = static_cast<uint32_t>(size());
  Waiting& waiting = waiting_.emplace_back();
  fields_.AppendAttributes(copy.event, &texts_);
  waiting.attributes_end = texts_.size();
  CopyDigests digests;
  digests.content = content != nullptr ? *content : maker_.ContentOf(copy.event);
  digests.changes = maker_.ChangesOf(copy);
  waiting.digest_at =
      LeafMaker::AppendExport(maker_.Salt(seed_, place), claim, digests, terms, previous, &texts_);
  waiting.end = texts_.size();
  if (waiting_.size() == Sha256Batch::kLanes) HashWaiting();
}

bool LeafBatch::AddReceived(const event::RelayedView& relayed, const event::CloudEventView& event,
                            const Digest* content) {
  TermsView terms;
  if (relayed.has_terms() && !ReadTerms(relayed.terms(), &terms)) return false;
  copy_.Assign(event, relayed.withheld(), relayed.substituted());
  Add(copy_, ClaimOf(relayed), content, terms, maker_.Previous(relayed.statements()));
  return true;
}

void LeafBatch::HashWaiting() {
  views_.clear();
  size_t begin = 0;
  for (const Waiting& one : waiting_) {
    views_.emplace_back(texts_.data() + begin, one.attributes_end - begin);
    begin = one.end;
  }
  digests_.resize(views_.size());
  Sha256Batch::OfThread().Hash(views_, absl::MakeSpan(digests_));

  for (size_t i = 0; i < waiting_.size(); ++i) {
    const Waiting& one = waiting_[i];
    std::memcpy(&texts_[one.digest_at], digests_[i].data(), crypto::kSha256Bytes);
    views_[i] = {texts_.data() + one.attributes_end, one.end - one.attributes_end};
  }
  const size_t before = leaves_.size();
  leaves_.resize(before + views_.size());
  Sha256Batch::OfThread().Hash(views_, absl::MakeSpan(leaves_).subspan(before));
  waiting_.clear();
  texts_.clear();
}

absl::Span<const Digest> LeafBatch::Leaves() {
  if (!waiting_.empty()) HashWaiting();
  return leaves_;
}

}  // namespace cdgate::attestation
