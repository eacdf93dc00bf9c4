#include "gateway/state/ledger.h"

#include <algorithm>
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
using storage::v1::LedgerException;
using storage::v1::LedgerRow;
using storage::v1::OutcomeCount;
using storage::v1::PeerCounterRow;

constexpr char kRange = 'r';
constexpr char kException = 'x';
constexpr char kHorizon = 'h';
constexpr char kSentEpoch = 'e';
// Of replay jobs; their number comes before the sequence.
constexpr char kReplayRange = 'p';
constexpr char kReplayException = 'q';

// States of PeerCounterRow.imported.
constexpr char kAccepted[] = "accepted";
constexpr char kRefused[] = "refused";

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

std::string RangePrefix(const LedgerRow& row) {
  return row.replay() == 0 ? LedgerPrefix(row.peer(), kRange)
                           : ReplayPrefix(row.peer(), kReplayRange, row.replay());
}

std::string ExceptionKey(const LedgerRow& row, const LedgerException& exception) {
  return row.replay() == 0
             ? LedgerKey(row.peer(), kException, exception.sequence())
             : ReplayKey(row.peer(), kReplayException, row.replay(), exception.sequence());
}

bool IsRange(char what) { return what == kRange || what == kReplayRange; }
bool IsOfJob(char what) { return what == kReplayRange || what == kReplayException; }

// What a key of the ledger says.
struct KeyParts {
  absl::string_view peer;
  char what = 0;
  uint64_t sequence = 0;  // 0 of a horizon
};

std::optional<KeyParts> PartsOf(absl::string_view key) {
  const size_t name_end = key.find('\0');
  if (name_end == absl::string_view::npos || name_end + 1 >= key.size()) return std::nullopt;
  KeyParts out{.peer = key.substr(0, name_end), .what = key[name_end + 1]};
  const absl::string_view rest = key.substr(name_end + 2);
  if (out.what == kHorizon) return out;
  if (rest.size() != (IsOfJob(out.what) ? 16 : 8)) return std::nullopt;
  out.sequence = ReadBigEndian(rest.substr(rest.size() - 8));
  return out;
}

// The first key at or behind `begin`; empty: there is none.
absl::StatusOr<std::string> FirstKey(const KvStore& kv, absl::string_view begin,
                                     absl::string_view end) {
  std::string out;
  CDGATE_RETURN_IF_ERROR(
      kv.Scan(Table::kLedger, begin, end, [&](absl::string_view key, absl::string_view) {
        out = std::string(key);
        return false;
      }));
  return out;
}

// The peers that have rows: one look for each.
absl::StatusOr<std::vector<std::string>> PeersIn(const KvStore& kv) {
  std::vector<std::string> out;
  std::string begin;
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const std::string key, FirstKey(kv, begin, ""));
    if (key.empty()) return out;
    out.push_back(key.substr(0, key.find('\0')));
    begin = AfterPrefix(absl::StrCat(out.back(), absl::string_view("\0", 1)));
  }
}

// The jobs of a peer that have rows of the kind `what`, ascending: one look for each.
absl::StatusOr<std::vector<uint64_t>> JobsOf(const KvStore& kv, absl::string_view peer, char what) {
  std::vector<uint64_t> out;
  const std::string prefix = LedgerPrefix(peer, what);
  std::string begin = prefix;
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const std::string key, FirstKey(kv, begin, AfterPrefix(prefix)));
    if (key.size() < prefix.size() + 8) return out;
    out.push_back(ReadBigEndian(absl::string_view(key).substr(prefix.size())));
    begin = AfterPrefix(ReplayPrefix(peer, what, out.back()));
  }
}

using Counts = google::protobuf::RepeatedPtrField<OutcomeCount>;

void AddTo(absl::string_view state, absl::string_view reason, uint64_t n, Counts* counts) {
  for (OutcomeCount& count : *counts) {
    if (count.state() != state || count.reason() != reason) continue;
    count.set_count(count.count() + n);
    return;
  }
  OutcomeCount* const added = counts->Add();
  added->set_state(std::string(state));
  added->set_reason(std::string(reason));
  added->set_count(n);
}

// Of one commit, by peer.
using Added = absl::flat_hash_map<std::string, PeerCounterRow>;

