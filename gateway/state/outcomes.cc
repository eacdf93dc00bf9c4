#include "gateway/state/outcomes.h"

#include <algorithm>
#include <string>
#include <utility>

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/rows.h"

namespace cdgate::state {
namespace {

using base::MutexLock;
using base::Sequence;
using storage::v1::OutcomeRow;

absl::Status Damaged() {
  return base::MakeError(base::Reason::kLogCorrupt,
                         "the row of an event that was removed is damaged; restore the data "
                         "directory from a backup");
}

// Empty text matches anything.
bool Matches(absl::string_view wanted, absl::string_view is) {
  return wanted.empty() || wanted == is;
}

bool Parse(absl::string_view bytes, OutcomeRow* row) {
  return row->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// The first event that a row of the commit's ledger is about; none where it has no such row.
std::optional<Sequence> FirstAccounted(const event::Commit& commit) {
  std::optional<Sequence> first;
  for (const storage::v1::LedgerRow& row : commit.record.ledger()) {
    if (row.horizon()) continue;
    const Sequence sequence(row.first_sequence());
    first = std::min(first.value_or(sequence), sequence);
  }
  return first;
}

}  // namespace

OutcomeRow MakeOutcomeRow(const event::Commit& commit, const event::Record& record) {
  OutcomeRow row;
  row.set_sequence(record.sequence().value());
  row.set_origin(std::string(record.origin()));
  row.set_source(std::string(record.source()));
  row.set_id(std::string(record.id()));
  row.set_type(std::string(record.type()));
  row.set_accepted_time_nanos(record.stored().accepted_time_nanos());
  row.set_received_from(std::string(record.stored().received_from()));
  row.set_import_rule(std::string(record.stored().import_rule()));
  row.set_commit_time_nanos(commit.record.commit_time_nanos());
  return row;
}

absl::Status Outcomes::Load() {
  std::string value;
  CDGATE_ASSIGN_OR_RETURN(const bool found, kv_.Get(Table::kMeta, kOutcomesKey, &value));
  if (!found) return absl::OkStatus();
  if (value.size() != 16) return Damaged();
  MutexLock lock(mu_);
  next_ = kept_ = Sequence(ReadBigEndian(value));
  tidied_ = Sequence(ReadBigEndian(absl::string_view(value).substr(8)));
  return absl::OkStatus();
}

void Outcomes::PutProgress(KvBatch* batch) const {
  std::string value;
  AppendBigEndian(next_.value(), &value);
  AppendBigEndian(tidied_.value(), &value);
  batch->Put(Table::kMeta, kOutcomesKey, value);
}

void Outcomes::Apply(const event::Commit& commit, KvBatch* batch) {
  const std::optional<Sequence> first = FirstAccounted(commit);
  if (!first) return;
  MutexLock lock(mu_);
  touched_ = std::min(touched_.value_or(*first), *first);
  if (*first >= next_) return;
  next_ = *first;
  kept_ = std::min(kept_, next_);
  PutProgress(batch);
}

Sequence Outcomes::next() const {
  MutexLock lock(mu_);
  return next_;
}

Sequence Outcomes::kept() const {
  MutexLock lock(mu_);
  return kept_;
}

void Outcomes::Kept(Sequence next) {
  MutexLock lock(mu_);
  kept_ = std::min(next, next_);
}

void Outcomes::BeginPiece() {
  MutexLock lock(mu_);
  touched_.reset();
}

void Outcomes::PutPiece(absl::Span<const OutcomeRow> rows, Sequence last, KvBatch* batch) {
  for (const OutcomeRow& row : rows) {
    const IdentityKey identity = hasher_.Of(row.origin(), row.source(), row.id());
    batch->Put(Table::kOutcome, OutcomeKey(identity, row.sequence()), row.SerializeAsString());
    batch->Put(Table::kOutcomeSequence, OutcomeSequenceKey(row.sequence()),
               EncodeOutcomePlace(identity, row.commit_time_nanos()));
  }
  MutexLock lock(mu_);
  // Exceptions of events that went before there were rows stay.
  if (tidied_ == Sequence() && !rows.empty()) tidied_ = Sequence(rows.front().sequence());
  next_ = std::min(last.Next(), touched_.value_or(last.Next()));
  PutProgress(batch);
}

Sequence Outcomes::tidied() const {
  MutexLock lock(mu_);
  return tidied_;
}

void Outcomes::Tidied(Sequence end, KvBatch* batch) {
  MutexLock lock(mu_);
  tidied_ = end;
  PutProgress(batch);
}

absl::StatusOr<std::vector<OutcomeRow>> Outcomes::Find(absl::string_view id,
                                                       absl::string_view source,
                                                       absl::string_view origin) const {
  std::vector<OutcomeRow> out;
  bool damaged = false;
  const std::string prefix = IdPrefix(hasher_.OfId(id));
  CDGATE_RETURN_IF_ERROR(kv_.Scan(Table::kOutcome, prefix, AfterPrefix(prefix),
                                  [&](absl::string_view, absl::string_view value) {
                                    OutcomeRow row;
                                    damaged = !Parse(value, &row);
                                    if (row.id() == id && Matches(source, row.source()) &&
                                        Matches(origin, row.origin())) {
                                      out.push_back(std::move(row));
                                    }
                                    return !damaged;
                                  }));
  if (damaged) return Damaged();
  std::sort(out.begin(), out.end(),
            [](const OutcomeRow& a, const OutcomeRow& b) { return a.sequence() < b.sequence(); });
  return out;
}

absl::StatusOr<std::optional<OutcomeRow>> Outcomes::At(Sequence sequence) const {
  std::string place;
  CDGATE_ASSIGN_OR_RETURN(
      bool found, kv_.Get(Table::kOutcomeSequence, OutcomeSequenceKey(sequence.value()), &place));
  if (!found) return std::nullopt;
  if (place.size() < kIdentityKeyBytes) return Damaged();
  std::string key = place.substr(0, kIdentityKeyBytes);
  AppendBigEndian(sequence.value(), &key);
  std::string value;
  CDGATE_ASSIGN_OR_RETURN(found, kv_.Get(Table::kOutcome, key, &value));
  if (!found) return std::nullopt;  // it expired before its place did
  OutcomeRow row;
  if (!Parse(value, &row)) return Damaged();
  return row;
}

absl::Status Outcomes::RollBack(Sequence next, KvBatch* batch) {
  CDGATE_RETURN_IF_ERROR(
      kv_.Scan(Table::kOutcomeSequence, OutcomeSequenceKey(next.value()), "",
               [&](absl::string_view key, absl::string_view place) {
                 const absl::string_view identity = place.substr(0, kIdentityKeyBytes);
                 batch->Delete(Table::kOutcome, std::string(identity) + std::string(key));
                 batch->Delete(Table::kOutcomeSequence, key);
                 return true;
               }));
  MutexLock lock(mu_);
  if (next_ <= next) return absl::OkStatus();
  next_ = kept_ = next;
  tidied_ = std::min(tidied_, next);
  PutProgress(batch);
  return absl::OkStatus();
}

}  // namespace cdgate::state
