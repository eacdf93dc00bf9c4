#include "gateway/state/identity_index.h"

#include <algorithm>

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::state {
namespace {

absl::Status Damaged() {
  return base::MakeError(base::Reason::kLogCorrupt,
                         "a row of the identity index is damaged; restore the data directory "
                         "from a backup");
}

}  // namespace

void IdentityIndex::Apply(const event::Commit& commit, absl::Span<const IdentityKey> identities,
                          KvBatch* batch) const {
  for (size_t i = 0; i < commit.events.size(); ++i) {
    const event::Record& record = commit.events[i];
    const IdentityKey key = identities.empty()
                                ? hasher_.Of(record.origin(), record.source(), record.id())
                                : identities[i];
    batch->Put(Table::kIdentity, ViewOf(EncodeIdentityKey(key)),
               ViewOf(EncodeIdentityRow(IdentityRow::Of(record.stored(), record.sequence()))));
  }
}

absl::Status IdentityIndex::Find(absl::Span<const IdentityKey> keys,
                                 std::vector<std::optional<IdentityRow>>* rows) const {
  std::vector<IdentityKeyBytes> encoded;
  std::vector<absl::string_view> views;
  encoded.reserve(keys.size());
  views.reserve(keys.size());
  for (const IdentityKey& key : keys) {
    encoded.push_back(EncodeIdentityKey(key));
    views.push_back(ViewOf(encoded.back()));
  }
  std::vector<std::string> values;
  std::vector<bool> found;
  CDGATE_RETURN_IF_ERROR(kv_.MultiGet(Table::kIdentity, views, &values, &found));
  rows->assign(keys.size(), std::nullopt);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!found[i]) continue;
    (*rows)[i] = DecodeIdentityRow(values[i]);
    if (!(*rows)[i]) return Damaged();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<base::Sequence>> IdentityIndex::FindById(absl::string_view id) const {
  const std::string prefix = IdPrefix(hasher_.OfId(id));
  std::vector<base::Sequence> out;
  bool damaged = false;
  CDGATE_RETURN_IF_ERROR(kv_.Scan(Table::kIdentity, prefix, AfterPrefix(prefix),
                                  [&](absl::string_view, absl::string_view value) {
                                    const auto row = DecodeIdentityRow(value);
                                    damaged = !row;
                                    if (row) out.push_back(row->sequence);
                                    return !damaged;
                                  }));
  if (damaged) return Damaged();
  std::sort(out.begin(), out.end());
  return out;
}

absl::Status IdentityIndex::RollBack(base::Sequence next, KvBatch* batch) const {
  return kv_.Scan(Table::kIdentity, "", "", [&](absl::string_view key, absl::string_view value) {
    const auto row = DecodeIdentityRow(value);
    if (row && row->sequence >= next) batch->Delete(Table::kIdentity, key);
    return true;
  });
}

}  // namespace cdgate::state
