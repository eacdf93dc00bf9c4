// Keys and values of the fold's rows; docs/log_format.md has them all.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/types.h"
#include "gateway/event/stored_event.h"
#include "gateway/state/identity.h"
#include "gateway/state/kv_store.h"

namespace cdgate::state {

inline constexpr char kMetaKey[] = "fold";
inline constexpr char kCounterPrefix[] = "peer/";
inline constexpr char kOutcomesKey[] = "outcomes";  // how far events have outcome rows

// What the identity index knows of an event. Of its digests the first 12 bytes.
struct IdentityRow {
  static constexpr size_t kDigestBytes = 12;
  using Digest = std::array<char, kDigestBytes>;

  base::Sequence sequence = {};
  uint32_t accepted_seconds = 0;  // since the Unix epoch
  Digest content = {};
  Digest commitment = {};

  absl::Time accepted() const { return absl::FromUnixSeconds(accepted_seconds); }
  static IdentityRow Of(const event::StoredView& stored, base::Sequence sequence);
  // The same of an event whose parts are at hand, before it has a sequence.
  static IdentityRow Of(int64_t accepted_time_nanos, absl::string_view content_digest,
                        absl::string_view commitment);
};

// A row and what it is found by.
struct IdentityEntry {
  IdentityKey key = {};
  IdentityRow row = {};
};

inline constexpr size_t kIdentityKeyBytes = 16;
inline constexpr size_t kIdentityRowBytes = 36;
using IdentityKeyBytes = std::array<char, kIdentityKeyBytes>;
using IdentityRowBytes = std::array<char, kIdentityRowBytes>;

IdentityKeyBytes EncodeIdentityKey(const IdentityKey& key);
IdentityRowBytes EncodeIdentityRow(const IdentityRow& row);
// None where `bytes` is not such a row.
std::optional<IdentityRow> DecodeIdentityRow(absl::string_view bytes);

template <size_t N>
absl::string_view ViewOf(const std::array<char, N>& bytes) {
  return {bytes.data(), N};
}

void AppendBigEndian(uint64_t value, std::string* out);
uint64_t ReadBigEndian(absl::string_view bytes);  // at least 8 bytes

// The least key that is greater than every key with `prefix`; empty where there is none.
std::string AfterPrefix(absl::string_view prefix);

std::string ResourceKey(absl::string_view kind, absl::string_view name);
std::string HistoryKey(absl::string_view kind, absl::string_view name, uint64_t version);
std::string HistoryPrefix(absl::string_view kind, absl::string_view name);

// Ledger rows of a peer: 'r' ranges by first sequence, 'x' exceptions by sequence, 'h'
// the horizon, 'e' what decides from a sequence on; of its replay jobs 'p' ranges and 'q'
// exceptions, by the job's number before the sequence.
std::string LedgerKey(absl::string_view peer, char what, uint64_t sequence);
std::string LedgerPrefix(absl::string_view peer, char what);
std::string ReplayKey(absl::string_view peer, char what, uint64_t job, uint64_t sequence);
std::string ReplayPrefix(absl::string_view peer, char what, uint64_t job);

std::string RefusalKey(const IdentityKey& identity, uint64_t commit, uint32_t index);
std::string IdPrefix(uint64_t id_hash);

std::string OutcomeKey(const IdentityKey& identity, uint64_t sequence);
// What the outcome's row is found by where only its sequence is known: its value begins with
// the 16 bytes of the identity key.
std::string OutcomeSequenceKey(uint64_t sequence);
std::string EncodeOutcomePlace(const IdentityKey& identity, int64_t commit_time_nanos);

std::string DeadLetterRowKey(absl::string_view reader, uint64_t commit, uint32_t index);
std::string DeadLetterPrefix(absl::string_view reader);

// How long rows are kept.
struct RowLives {
  absl::Duration dedup_horizon;    // identities, from when their events were accepted
  absl::Duration audit_retention;  // outcomes and refusals, from their commits
};
// Older rows are forgotten when RocksKv rewrites its files. `clock` outlives it.
RowExpired ExpiredRows(base::Clock& clock, RowLives lives);

}  // namespace cdgate::state