void AddTo(const PeerCounterRow& more, PeerCounterRow* row) {
  row->set_given(row->given() + more.given());
  row->set_received(row->received() + more.received());
  row->set_refused(row->refused() + more.refused());
  for (const OutcomeCount& count : more.exported()) {
    AddTo(count.state(), count.reason(), count.count(), row->mutable_exported());
  }
  for (const OutcomeCount& count : more.imported()) {
    AddTo(count.state(), count.reason(), count.count(), row->mutable_imported());
  }
}

PeerCounters CountersOf(const PeerCounterRow& row) {
  return {.given = row.given(),
          .received = row.received(),
          .refused = row.refused(),
          .exported = {row.exported().begin(), row.exported().end()},
          .imported = {row.imported().begin(), row.imported().end()}};
}

void CountReceived(const event::Commit& commit, Added* added) {
  const std::string allowed = base::ReasonLabel(base::Reason::kAllowedByRule);
  absl::string_view last;  // events of one peer come in runs
  uint64_t run = 0;
  const auto end_run = [&] {
    if (!last.empty()) {
      PeerCounterRow& peer = (*added)[last];
      peer.set_received(peer.received() + run);
      AddTo(kAccepted, allowed, run, peer.mutable_imported());
    }
    run = 0;
  };
  for (const event::Record& record : commit.events) {
    const absl::string_view peer = record.stored().received_from();
    if (peer != last) end_run();
    last = peer;
    ++run;
  }
  end_run();
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
    batch->Put(Table::kLedger, ExceptionKey(row, exception), exception.SerializeAsString());
  }
  if (row.imports()) return absl::OkStatus();  // counts alone
  if (!row.horizon()) return ApplyRange(row, batch);
  if (row.replay() != 0) return absl::OkStatus();
  std::string value;
  AppendBigEndian(row.last_sequence(), &value);
  batch->Put(Table::kLedger, LedgerPrefix(row.peer(), kHorizon), value);
  return row.has_policy_epoch() ? ApplySentEpoch(row, batch) : absl::OkStatus();
}

// What it says holds until the next: so later ones go, of what was sent before and is sent again.
absl::Status Ledger::ApplySentEpoch(const LedgerRow& row, KvBatch* batch) {
  const std::string begin = LedgerKey(row.peer(), kSentEpoch, row.first_sequence());
  const std::string end = AfterPrefix(LedgerPrefix(row.peer(), kSentEpoch));
  CDGATE_RETURN_IF_ERROR(
      kv_.Scan(Table::kLedger, begin, end, [&](absl::string_view key, absl::string_view) {
        batch->Delete(Table::kLedger, key);
        return true;
      }));
  batch->Put(Table::kLedger, begin, row.SerializeAsString());
  return absl::OkStatus();
}

// One row for consecutive ranges that were decided alike. How many events it counted is in the
// counters.
absl::Status Ledger::ApplyRange(const LedgerRow& row, KvBatch* batch) {
  if (row.first_sequence() > row.last_sequence()) return absl::OkStatus();
  std::string key = RangePrefix(row);
  CDGATE_ASSIGN_OR_RETURN(LedgerRow* const newest, NewestRange(key));
  const bool extends = newest->last_sequence() != 0 && Alike(*newest, row) &&
                       row.first_sequence() >= newest->first_sequence() &&
                       row.first_sequence() <= newest->last_sequence() + 1;
  if (extends) {
    newest->set_last_sequence(std::max(newest->last_sequence(), row.last_sequence()));
  } else {
    *newest = row;
    newest->clear_exceptions();
    newest->clear_counts();
    newest->clear_revised();
  }
  AppendBigEndian(newest->first_sequence(), &key);
  batch->Put(Table::kLedger, key, newest->SerializeAsString());
  return absl::OkStatus();
}

absl::StatusOr<LedgerRow*> Ledger::NewestRange(const std::string& prefix) {
  const auto known = newest_.find(prefix);
  if (known != newest_.end()) return &known->second;
  CDGATE_ASSIGN_OR_RETURN(auto row, RangeOf(prefix, base::Sequence(UINT64_MAX)));
  return &newest_.emplace(prefix, std::move(row).value_or(LedgerRow())).first->second;
}

// The last range that begins at or before `sequence`.
absl::StatusOr<std::optional<LedgerRow>> Ledger::RangeOf(absl::string_view prefix,
                                                         base::Sequence sequence) const {
  std::string key(prefix);
  AppendBigEndian(sequence.value(), &key);
  CDGATE_ASSIGN_OR_RETURN(const auto last, kv_.Last(Table::kLedger, key));
  if (!last || !absl::StartsWith(last->first, prefix)) return std::nullopt;
  LedgerRow row;
  if (!Parse(last->second, &row)) return Damaged("range");
  return row;
}

