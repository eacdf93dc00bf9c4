#include "gateway/state/rows.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/state.pb.h"

namespace cdgate::state {
namespace {

constexpr absl::string_view kNul("\0", 1);

void PutBigEndian(uint64_t value, char* out) {
  static_assert(std::endian::native == std::endian::little);
  const uint64_t swapped = __builtin_bswap64(value);
  std::memcpy(out, &swapped, sizeof swapped);
}

void AppendBigEndian32(uint32_t value, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

uint32_t ReadBigEndian32(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

IdentityRow::Digest FirstBytes(absl::string_view digest) {
  IdentityRow::Digest out{};
  std::copy_n(digest.data(), std::min(digest.size(), out.size()), out.data());
  return out;
}

// In a row that is kept for the audit; none in others.
std::optional<absl::Time> CommitTimeOf(Table table, absl::string_view value) {
  const int size = static_cast<int>(value.size());
  if (table == Table::kOutcome) {
    storage::v1::OutcomeRow row;
    if (row.ParseFromArray(value.data(), size)) return absl::FromUnixNanos(row.commit_time_nanos());
  } else if (table == Table::kRefusal) {
    storage::v1::RefusalRow row;
    if (row.ParseFromArray(value.data(), size)) return absl::FromUnixNanos(row.commit_time_nanos());
  } else if (table == Table::kOutcomeSequence && value.size() == kIdentityKeyBytes + 8) {
    const uint64_t nanos = ReadBigEndian(value.substr(kIdentityKeyBytes));
    return absl::FromUnixNanos(static_cast<int64_t>(nanos));
  }
  return std::nullopt;
}

}  // namespace

IdentityRow IdentityRow::Of(const event::StoredView& stored, base::Sequence sequence) {
  IdentityRow row = Of(stored.accepted_time_nanos(), stored.content_digest(), stored.commitment());
  row.sequence = sequence;
  return row;
}

IdentityRow IdentityRow::Of(int64_t accepted_time_nanos, absl::string_view content_digest,
                            absl::string_view commitment) {
  const int64_t seconds = accepted_time_nanos / 1'000'000'000;
  return {.accepted_seconds = static_cast<uint32_t>(std::clamp<int64_t>(seconds, 0, UINT32_MAX)),
          .content = FirstBytes(content_digest),
          .commitment = FirstBytes(commitment)};
}

void AppendBigEndian(uint64_t value, std::string* out) {
  char bytes[8];
  PutBigEndian(value, bytes);
  out->append(bytes, sizeof bytes);
}

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

IdentityKeyBytes EncodeIdentityKey(const IdentityKey& key) {
  IdentityKeyBytes out;
  PutBigEndian(key.id_hash, out.data());
  PutBigEndian(key.full_hash, out.data() + 8);
  return out;
}

IdentityRowBytes EncodeIdentityRow(const IdentityRow& row) {
  IdentityRowBytes out;
  PutBigEndian(row.sequence.value(), out.data());
  for (int i = 0; i < 4; ++i) {
    out[static_cast<size_t>(8 + i)] = static_cast<char>(row.accepted_seconds >> (24 - 8 * i));
  }
  std::copy(row.content.begin(), row.content.end(), out.data() + 12);
  std::copy(row.commitment.begin(), row.commitment.end(), out.data() + 24);
  return out;
}

std::optional<IdentityRow> DecodeIdentityRow(absl::string_view bytes) {
  if (bytes.size() != kIdentityRowBytes) return std::nullopt;
  return IdentityRow{.sequence = base::Sequence(ReadBigEndian(bytes)),
                     .accepted_seconds = ReadBigEndian32(bytes.substr(8)),
                     .content = FirstBytes(bytes.substr(12)),
                     .commitment = FirstBytes(bytes.substr(24))};
}

std::string AfterPrefix(absl::string_view prefix) {
  std::string out(prefix);
  while (!out.empty() && static_cast<unsigned char>(out.back()) == 0xff) out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(out.back() + 1);
  return out;
}

std::string ResourceKey(absl::string_view kind, absl::string_view name) {
  return absl::StrCat(kind, kNul, name);
}

std::string HistoryPrefix(absl::string_view kind, absl::string_view name) {
  return absl::StrCat(kind, kNul, name, kNul);
}

std::string HistoryKey(absl::string_view kind, absl::string_view name, uint64_t version) {
  std::string out = HistoryPrefix(kind, name);
  AppendBigEndian(version, &out);
  return out;
}

std::string LedgerPrefix(absl::string_view peer, char what) {
  return absl::StrCat(peer, kNul, absl::string_view(&what, 1));
}

std::string LedgerKey(absl::string_view peer, char what, uint64_t sequence) {
  std::string out = LedgerPrefix(peer, what);
  AppendBigEndian(sequence, &out);
  return out;
}

std::string ReplayPrefix(absl::string_view peer, char what, uint64_t job) {
  return LedgerKey(peer, what, job);
}

std::string ReplayKey(absl::string_view peer, char what, uint64_t job, uint64_t sequence) {
  std::string out = ReplayPrefix(peer, what, job);
  AppendBigEndian(sequence, &out);
  return out;
}

std::string OutcomeKey(const IdentityKey& identity, uint64_t sequence) {
  std::string out(ViewOf(EncodeIdentityKey(identity)));
  AppendBigEndian(sequence, &out);
  return out;
}

std::string OutcomeSequenceKey(uint64_t sequence) {
  std::string out;
  AppendBigEndian(sequence, &out);
  return out;
}

std::string EncodeOutcomePlace(const IdentityKey& identity, int64_t commit_time_nanos) {
  std::string out(ViewOf(EncodeIdentityKey(identity)));
  AppendBigEndian(static_cast<uint64_t>(commit_time_nanos), &out);
  return out;
}

std::string IdPrefix(uint64_t id_hash) {
  std::string out;
  AppendBigEndian(id_hash, &out);
  return out;
}

std::string RefusalKey(const IdentityKey& identity, uint64_t commit, uint32_t index) {
  std::string out(ViewOf(EncodeIdentityKey(identity)));
  AppendBigEndian(commit, &out);
  AppendBigEndian32(index, &out);
  return out;
}

std::string DeadLetterPrefix(absl::string_view reader) { return absl::StrCat(reader, kNul); }

std::string DeadLetterRowKey(absl::string_view reader, uint64_t commit, uint32_t index) {
  std::string out = DeadLetterPrefix(reader);
  AppendBigEndian(commit, &out);
  AppendBigEndian32(index, &out);
  return out;
}

RowExpired ExpiredRows(base::Clock& clock, RowLives lives) {
  return [&clock, lives](Table table, absl::string_view value) {
    if (table == Table::kIdentity) {
      const std::optional<IdentityRow> row = DecodeIdentityRow(value);
      return row && row->accepted() < clock.Now() - lives.dedup_horizon;
    }
    const std::optional<absl::Time> committed = CommitTimeOf(table, value);
    return committed && *committed < clock.Now() - lives.audit_retention;
  };
}

}  // namespace cdgate::state
