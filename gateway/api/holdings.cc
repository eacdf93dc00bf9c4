#include "gateway/api/holdings.h"

#include <algorithm>
#include <optional>

#include "federation/session/replay_jobs.h"
#include "federation/session/session.h"
#include "federation/session/session_types.h"
#include "gateway/api/times.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

using base::Sequence;

constexpr uint64_t kMostEvents = 50'000;  // that are read from either end of the log
constexpr size_t kMostLetters = 10'000;

// When the event was accepted; none where the log no longer has it.
absl::StatusOr<std::optional<absl::Time>> AcceptedAt(const state::Store& store, Sequence sequence) {
  const auto event = store.ReadEvent(sequence);
  if (event.ok()) return event->record->accept_time();
  const auto reason = base::ReasonOf(event.status());
  if (reason == base::Reason::kTrimmed || reason == base::Reason::kNotFound) return std::nullopt;
  return event.status();
}

// The first and the last event of `peer` among those of [from, through], by when they were
// committed here.
struct Range {
  std::optional<absl::Time> oldest, newest;
};
absl::StatusOr<Range> ReceivedIn(const eventlog::EventLog& log, const std::string& peer,
                                 Sequence from, Sequence through) {
  Range range;
  while (from <= through) {
    CDGATE_ASSIGN_OR_RETURN(const auto commits, log.Read({.sequence = from}, {}));
    if (commits.empty()) break;
    const Sequence before = from;
    for (const event::CommitPtr& commit : commits) {
      for (const event::Record& record : commit->events) {
        from = std::max(from, record.sequence().Next());
        if (record.stored().received_from() != peer) continue;
        if (!range.oldest) range.oldest = commit->commit_time;
        range.newest = commit->commit_time;
      }
    }
    if (from == before) break;  // commits without events, up to the head
  }
  return range;
}

absl::Status AddReceived(const eventlog::EventLog& log, const std::string& peer,
                         admin::v1::GetHoldingsResponse* out) {
  const Sequence first = log.first().sequence;
  const Sequence head = log.head().sequence;
  const Sequence early(std::min(head.value(), first.value() + kMostEvents - 1));
  const Sequence late(std::max(
      first.value(), head.value() < kMostEvents ? uint64_t{1} : head.value() - kMostEvents + 1));
  CDGATE_ASSIGN_OR_RETURN(const Range oldest, ReceivedIn(log, peer, first, early));
  if (oldest.oldest) *out->mutable_oldest_received() = ToProto(*oldest.oldest);
  CDGATE_ASSIGN_OR_RETURN(const Range newest, ReceivedIn(log, peer, late, head));
  if (newest.newest) *out->mutable_newest_received() = ToProto(*newest.newest);
  return absl::OkStatus();
}

absl::Status AddGiven(const state::Store& store, const std::string& peer,
                      admin::v1::GetHoldingsResponse* out) {
  if (out->events_given() == 0) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(const auto rows, store.LedgerRows(peer, Sequence(1), 1));
  if (rows.empty()) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(const auto oldest,
                          AcceptedAt(store, Sequence(rows.front().first_sequence())));
  if (oldest) *out->mutable_oldest_given() = ToProto(*oldest);
  admin::v1::Peer domain;
  domain.set_domain(peer);
  CDGATE_ASSIGN_OR_RETURN(const auto newest,
                          AcceptedAt(store, session::AcknowledgedThrough(store, domain)));
  if (newest) *out->mutable_newest_given() = ToProto(*newest);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<admin::v1::GetHoldingsResponse> HoldingsOf(const state::Store& store,
                                                          const eventlog::EventLog& log,
                                                          const std::string& peer) {
  admin::v1::GetHoldingsResponse out;
  const state::PeerCounters counters = store.Counters(peer);
  out.set_events_given(counters.given);
  out.set_events_received(counters.received);
  CDGATE_RETURN_IF_ERROR(AddGiven(store, peer, &out));
  if (counters.received > 0) CDGATE_RETURN_IF_ERROR(AddReceived(log, peer, &out));
  for (const std::string& reader :
       {session::ExportCursorName(peer), session::ImportCursorName(peer)}) {
    CDGATE_ASSIGN_OR_RETURN(const auto letters, store.DeadLetters(reader, nullptr, kMostLetters));
    out.set_dead_letters(std::min<uint64_t>(kMostLetters, out.dead_letters() + letters.size()));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto jobs, session::ReplayJobsOf(*store.Resources(), peer));
  out.set_open_backfills(jobs.jobs_size());
  return out;
}

}  // namespace cdgate::api