absl::StatusOr<std::optional<LedgerException>> Ledger::ExceptionAt(absl::string_view key) const {
  std::string value;
  CDGATE_ASSIGN_OR_RETURN(const bool found, kv_.Get(Table::kLedger, key, &value));
  if (!found) return std::nullopt;
  LedgerException exception;
  if (!Parse(value, &exception)) return Damaged("exception");
  return exception;
}

void Ledger::Count(const event::Commit& commit, KvBatch* batch) {
  Added added;
  CountReceived(commit, &added);
  for (const auto& refusal : commit.record.refusals()) {
    PeerCounterRow& peer = added[refusal.peer()];
    peer.set_refused(peer.refused() + 1);
    AddTo(kRefused, refusal.reason(), 1, peer.mutable_imported());
  }
  for (const LedgerRow& row : commit.record.ledger()) {
    PeerCounterRow& peer = added[row.peer()];
    Counts* const counts = row.imports() ? peer.mutable_imported() : peer.mutable_exported();
    for (const OutcomeCount& count : row.counts()) {
      AddTo(count.state(), count.reason(), count.count(), counts);
    }
    // What is taken away was added before, so that the sum comes out whatever lies between.
    for (const OutcomeCount& count : row.revised()) {
      AddTo(count.state(), count.reason(), uint64_t{0} - count.count(), counts);
    }
  }
  for (const auto& move : commit.record.cursors()) {
    const absl::string_view peer = ExportPeer(move.reader());
    if (peer.empty() || move.removed()) continue;
    const auto before = cursors_.Find(move.reader());
    const uint64_t base = before && before->epoch() == move.epoch() ? before->position() : 0;
    if (move.position() <= base) continue;
    PeerCounterRow& row = added[peer];
    row.set_given(row.given() + move.position() - base);
  }
  MutexLock lock(mu_);
  for (const auto& [peer, more] : added) {
    PeerCounterRow& row = counters_[peer];
    AddTo(more, &row);
    batch->Put(Table::kMeta, absl::StrCat(kCounterPrefix, peer), row.SerializeAsString());
  }
}

absl::StatusOr<LedgerFacts> Ledger::Facts(absl::string_view peer, base::Sequence sequence) const {
  LedgerFacts out;
  CDGATE_ASSIGN_OR_RETURN(auto range, RangeOf(LedgerPrefix(peer, kRange), sequence));
  if (range && range->last_sequence() >= sequence.value()) out.acknowledged = std::move(range);
  CDGATE_ASSIGN_OR_RETURN(out.exception,
                          ExceptionAt(LedgerKey(peer, kException, sequence.value())));
  std::string value;
  CDGATE_ASSIGN_OR_RETURN(const bool found,
                          kv_.Get(Table::kLedger, LedgerPrefix(peer, kHorizon), &value));
  if (found && value.size() == 8) out.horizon = base::Sequence(ReadBigEndian(value));
  CDGATE_ASSIGN_OR_RETURN(out.replays, Replays(peer, sequence));
  if (!out.acknowledged) CDGATE_RETURN_IF_ERROR(AddSentEpoch(peer, sequence, &out));
  return out;
}

