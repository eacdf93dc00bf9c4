#include "gateway/state/resource_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/rows.h"

namespace cdgate::state {
namespace {

using base::MutexLock;

// Every version of these is kept: who allowed what, and when, and what it then depended on.
// Of the others only the last: an agreement that ended and an invite that was used must be
// forgotten.
bool HasHistory(absl::string_view kind) {
  return kind == kPolicyKind || kind == kGrantKind || kind == kEnvironmentKind ||
         kind == kGroupKind || kind == kDenialKind;
}

// A plan that was deleted leaves its version only.
storage::v1::ResourceChange Kept(const storage::v1::ResourceChange& change) {
  if (change.kind() != kPlanKind || !change.deleted()) return change;
  storage::v1::ResourceChange out;
  out.set_kind(change.kind());
  out.set_name(change.name());
  out.set_version(change.version());
  out.set_deleted(true);
  return out;
}

ResourcePtr FromRow(const storage::v1::ResourceRow& row) {
  const storage::v1::ResourceChange& change = row.change();
  auto out = std::make_shared<StoredResource>();
  out->kind = change.kind();
  out->name = change.name();
  out->value = change.value();
  out->version = change.version();
  out->base_version = change.base_version();
  out->author = change.author();
  out->commit_time = absl::FromUnixNanos(row.commit_time_nanos());
  out->effective_sequence = base::Sequence(row.effective_sequence());
  out->commit = row.commit();
  out->source = change.source();
  out->unplanned = change.unplanned();
  out->deleted = change.deleted();
  out->plan = change.plan();
  out->approved_by = change.approved_by();
  out->restored_version = change.restored_version();
  return out;
}

storage::v1::ResourceRow RowOf(const storage::v1::ResourceChange& change,
                               const event::Commit& commit) {
  storage::v1::ResourceRow row;
  *row.mutable_change() = Kept(change);
  row.set_commit_time_nanos(commit.record.commit_time_nanos());
  row.set_effective_sequence(commit.first_sequence.value());
  row.set_commit(commit.number);
  return row;
}

// The rows of `table` with `begin` <= key < `end`, as resources.
absl::StatusOr<std::vector<ResourcePtr>> ReadRows(const KvStore& kv, Table table,
                                                  absl::string_view begin, absl::string_view end) {
  std::vector<ResourcePtr> out;
  std::string damaged;
  CDGATE_RETURN_IF_ERROR(
      kv.Scan(table, begin, end, [&](absl::string_view key, absl::string_view value) {
        storage::v1::ResourceRow row;
        if (!row.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
          damaged = std::string(key);
          return false;
        }
        out.push_back(FromRow(row));
        return true;
      }));
  if (damaged.empty()) return out;
  return base::MakeError(base::Reason::kLogCorrupt,
                         absl::StrCat("the row of resource ", damaged, " is damaged"));
}

}  // namespace

absl::Status ResourceTable::Load() {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<ResourcePtr> rows,
                          ReadRows(kv_, Table::kResource, "", ""));
  MutexLock lock(mu_);
  snapshot_ = snapshot_->With(rows);
  return absl::OkStatus();
}

void ResourceTable::Apply(const event::Commit& commit, KvBatch* batch) {
  if (commit.record.resources().empty()) return;
  std::vector<ResourcePtr> changes;
  for (const storage::v1::ResourceChange& change : commit.record.resources()) {
    const storage::v1::ResourceRow row = RowOf(change, commit);
    const std::string bytes = row.SerializeAsString();
    batch->Put(Table::kResource, ResourceKey(change.kind(), change.name()), bytes);
    if (HasHistory(change.kind())) {
      batch->Put(Table::kHistory, HistoryKey(change.kind(), change.name(), change.version()),
                 bytes);
    }
    changes.push_back(FromRow(row));
  }
  ResourceSnapshotPtr next = snapshot()->With(changes);
  MutexLock lock(mu_);
  snapshot_.swap(next);
}

ResourceSnapshotPtr ResourceTable::snapshot() const {
  MutexLock lock(mu_);
  return snapshot_;
}

absl::StatusOr<std::vector<ResourcePtr>> ResourceTable::History(absl::string_view kind,
                                                                absl::string_view name) const {
  if (!HasHistory(kind)) {
    const ResourcePtr last = snapshot()->Latest(kind, name);
    return last == nullptr ? std::vector<ResourcePtr>() : std::vector<ResourcePtr>{last};
  }
  const std::string prefix = HistoryPrefix(kind, name);
  CDGATE_ASSIGN_OR_RETURN(std::vector<ResourcePtr> rows,
                          ReadRows(kv_, Table::kHistory, prefix, AfterPrefix(prefix)));
  std::reverse(rows.begin(), rows.end());
  return rows;
}

}  // namespace cdgate::state
