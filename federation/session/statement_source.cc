#include "federation/session/statement_source.h"

#include <utility>

#include "federation/attestation/origin_leaf.h"
#include "federation/session/import_leaf.h"
#include "gateway/event/digests.h"

namespace cdgate::session {

using attestation::Digest;

void StatementSource::SetCommit(const event::Commit& commit) {
  commit_ = &commit;
  own_built_ = false;
  batch_root_.clear();
}

absl::Span<const std::string> StatementSource::Of(const event::Record& record) {
  statements_.clear();
  if (commit_ == nullptr) return statements_;
  if (record.stored().received_from().empty()) {
    AddOwn(record);
  } else {
    AddReceived(record);
  }
  return statements_;
}

void StatementSource::BuildOwn() {
  if (std::exchange(own_built_, true)) return;
  std::vector<Digest> leaves;
  own_places_.clear();
  for (const event::Record& record : commit_->events) {
    own_places_.push_back(leaves.size());
    if (!record.stored().received_from().empty()) continue;
    leaves.push_back(attestation::OriginLeafOf(record.stored(), record.cloud_event(), leaves_));
  }
  own_signature_ = Signature(leaves);
  if (own_signature_) own_.Build(leaves, own_signature_->seed());
}

// As it was committed; else made now, and as good: it is the origin that asks.
std::optional<storage::v1::TreeSignature> StatementSource::Signature(
    absl::Span<const Digest> leaves) const {
  if (commit_->record.has_origin_statement()) return commit_->record.origin_statement();
  return sign_ ? sign_(leaves) : std::nullopt;
}

void StatementSource::AddOwn(const event::Record& record) {
  BuildOwn();
  if (!own_signature_) return;
  const size_t event = record.sequence().value() - commit_->first_sequence.value();
  statements_.push_back(
      attestation::MakeOriginStatement(domain_, *own_signature_,
                                       {.salt = leaves_.OriginSalt(record.stored().salt()),
                                        .inclusion = own_.Prove(own_places_[event])})
          .SerializeAsString());
}

const storage::v1::ImportStatement* StatementSource::BuildBatch(absl::string_view root) {
  if (batch_root_ == root) return batch_statement_;
  for (const storage::v1::ImportStatement& statement : commit_->record.import_statements()) {
    const std::vector<Digest> leaves = attestation::ReadLeaves(statement.leaves());
    if (leaves.empty()) continue;
    batch_.Build(leaves, statement.tree().seed());
    if (event::AsBytes(batch_.root()).substr(0, root.size()) != root) continue;
    batch_root_ = std::string(root);
    return batch_statement_ = &statement;
  }
  return nullptr;
}

void StatementSource::AddReceived(const event::Record& record) {
  const event::StoredView& stored = record.stored();
  const auto leaf = ImportLeaf::Parse(stored.import_leaf());
  const storage::v1::ImportStatement* const batch = leaf ? BuildBatch(leaf->root) : nullptr;
  if (batch == nullptr || leaf->index >= batch_.leaf_count()) return;
  const auto link = attestation::ReadDigest(batch->link());
  attestation::TermsView terms;
  if (!link || !attestation::ReadTerms(stored.terms(), &terms)) return;
  stored.ForEachStatement(
      [this](absl::string_view statement) { statements_.emplace_back(statement); });
  copy_.Assign(record.cloud_event(), stored);
  const auto content = attestation::ReadDigest(stored.content_digest());
  statements_.push_back(attestation::MakeExportStatement(
                            batch->sender(), domain_, batch->tree(),
                            {.salt = leaves_.Salt(batch->tree().seed(), leaf->index),
                             .inclusion = batch_.Prove(leaf->index)},
                            *link, leaves_.DigestsOf(copy_, content ? &*content : nullptr), terms)
                            .SerializeAsString());
}

}  // namespace cdgate::session