absl::Status Ledger::AddSentEpoch(absl::string_view peer, base::Sequence sequence,
                                  LedgerFacts* facts) const {
  const std::string prefix = LedgerPrefix(peer, kSentEpoch);
  CDGATE_ASSIGN_OR_RETURN(auto row, RangeOf(prefix, sequence));
  if (!row) return absl::OkStatus();
  facts->sent_epoch = std::move(*row->mutable_policy_epoch());
  facts->sent_epoch_first = base::Sequence(row->first_sequence());
  facts->sent_epoch_through = base::Sequence(UINT64_MAX);
  if (sequence.value() == UINT64_MAX) return absl::OkStatus();
  const std::string begin = LedgerKey(peer, kSentEpoch, sequence.value() + 1);
  CDGATE_ASSIGN_OR_RETURN(const std::string next, FirstKey(kv_, begin, AfterPrefix(prefix)));
  if (next.size() < prefix.size() + 8) return absl::OkStatus();
  const uint64_t first = ReadBigEndian(absl::string_view(next).substr(prefix.size()));
  facts->sent_epoch_through = base::Sequence(first - 1);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ReplayFacts>> Ledger::Replays(absl::string_view peer,
                                                         base::Sequence sequence) const {
  std::vector<ReplayFacts> out;
  CDGATE_ASSIGN_OR_RETURN(const std::vector<uint64_t> jobs, JobsOf(kv_, peer, kReplayRange));
  for (const uint64_t job : jobs) {
    CDGATE_ASSIGN_OR_RETURN(auto range, RangeOf(ReplayPrefix(peer, kReplayRange, job), sequence));
    if (!range || range->last_sequence() < sequence.value()) continue;
    const std::string key = ReplayKey(peer, kReplayException, job, sequence.value());
    CDGATE_ASSIGN_OR_RETURN(auto exception, ExceptionAt(key));
    out.push_back({.row = *std::move(range), .exception = std::move(exception)});
  }
  return out;
}

// The rows of one prefix, by sequence behind it.
absl::Status Ledger::AddExceptions(const std::string& peer, const std::string& prefix,
                                   base::Sequence from, base::Sequence end,
                                   std::vector<ExceptionPlace>* out) const {
  std::string begin_key = prefix;
  std::string end_key = prefix;
  AppendBigEndian(from.value(), &begin_key);
  AppendBigEndian(end.value(), &end_key);
  return kv_.Scan(Table::kLedger, begin_key, end_key,
                  [&](absl::string_view key, absl::string_view) {
                    if (key.size() != begin_key.size()) return true;
                    const base::Sequence sequence(ReadBigEndian(key.substr(prefix.size())));
                    out->push_back({.peer = peer, .sequence = sequence, .key = std::string(key)});
                    return true;
                  });
}

absl::StatusOr<std::vector<ExceptionPlace>> Ledger::Exceptions(base::Sequence from,
                                                               base::Sequence end) const {
  std::vector<ExceptionPlace> out;
  CDGATE_ASSIGN_OR_RETURN(const std::vector<std::string> peers, PeersIn(kv_));
  for (const std::string& peer : peers) {
    CDGATE_RETURN_IF_ERROR(AddExceptions(peer, LedgerPrefix(peer, kException), from, end, &out));
    CDGATE_ASSIGN_OR_RETURN(const std::vector<uint64_t> jobs, JobsOf(kv_, peer, kReplayException));
    for (const uint64_t job : jobs) {
      const std::string prefix = ReplayPrefix(peer, kReplayException, job);
      CDGATE_RETURN_IF_ERROR(AddExceptions(peer, prefix, from, end, &out));
    }
  }
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
  CDGATE_ASSIGN_OR_RETURN(const auto row, RangeOf(prefix, from));
  if (row && row->last_sequence() >= from.value()) {
    begin = LedgerKey(peer, kRange, row->first_sequence());
  }
  return ReadRanges(begin, AfterPrefix(prefix), limit);
}

PeerCounters Ledger::Counters(absl::string_view peer) const {
  MutexLock lock(mu_);
  const auto it = counters_.find(peer);
  return it == counters_.end() ? PeerCounters() : CountersOf(it->second);
}

std::map<std::string, PeerCounters> Ledger::AllCounters() const {
  std::map<std::string, PeerCounters> out;
  MutexLock lock(mu_);
  for (const auto& [peer, row] : counters_) out[peer] = CountersOf(row);
  return out;
}

absl::Status Ledger::RollBack(base::Sequence next, KvBatch* batch) {
  newest_.clear();
  return kv_.Scan(Table::kLedger, "", "", [&](absl::string_view key, absl::string_view value) {
    const std::optional<KeyParts> parts = PartsOf(key);
    if (!parts) return true;
    LedgerRow row;
    if (parts->what == kHorizon) {
      if (value.size() != 8 || ReadBigEndian(value) < next.value()) return true;
      std::string clipped;
      AppendBigEndian(next.value() - 1, &clipped);
      batch->Put(Table::kLedger, key, clipped);
    } else if (parts->sequence >= next.value()) {
      batch->Delete(Table::kLedger, key);
    } else if (IsRange(parts->what) && Parse(value, &row) && row.last_sequence() >= next.value()) {
      row.set_last_sequence(next.value() - 1);
      batch->Put(Table::kLedger, key, row.SerializeAsString());
    }
    return true;
  });
}

}  // namespace cdgate::state
