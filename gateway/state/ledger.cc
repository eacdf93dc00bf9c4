#include "gateway/state/ledger.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/rows.h"

namespace cdgate::state {
namespace {

using base::MutexLock;
using storage::v1::LedgerRow;
using storage::v1::PeerCounterRow;

constexpr char kRange = 'r';
constexpr char kException = 'x';
constexpr char kHorizon = 'h';

absl::Status Damaged(absl::string_view what) {
  return base::MakeError(base::Reason::kLogCorrupt,
                         absl::StrCat("a row of the ledger is damaged: ", what));
}

template <typename Message>
bool Parse(absl::string_view bytes, Message* out) {
  return out->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// Decided alike and ended alike.
bool Alike(const LedgerRow& a, const LedgerRow& b) {
  return a.policy_epoch().SerializeAsString() == b.policy_epoch().SerializeAsString() &&
         a.state() == b.state() && a.reason() == b.reason();
}

// The peer of reader "link/PEER/export"; empty for others.
absl::string_view ExportPeer(absl::string_view reader) {
  if (!absl::ConsumePrefix(&reader, "link/") || !absl::ConsumeSuffix(&reader, "/export")) {
    return "";
  }
  return reader;
}

}  // namespace

absl::Status Ledger::Load() {
  absl::flat_hash_map<std::string, PeerCounterRow> loaded;
  const std::string prefix = kCounterPrefix;
  bool damaged = false;
  CDGATE_RETURN_IF_ERROR(kv_.Scan(Table::kMeta, prefix, AfterPrefix(prefix),
                                  [&](absl::string_view key, absl::string_view value) {
                                    key.remove_prefix(prefix.size());
                                    damaged = !Parse(value, &loaded[key]);
                                    return !damaged;
                                  }));
  if (damaged) return Damaged("counters");
  MutexLock lock(mu_);
  counters_ = std::move(loaded);
  return absl::OkStatus();
}

absl::Status Ledger::Apply(const event::Commit& commit, KvBatch* batch) {
  for (const LedgerRow& row : commit.record.ledger()) {
    CDGATE_RETURN_IF_ERROR(ApplyRow(row, batch));
  }
  Count(commit, batch);
  return absl::OkStatus();
}

absl::Status Ledger::ApplyRow(const LedgerRow& row, KvBatch* batch) {
  for (const storage::v1::LedgerException& exception : row.exceptions()) {
    batch->Put(Table::kLedger, LedgerKey(row.peer(), kException, exception.sequence()),
               exception.SerializeAsString());
  }
  if (!row.horizon()) return ApplyRange(row, batch);
  std::string value;
  AppendBigEndian(row.last_sequence(), &value);
  batch->Put(Table::kLedger, LedgerPrefix(row.peer(), kHorizon), value);
  return absl::OkStatus();
}

// One row for consecutive ranges that were decided alike.
absl::Status Ledger::ApplyRange(const LedgerRow& row, KvBatch* batch) {
  if (row.first_sequence() > row.last_sequence()) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(LedgerRow* const newest, NewestRange(row.peer()));
  const bool extends = newest->last_sequence() != 0 && Alike(*newest, row) &&
                       row.first_sequence() >= newest->first_sequence() &&
                       row.first_sequence() <= newest->last_sequence() + 1;
  if (extends) {
    newest->set_last_sequence(std::max(newest->last_sequence(), row.last_sequence()));
  } else {
    *newest = row;
    newest->clear_exceptions();
  }
  batch->Put(Table::kLedger, LedgerKey(row.peer(), kRange, newest->first_sequence()),
             newest->SerializeAsString());
  return absl::OkStatus();
}

absl::StatusOr<LedgerRow*> Ledger::NewestRange(const std::string& peer) {
  const auto known = newest_.find(peer);
  if (known != newest_.end()) return &known->second;
  CDGATE_ASSIGN_OR_RETURN(const auto last,
                          kv_.Last(Table::kLedger, LedgerKey(peer, kRange, UINT64_MAX)));
  LedgerRow row;
  if (last && absl::StartsWith(last->first, LedgerPrefix(peer, kRange)) &&
      !Parse(last->second, &row)) {
    return Damaged(peer);
  }
  return &newest_.emplace(peer, std::move(row)).first->second;
}

void Ledger::Count(const event::Commit& commit, KvBatch* batch) {
  absl::flat_hash_map<std::string, PeerCounters> added;
  absl::string_view last;  // events of one peer come in runs
  size_t run = 0;
  const auto end_run = [&] {
    if (!last.empty()) added[last].received += run;
    run = 0;
  };
  for (const event::Record& record : commit.events) {
    const absl::string_view peer = record.stored().received_from();
    if (peer != last) end_run();
    last = peer;
    ++run;
  }
  end_run();
  for (const auto& refusal : commit.record.refusals()) ++added[refusal.peer()].refused;
  for (const auto& move : commit.record.cursors()) {
    const absl::string_view peer = ExportPeer(move.reader());
    if (peer.empty() || move.removed()) continue;
    const auto before = cursors_.Find(move.reader());
    const uint64_t base = before && before->epoch() == move.epoch() ? before->position() : 0;
    if (move.position() > base) added[peer].given += move.position() - base;
  }
  MutexLock lock(mu_);
  for (const auto& [peer, more] : added) {
    PeerCounterRow& row = counters_[peer];
    row.set_given(row.given() + more.given);
    row.set_received(row.received() + more.received);
    row.set_refused(row.refused() + more.refused);
    batch->Put(Table::kMeta, absl::StrCat(kCounterPrefix, peer), row.SerializeAsString());
  }
}

absl::StatusOr<LedgerFacts> Ledger::Facts(absl::string_view peer, base::Sequence sequence) const {
  LedgerFacts out;
  CDGATE_ASSIGN_OR_RETURN(const auto last,
                          kv_.Last(Table::kLedger, LedgerKey(peer, kRange, sequence.value())));
  LedgerRow range;
  if (last && absl::StartsWith(last->first, LedgerPrefix(peer, kRange))) {
    if (!Parse(last->second, &range)) return Damaged(peer);
    if (range.last_sequence() >= sequence.value()) out.acknowledged = range;
  }
  std::string value;
  CDGATE_ASSIGN_OR_RETURN(
      bool found, kv_.Get(Table::kLedger, LedgerKey(peer, kException, sequence.value()), &value));
  if (found && !Parse(value, &out.exception.emplace())) return Damaged(peer);
  CDGATE_ASSIGN_OR_RETURN(found, kv_.Get(Table::kLedger, LedgerPrefix(peer, kHorizon), &value));
  if (found && value.size() == 8) out.horizon = base::Sequence(ReadBigEndian(value));
  return out;
}

absl::StatusOr<std::vector<LedgerRow>> Ledger::ReadRanges(absl::string_view begin,
                                                          absl::string_view end,
                                                          size_t limit) const {
  std::vector<LedgerRow> out;
  bool damaged = false;
  if (limit == 0) return out;
  CDGATE_RETURN_IF_ERROR(
      kv_.Scan(Table::kLedger, begin, end, [&](absl::string_view, absl::string_view value) {
        damaged = !Parse(value, &out.emplace_back());
        return !damaged && out.size() < limit;
      }));
  if (damaged) return Damaged("range");
  return out;
}

absl::StatusOr<std::vector<LedgerRow>> Ledger::Rows(absl::string_view peer, base::Sequence from,
                                                    size_t limit) const {
  const std::string prefix = LedgerPrefix(peer, kRange);
  std::string begin = LedgerKey(peer, kRange, from.value());
  // The range that `from` lies in begins before it.
  CDGATE_ASSIGN_OR_RETURN(const auto last, kv_.Last(Table::kLedger, begin));
  LedgerRow row;
  if (last && absl::StartsWith(last->first, prefix)) {
    if (!Parse(last->second, &row)) return Damaged(peer);
    if (row.last_sequence() >= from.value()) begin = last->first;
  }
  return ReadRanges(begin, AfterPrefix(prefix), limit);
}

PeerCounters Ledger::Counters(absl::string_view peer) const {
  MutexLock lock(mu_);
  const auto it = counters_.find(peer);
  if (it == counters_.end()) return {};
  return {.given = it->second.given(),
          .received = it->second.received(),
          .refused = it->second.refused()};
}

absl::Status Ledger::RollBack(base::Sequence next, KvBatch* batch) {
  newest_.clear();
  return kv_.Scan(Table::kLedger, "", "", [&](absl::string_view key, absl::string_view value) {
    const size_t name_end = key.find('\0');
    if (name_end == absl::string_view::npos || name_end + 1 >= key.size()) return true;
    const char what = key[name_end + 1];
    const absl::string_view sequence = key.substr(name_end + 2);
    if (what == kHorizon) {
      if (value.size() != 8 || ReadBigEndian(value) < next.value()) return true;
      std::string clipped;
      AppendBigEndian(next.value() - 1, &clipped);
      batch->Put(Table::kLedger, key, clipped);
      return true;
    }
    if (sequence.size() != 8) return true;
    LedgerRow row;
    if (ReadBigEndian(sequence) >= next.value()) {
      batch->Delete(Table::kLedger, key);
    } else if (what == kRange && Parse(value, &row) && row.last_sequence() >= next.value()) {
      row.set_last_sequence(next.value() - 1);
      batch->Put(Table::kLedger, key, row.SerializeAsString());
    }
    return true;
  });
}

}  // namespace cdgate::state
