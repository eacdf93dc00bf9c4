#include "gateway/state/letters.h"

#include <string>
#include <utility>

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/rows.h"

namespace cdgate::state {
namespace {

using storage::v1::DeadLetterRow;
using storage::v1::RefusalRow;

absl::Status Damaged(absl::string_view what) {
  return base::MakeError(base::Reason::kLogCorrupt, what);
}

// Empty text matches anything.
bool Matches(absl::string_view wanted, absl::string_view is) {
  return wanted.empty() || wanted == is;
}

}  // namespace

void Letters::Apply(const event::Commit& commit, KvBatch* batch) const {
  uint32_t index = 0;
  for (const storage::v1::ImportRefusal& refusal : commit.record.refusals()) {
    RefusalRow row;
    *row.mutable_refusal() = refusal;
    row.set_commit_time_nanos(commit.record.commit_time_nanos());
    row.set_commit(commit.number);
    const IdentityKey identity = hasher_.Of(refusal.origin(), refusal.source(), refusal.id());
    batch->Put(Table::kRefusal, RefusalKey(identity, commit.number, index++),
               row.SerializeAsString());
  }
  index = 0;
  for (const storage::v1::DeadLetter& letter : commit.record.dead_letters()) {
    DeadLetterRow row;
    row.mutable_key()->set_reader(letter.reader());
    row.mutable_key()->set_commit(commit.number);
    row.mutable_key()->set_index(index);
    *row.mutable_letter() = letter;
    row.set_commit_time_nanos(commit.record.commit_time_nanos());
    batch->Put(Table::kDeadLetter, DeadLetterRowKey(letter.reader(), commit.number, index++),
               row.SerializeAsString());
  }
  for (const storage::v1::DeadLetterKey& key : commit.record.removed_dead_letters()) {
    batch->Delete(Table::kDeadLetter, DeadLetterRowKey(key.reader(), key.commit(), key.index()));
  }
}

absl::StatusOr<std::vector<RefusalRow>> Letters::Refusals(absl::string_view id,
                                                          absl::string_view source,
                                                          absl::string_view origin) const {
  std::vector<RefusalRow> out;
  bool damaged = false;
  const std::string prefix = IdPrefix(hasher_.OfId(id));
  CDGATE_RETURN_IF_ERROR(kv_.Scan(Table::kRefusal, prefix, AfterPrefix(prefix),
                                  [&](absl::string_view, absl::string_view value) {
                                    RefusalRow row;
                                    damaged = !row.ParseFromArray(value.data(),
                                                                  static_cast<int>(value.size()));
                                    const auto& refusal = row.refusal();
                                    if (refusal.id() == id && Matches(source, refusal.source()) &&
                                        Matches(origin, refusal.origin())) {
                                      out.push_back(std::move(row));
                                    }
                                    return !damaged;
                                  }));
  if (damaged) return Damaged("the row of a refused event is damaged");
  return out;
}

absl::StatusOr<std::vector<DeadLetterRow>> Letters::DeadLetters(
    absl::string_view reader, const storage::v1::DeadLetterKey* after, size_t limit) const {
  std::vector<DeadLetterRow> out;
  if (limit == 0) return out;
  bool damaged = false;
  const std::string prefix = DeadLetterPrefix(reader);
  std::string begin = prefix;
  if (after != nullptr) {
    // The least key behind it is the same with one byte more.
    begin = DeadLetterRowKey(reader, after->commit(), after->index()) + std::string(1, '\0');
  }
  CDGATE_RETURN_IF_ERROR(kv_.Scan(Table::kDeadLetter, begin, AfterPrefix(prefix),
                                  [&](absl::string_view, absl::string_view value) {
                                    damaged = !out.emplace_back().ParseFromArray(
                                        value.data(), static_cast<int>(value.size()));
                                    return !damaged && out.size() < limit;
                                  }));
  if (damaged) return Damaged("the row of a dead letter is damaged");
  return out;
}

}  // namespace cdgate::state
