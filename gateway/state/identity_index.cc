#include "gateway/state/identity_index.h"

#include <algorithm>
#include <utility>

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::state {

using base::MutexLock;

namespace {

absl::Status Damaged() {
  return base::MakeError(base::Reason::kLogCorrupt,
                         "a row of the identity index is damaged; restore the data directory "
                         "from a backup");
}

// How far ahead memory is fetched.
constexpr size_t kAhead = 8;

}  // namespace

IdentityIndex::Entries IdentityIndex::EntriesOf(const event::Commit& commit) const {
  Entries entries;
  entries.reserve(commit.events.size());
  for (const event::Record& record : commit.events) {
    entries.push_back({.key = hasher_.Of(record.origin(), record.source(), record.id()),
                       .row = IdentityRow::Of(record.stored(), record.sequence())});
  }
  return entries;
}

void IdentityIndex::Apply(const event::Commit& commit, absl::Span<const IdentityEntry> entries) {
  if (commit.events.empty()) return;
  Entries computed;
  if (entries.empty()) {
    computed = EntriesOf(commit);
    entries = computed;
  }
  MutexLock lock(mu_);
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i + kAhead < entries.size()) filter_.Prefetch(entries[i + kAhead].key);
    recent_->Put(entries[i]);
    filter_.Add(entries[i].key);
  }
}

const IdentityRow* IdentityIndex::FindInMemory(const IdentityKey& key) const {
  const IdentityRow* const row = recent_->Find(key);
  return row != nullptr || writing_ == nullptr ? row : writing_->Find(key);
}

bool IdentityIndex::IsNew(const IdentityKey& key) const { return filled_ && !filter_.MayHold(key); }

absl::Status IdentityIndex::Find(absl::Span<const IdentityKey> keys,
                                 std::vector<std::optional<IdentityRow>>* rows) const {
  rows->assign(keys.size(), std::nullopt);
  std::vector<size_t> missing;
  missing.reserve(keys.size());
  {
    MutexLock lock(mu_);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (i + kAhead < keys.size()) filter_.Prefetch(keys[i + kAhead]);
      if (IsNew(keys[i])) continue;
      const IdentityRow* const row = FindInMemory(keys[i]);
      if (row == nullptr) {
        missing.push_back(i);
      } else {
        (*rows)[i] = *row;
      }
    }
  }
  return missing.empty() ? absl::OkStatus() : FindWritten(keys, missing, rows);
}

absl::Status IdentityIndex::FindWritten(absl::Span<const IdentityKey> keys,
                                        const std::vector<size_t>& which,
                                        std::vector<std::optional<IdentityRow>>* rows) const {
  std::vector<IdentityKeyBytes> encoded(which.size());
  std::vector<absl::string_view> views(which.size());
  for (size_t i = 0; i < which.size(); ++i) {
    encoded[i] = EncodeIdentityKey(keys[which[i]]);
    views[i] = ViewOf(encoded[i]);
  }
  std::vector<std::string> values;
  std::vector<bool> found;
  CDGATE_RETURN_IF_ERROR(kv_.MultiGet(Table::kIdentity, views, &values, &found));
  for (size_t i = 0; i < which.size(); ++i) {
    if (!found[i]) continue;
    std::optional<IdentityRow>& row = (*rows)[which[i]];
    row = DecodeIdentityRow(values[i]);
    if (!row) return Damaged();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<base::Sequence>> IdentityIndex::FindById(absl::string_view id) const {
  const uint64_t hash = hasher_.OfId(id);
  std::vector<base::Sequence> out;
  {
    MutexLock lock(mu_);
    for (const TierPtr& tier : {recent_, writing_}) {
      if (tier == nullptr) continue;
      tier->ForEachOfId(hash,
                        [&out](const IdentityEntry& entry) { out.push_back(entry.row.sequence); });
    }
  }
  const std::string prefix = IdPrefix(hash);
  bool damaged = false;
  CDGATE_RETURN_IF_ERROR(kv_.Scan(Table::kIdentity, prefix, AfterPrefix(prefix),
                                  [&](absl::string_view, absl::string_view value) {
                                    const auto row = DecodeIdentityRow(value);
                                    damaged = !row;
                                    if (row) out.push_back(row->sequence);
                                    return !damaged;
                                  }));
  if (damaged) return Damaged();
  // A row may have been written between the two looks.
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

size_t IdentityIndex::unwritten() const {
  MutexLock lock(mu_);
  return recent_->size();
}

void IdentityIndex::BeginWrite() {
  auto fresh = std::make_shared<IdentityTier>();
  MutexLock lock(mu_);
  writing_ = std::exchange(recent_, std::move(fresh));
}

absl::Status IdentityIndex::Write() {
  TierPtr tier;
  {
    MutexLock lock(mu_);
    tier = writing_;
  }
  if (tier == nullptr) return absl::OkStatus();
  IdentityTier::Sorted sorted(*tier);
  IdentityKeyBytes key;
  IdentityRowBytes value;
  CDGATE_RETURN_IF_ERROR(kv_.WriteSorted(
      Table::kIdentity, [&](absl::string_view* key_view, absl::string_view* value_view) {
        const IdentityEntry* const entry = sorted.Next();
        if (entry == nullptr) return false;
        key = EncodeIdentityKey(entry->key);
        value = EncodeIdentityRow(entry->row);
        *key_view = ViewOf(key);
        *value_view = ViewOf(value);
        return true;
      }));
  MutexLock lock(mu_);
  writing_ = nullptr;
  return absl::OkStatus();
}

// False: there is no more to be done.
bool IdentityIndex::AddToFilter(absl::Span<const IdentityKey> keys) {
  MutexLock lock(mu_);
  for (const IdentityKey& key : keys) filter_.Add(key);
  return !filter_.given_up() && !stop_fill_;
}

absl::Status IdentityIndex::Fill() {
  constexpr size_t kAtOnce = 1024;  // keeps nobody waiting for the lock
  std::vector<IdentityKey> keys;
  bool on = true;
  CDGATE_RETURN_IF_ERROR(
      kv_.Scan(Table::kIdentity, "", "", [&](absl::string_view key, absl::string_view) {
        if (key.size() != kIdentityKeyBytes) return true;
        keys.push_back({.id_hash = ReadBigEndian(key), .full_hash = ReadBigEndian(key.substr(8))});
        if (keys.size() < kAtOnce) return true;
        on = AddToFilter(keys);
        keys.clear();
        return on;
      }));
  if (!on || !AddToFilter(keys)) return absl::OkStatus();
  MutexLock lock(mu_);
  filled_ = true;
  return absl::OkStatus();
}

absl::Status IdentityIndex::RollBack(base::Sequence next, KvBatch* batch) const {
  return kv_.Scan(Table::kIdentity, "", "", [&](absl::string_view key, absl::string_view value) {
    const auto row = DecodeIdentityRow(value);
    if (row && row->sequence >= next) batch->Delete(Table::kIdentity, key);
    return true;
  });
}

}  // namespace cdgate::state
