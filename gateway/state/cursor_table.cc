#include "gateway/state/cursor_table.h"

#include "absl/strings/match.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::state {

using base::MutexLock;

absl::Status CursorTable::Load(const KvStore& kv) {
  std::map<std::string, storage::v1::CursorMove, std::less<>> loaded;
  bool damaged = false;
  CDGATE_RETURN_IF_ERROR(
      kv.Scan(Table::kCursor, "", "", [&](absl::string_view key, absl::string_view value) {
        damaged =
            !loaded[std::string(key)].ParseFromArray(value.data(), static_cast<int>(value.size()));
        return !damaged;
      }));
  if (damaged) return base::MakeError(base::Reason::kLogCorrupt, "a cursor's row is damaged");
  MutexLock lock(mu_);
  cursors_ = std::move(loaded);
  return absl::OkStatus();
}

void CursorTable::Apply(const event::Commit& commit, KvBatch* batch) {
  if (commit.record.cursors().empty()) return;
  MutexLock lock(mu_);
  for (const storage::v1::CursorMove& move : commit.record.cursors()) {
    if (move.removed()) {
      cursors_.erase(move.reader());
      batch->Delete(Table::kCursor, move.reader());
    } else {
      cursors_[move.reader()] = move;
      batch->Put(Table::kCursor, move.reader(), move.SerializeAsString());
    }
  }
}

std::optional<storage::v1::CursorMove> CursorTable::Find(absl::string_view reader) const {
  MutexLock lock(mu_);
  const auto it = cursors_.find(reader);
  if (it == cursors_.end()) return std::nullopt;
  return it->second;
}

std::vector<storage::v1::CursorMove> CursorTable::List(absl::string_view prefix) const {
  std::vector<storage::v1::CursorMove> out;
  MutexLock lock(mu_);
  for (auto it = cursors_.lower_bound(prefix);
       it != cursors_.end() && absl::StartsWith(it->first, prefix); ++it) {
    out.push_back(it->second);
  }
  return out;
}

void CursorTable::RollBack(KvBatch* batch) {
  MutexLock lock(mu_);
  for (auto it = cursors_.begin(); it != cursors_.end();) {
    if (!absl::StartsWith(it->first, "link/")) {
      ++it;
      continue;
    }
    batch->Delete(Table::kCursor, it->first);
    it = cursors_.erase(it);
  }
}

}  // namespace cdgate::state
