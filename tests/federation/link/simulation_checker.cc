#include "tests/federation/link/simulation_checker.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "federation/link/codec.h"

namespace cdgate::test {
namespace {

using base::Sequence;
using federation::v1::Batch;
using storage::v1::LedgerRow;

// Outcomes of a row, or those that its versions and the disks give.
using Counts = std::map<std::string, uint64_t>;

std::string Text(const Counts& counts) {
  std::string out;
  for (const auto& [state, count] : counts) absl::StrAppend(&out, " ", count, " ", state);
  return out;
}

Counts CountsOf(const LedgerRow& row) {
  Counts counts;
  for (const auto& count : row.counts()) counts[count.state()] += count.count();
  return counts;
}

// The sequence that a token of FakeSealer is about.
uint64_t SequenceOf(const std::string& token) {
  unsigned long sequence = 0;
  return sscanf(token.c_str(), "<%lu", &sequence) == 1 ? sequence : 0;
}

}  // namespace

// Without rollbacks, lies and trimming this is what "nothing is lost" is about.
bool Checker::Owed(const Side& from, uint64_t id) {
  const bool always = FateOf(id) == Fate::kAlways && AlwaysWanted(id);
  return always && !TooLarge(world_.faults().large, id) && LaneOf(from).excused.count(id) == 0;
}

// ------------------------------------------------------------------ what is sent

void Checker::Connected(const Side& side) {
  Lane& lane = LaneOf(side);
  lane.credit_events = lane.credit_bytes = lane.used_events = lane.used_bytes = 0;
}

void Checker::Delivered(const Side& to, const federation::v1::Frame& frame) {
  if (!frame.has_credit()) return;
  Lane& lane = LaneOf(to);
  lane.credit_events = std::max(lane.credit_events, frame.credit().events());
  lane.credit_bytes = std::max(lane.credit_bytes, frame.credit().bytes());
}

void Checker::Sent(const Side& from, const std::string& bytes) {
  federation::v1::Frame frame;
  if (!frame.ParseFromString(bytes)) return world_.Fault("a frame does not parse");
  const uint32_t most = world_.faults().large ? link::kLeastMaxFrameBytes : 1 << 20;
  if (bytes.size() > most) world_.Fault(absl::StrCat("a frame of ", bytes.size(), " bytes"));
  if (frame.has_ack() && frame.ack().position() > from.disk_.cursor.position.value()) {
    world_.Fault("an Ack is ahead of the disk");
  }
  if (frame.has_heartbeat()) CheckHeartbeat(from, frame.heartbeat(), bytes.size());
  if (frame.has_batch()) CheckBatch(from, frame.batch(), bytes.size());
  if (from.link_->exporter().unacknowledged() > kMaxUnacknowledged) {
    world_.Fault("too much in flight");
  }
}

void Checker::CheckHeartbeat(const Side& from, const federation::v1::Heartbeat& heartbeat,
                             size_t bytes) {
  if (bytes != link::kHeartbeatFrameBytes) world_.Fault("a heartbeat of another size");
  if (from.wall_jumped_ || !heartbeat.has_caught_up_as_of()) return;
  const absl::Time as_of = absl::FromUnixSeconds(heartbeat.caught_up_as_of().seconds());
  for (uint64_t s = from.link_->exporter().sent_through().value(); s < from.disk_.log.size(); ++s) {
    if (from.disk_.accepted[s] < as_of) {
      return world_.Fault(absl::StrCat("caught up, but sequence ", s + 1, " was accepted before"));
    }
  }
}

void Checker::CheckBatch(const Side& from, const Batch& batch, size_t bytes) {
  Lane& lane = LaneOf(from);
  if (lane.used_bytes >= lane.credit_bytes) world_.Fault("a batch without credit for bytes");
  lane.used_bytes += bytes;
  lane.used_events += static_cast<uint64_t>(batch.events_size());
  if (lane.used_events > lane.credit_events) world_.Fault("more events leave than credit");
  const uint64_t last = batch.first_position() + static_cast<uint64_t>(batch.events_size()) - 1;
  if (last != from.link_->exporter().sent_position().value()) {
    world_.Fault("a batch is of another position than it counts for");
  }
  if (from.frozen_) world_.Fault("an event leaves while frozen");
  if (from.held_) world_.Fault("an event leaves while exports are stopped");
  if (batch.replay() && !from.disk_.job) world_.Fault("past events leave without a job");
  CheckSigned(from, batch);
  for (const auto& event : batch.events()) {
    CheckLeaves(from, batch, static_cast<uint64_t>(event.accepted_time_nanos()));
  }
}

// A position is sent again, with other events, where the receiver did not commit it.
void Checker::CheckSigned(const Side& from, const Batch& batch) {
  auto& digests = LaneOf(from).digests[batch.link_epoch()];
  std::vector<uint64_t> ids;
  for (const auto& event : batch.events()) {
    ids.push_back(static_cast<uint64_t>(event.accepted_time_nanos()));
  }
  digests.erase(digests.lower_bound(batch.first_position()), digests.end());
  if (!batch.has_export_statement()) return;
  const std::string before = digests.empty() ? "" : digests.rbegin()->second;
  const std::string text = SimulatedClaim(SimulatedRoot(ids), batch.link_epoch(),
                                          batch.first_position(), ids.size(), before);
  if (batch.export_statement().signature() != text && !world_.faults().rollbacks && !lossy()) {
    world_.Fault(absl::StrCat("signed is ", batch.export_statement().signature(), ", sent ", text));
  }
  digests[batch.first_position() + ids.size() - 1] = SimulatedDigest(text);
}

void Checker::Receipted(const Side& from, const link::ReceiptReceived& received) {
  if (world_.faults().rollbacks || lossy()) return;
  const federation::v1::Receipt& receipt = received.receipt;
  const auto& before = from.disk_.receipt;
  const bool same = before && from.disk_.receipt_epoch == received.link_epoch;
  if (same && receipt.position() < before->position()) {
    world_.Fault(absl::StrCat("a receipt for ", receipt.position(), " comes behind one for ",
                              before->position()));
  }
  const auto& digests = LaneOf(from).digests[received.link_epoch];
  const auto at = digests.find(receipt.position());
  if (at == digests.end() || at->second != receipt.digest()) {
    world_.Fault(absl::StrCat("a receipt for ", receipt.position(), " is of something else"));
  }
}

void Checker::CheckLeaves(const Side& from, const Batch& batch, uint64_t id) {
  const auto& log = from.disk_.log;
  const auto at = std::lower_bound(log.begin(), log.end(), id);
  if (!Allows(from.policy_, id)) world_.Fault(absl::StrCat("event ", id, " is not allowed"));
  if (!Wants(from.peer_interest_, id)) world_.Fault(absl::StrCat("event ", id, " is not wanted"));
  const uint64_t sequence = static_cast<uint64_t>(at - log.begin()) + 1;
  if (at == log.end() || *at != id || sequence > from.disk_.horizon.value()) {
    return world_.Fault("an event leaves beyond the horizon on disk");
  }
  if (batch.replay()) return;
  const auto next = from.disk_.sent_by.upper_bound(sequence);
  if (next == from.disk_.sent_by.begin() || std::prev(next)->second != from.version()) {
    world_.Fault("an event leaves by decisions that the disk does not name");
  }
}

// ----------------------------------------------------------------- what arrives

void Checker::Taken(const Side& to, const std::vector<uint64_t>& ids,
                    const std::vector<uint64_t>& refused, bool replay,
                    const link::ImportCursor& cursor) {
  Lane& lane = LaneOf(PeerOf(to));
  CheckCursor(to, cursor, ids.size());
  lane.refused.insert(refused.begin(), refused.end());
  for (const uint64_t id : ids) {
    if (std::count(refused.begin(), refused.end(), id) > 0) continue;
    if (to.disk_.known.count(id) == 0 && !Wants(to.interest_, id)) {
      world_.Fault(absl::StrCat("event ", id, " is taken against the rules"));
    }
    lane.taken.insert(id);
  }
  if (!replay) CheckOrder(to, ids);
  CheckCovered(to, cursor);
}

void Checker::CursorMoved(const Side& to, const link::ImportCursor& cursor) {
  CheckCursor(to, cursor, 0);
  CheckCovered(to, cursor);
}

// A position counts what was committed since the link's epoch.
void Checker::CheckCursor(const Side& to, const link::ImportCursor& cursor, uint64_t events) {
  const bool same = !to.begin_anew_ && cursor.link_epoch == to.disk_.cursor.link_epoch;
  const uint64_t before = same ? to.disk_.cursor.position.value() : 0;
  if (cursor.position.value() != before + events) {
    world_.Fault(absl::StrCat("the cursor goes from ", before, " to ", cursor.position.value(),
                              " by ", events, " events"));
  }
}

// What is behind the token is not sent again, so everything owed up to it has to be here.
void Checker::CheckCovered(const Side& to, const link::ImportCursor& cursor) {
  if (world_.faults().rollbacks || lied_to(to)) return;
  const Side& from = PeerOf(to);
  Lane& lane = LaneOf(from);
  const uint64_t through = SequenceOf(cursor.token);
  if (through > from.disk_.log.size()) return world_.Fault("a token is beyond the log");
  for (; lane.covered < through; ++lane.covered) {
    const uint64_t id = from.disk_.log[lane.covered];
    if (Owed(from, id) && lane.taken.count(id) == 0) {
      return world_.Fault(absl::StrCat("the cursor passes event ", id, ", which is not here"));
    }
  }
}

void Checker::CheckOrder(const Side& to, const std::vector<uint64_t>& ids) {
  if (to.repeats_allowed_) return;
  uint64_t last = to.disk_.imports.empty() ? 0 : to.disk_.imports.back();
  for (const uint64_t id : ids) {
    if (id <= last) world_.Fault(absl::StrCat("event ", id, " comes behind ", last));
    last = std::max(last, id);
  }
}

// ------------------------------------------------------------------- the ledger

void Checker::Trimmed(const Side& from, uint64_t first) {
  Lane& lane = LaneOf(from);
  for (uint64_t s = from.disk_.first; s < first; ++s) {
    const uint64_t id = from.disk_.log[s - 1];
    // A disk that is put back later may have lost it.
    if (lane.taken.count(id) == 0 || world_.faults().rollbacks) lane.excused.insert(id);
  }
}

void Checker::Recorded(const Side& from, const std::vector<LedgerRow>& rows, Sequence through) {
  uint64_t last = from.disk_.rows.empty() ? 0 : from.disk_.rows.back().last_sequence();
  for (const LedgerRow& row : rows) {
    if (row.first_sequence() != last + 1) {
      return world_.Fault(absl::StrCat("a row begins at ", row.first_sequence(), " after ", last));
    }
    last = row.last_sequence();
    if (last > from.disk_.log.size()) return world_.Fault("a row is beyond the log");
    CheckRow(from, row);
  }
  if (through < from.disk_.acknowledged) world_.Fault("the ledger goes back");
  // What is acknowledged and has no row was in one before.
  if (through.value() > last) world_.Fault("the ledger's end is beyond its rows");
}

void Checker::CheckRow(const Side& from, const LedgerRow& row) {
  if (row.reason() == "trimmed") return CheckTrimmedRow(from, row);
  CheckOutcomes(from, row);
}

void Checker::CheckTrimmedRow(const Side& from, const LedgerRow& row) {
  const uint64_t all = row.last_sequence() - row.first_sequence() + 1;
  const Counts counts = CountsOf(row);
  if (row.last_sequence() >= from.disk_.first) world_.Fault("a row says trimmed of what is there");
  if (counts != Counts{{row.state(), all}}) {
    world_.Fault(absl::StrCat("a trimmed row miscounts:", Text(counts)));
  }
}

// The outcome of each event, from the versions that the row names and from what the receiver did.
void Checker::CheckOutcomes(const Side& from, const LedgerRow& row) {
  const Lane& lane = LaneOf(from);
  std::map<uint64_t, std::string> exceptions;
  for (const auto& exception : row.exceptions()) {
    exceptions[exception.sequence()] = exception.state();
  }
  Counts expected;
  for (uint64_t s = row.first_sequence(); s <= row.last_sequence(); ++s) {
    const uint64_t id = from.disk_.log[s - 1];
    std::string state = row.state().empty() ? "accepted" : row.state();
    if (const auto it = exceptions.find(s); it != exceptions.end()) state = it->second;
    if (!Allows(row.policy_epoch().policy_version(), id)) {
      state = "denied";
    } else if (!Wants(row.policy_epoch().interest_version(), id)) {
      state = "not_wanted";
    } else if (TooLarge(world_.faults().large, id)) {
      if (state != "dead_lettered") world_.Fault(absl::StrCat("event ", id, " was too large"));
    } else if (!world_.faults().byzantine && !world_.faults().rollbacks) {
      const bool taken = lane.taken.count(id) > 0, refused = lane.refused.count(id) > 0;
      const bool right = state == "refused"                ? refused
                         : state == "accepted" && !lossy() ? taken && !refused
                                                           : taken || refused;
      if (!right) world_.Fault(absl::StrCat("the ledger says of event ", id, ": ", state));
    }
    ++expected[state];
  }
  Counts counts = CountsOf(row);
  std::erase_if(counts, [](const auto& count) { return count.second == 0; });
  if (counts != expected) {
    world_.Fault(absl::StrCat("a row says", Text(counts), ", it is", Text(expected), ": ",
                              row.ShortDebugString()));
  }
}

// ---------------------------------------------------------------------- the end

void Checker::AtEnd() {
  for (Side* from : {&a_, &b_}) {
    CheckArrivals(*from, PeerOf(*from));
    CheckAccounts(*from);
  }
}

void Checker::CheckArrivals(const Side& from, const Side& to) {
  for (uint64_t s = 1; s <= from.disk_.log.size(); ++s) {
    const uint64_t id = from.disk_.log[s - 1];
    const bool arrived = to.disk_.known.count(id) > 0;
    if (Owed(from, id) && !arrived) world_.Fault(absl::StrCat("event ", id, " is lost"));
    if (FateOf(id) == Fate::kNever && arrived) world_.Fault(absl::StrCat("event ", id, " leaked"));
    const bool offered = world_.faults().replays && s >= from.disk_.first &&
                         Allows(from.policy_, id) && Wants(to.interest_, id) &&
                         !TooLarge(world_.faults().large, id);
    if (offered && !arrived) world_.Fault(absl::StrCat("event ", id, " did not arrive again"));
  }
  const std::set<uint64_t> once(to.disk_.imports.begin(), to.disk_.imports.end());
  if (once.size() != to.disk_.imports.size()) world_.Fault("an event is in a log twice");
}

void Checker::CheckAccounts(const Side& from) {
  const uint64_t last = from.disk_.rows.empty() ? 0 : from.disk_.rows.back().last_sequence();
  if (last != from.disk_.log.size())
    world_.Fault(absl::StrCat("sequence ", last + 1, " has no row"));
}

}  // namespace cdgate::test
