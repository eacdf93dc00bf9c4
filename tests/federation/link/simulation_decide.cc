// What a side of a simulation answers when its link asks for events.
#include <algorithm>
#include <iterator>
#include <utility>

#include "federation/link/blocks.h"
#include "federation/link/codec.h"
#include "tests/federation/link/simulation_side.h"

namespace cdgate::test {

using base::Sequence;

namespace {

// One `events` field of a Batch; the id travels as the time.
std::string Relayed(uint64_t id, size_t bytes) {
  federation::v1::RelayedEvent rest;
  rest.set_accepted_time_nanos(static_cast<int64_t>(id));
  std::string out;
  link::AppendRelayedEvent(std::string(bytes, 'e'), rest.SerializeAsString(), &out);
  return out;
}

void AddException(uint64_t sequence, link::Decided* decided) {
  storage::v1::LedgerException& exception = decided->exceptions.emplace_back();
  exception.set_sequence(sequence);
  exception.set_state("dead_lettered");
  exception.set_reason("too_large");
  link::AddCount(exception.state(), exception.reason(), 1, &decided->counts);
}

}  // namespace

// False where it has no room any more.
bool Side::DecideOne(uint64_t sequence, const link::NeedEvents& need, const Version& version,
                     link::Decided* decided) {
  const uint64_t id = disk_.log[sequence - 1];
  const bool allowed = Allows(version.policy, id) || world_.Broken(Mutant::kLeak);
  const bool wanted = Wants(version.interest, id) || world_.Broken(Mutant::kIgnoreInterest);
  if (!allowed) {
    link::AddCount("denied", "no_rule", 1, &decided->counts);
  } else if (!wanted) {
    link::AddCount("not_wanted", "not_wanted", 1, &decided->counts);
  } else {
    const std::string event = Relayed(id, world_.faults().large ? LargeBytes(id) : 3);
    if (event.size() > need.max_event_bytes) {
      AddException(sequence, decided);
    } else if (need.account_only) {
      link::AddCount("acknowledged_undisclosed", "", 1, &decided->counts);
    } else {
      const bool fits = decided->events.size() + event.size() <= need.max_bytes;
      const bool first = decided->sequences.empty();
      if (decided->sequences.size() == need.max_events || !(fits || first)) return false;
      decided->events += event;
      decided->sequences.push_back(Sequence(sequence));
    }
  }
  decided->last = Sequence(sequence);
  decided->last_mark = id + 1;
  return true;
}

// What let it go when it left, and through where that decided.
Version Side::Accounted(link::NeedEvents* need) const {
  const auto next = disk_.sent_by.upper_bound(need->from.value());
  if (next == disk_.sent_by.begin()) return version();
  if (next != disk_.sent_by.end()) {
    need->through = std::min(need->through, Sequence(next->first - 1));
  }
  return std::prev(next)->second;
}

link::Decided Side::DecideSome(const link::NeedEvents& asked) {
  link::NeedEvents need = asked;
  const Version version = need.account_only ? Accounted(&need) : this->version();
  link::Decided decided;
  decided.request = need.request;
  decided.first = std::max(need.from, Sequence(disk_.first));
  decided.last = Sequence(decided.first.value() - 1);
  decided.policy_epoch.set_policy_version(version.policy);
  decided.policy_epoch.set_interest_version(version.interest);
  uint64_t end = std::min<uint64_t>(disk_.log.size(), decided.first.value() + world_.Below(8));
  if (need.through != Sequence(0)) end = std::min(end, need.through.value());
  for (uint64_t s = decided.first.value(); s <= end; ++s) {
    if (!DecideOne(s, need, version, &decided)) break;
  }
  if (world_.faults().statements && !decided.sequences.empty()) {
    std::vector<uint64_t> ids;
    for (const Sequence s : decided.sequences) ids.push_back(disk_.log[s.value() - 1]);
    decided.tree = {"seed", SimulatedRoot(ids)};
  }
  const bool gone = decided.first > need.from;
  if (decided.last < decided.first && !gone) world_.Fault("no room in a request");
  return decided;
}

void Side::Decide() {
  if (!CanDecide()) return;
  const link::NeedEvents need = *std::exchange(need_, std::nullopt);
  if (world_.Broken(Mutant::kStall)) return;
  Step(DecideSome(need));
}

void Side::DecideReplay() {
  if (!replay_) return;
  const link::NeedReplay need = *std::exchange(replay_, std::nullopt);
  if (need.through.value() > disk_.log.size() || need.through < need.from) {
    return world_.Fault("a job asks for what is not in the log");
  }
  Step(link::ReplayDecided{DecideSome({.request = need.request,
                                       .from = need.from,
                                       .through = need.through,
                                       .max_events = need.max_events,
                                       .max_bytes = need.max_bytes,
                                       .max_event_bytes = need.max_event_bytes})});
}

void Side::StartJob(uint64_t first, uint64_t last, std::vector<Sequence> only) {
  if (disk_.job || last == 0) return;
  disk_.job = link::ReplayJob{++disk_.jobs, Sequence(first), Sequence(last), std::move(only)};
  disk_.replay_through = Sequence(0);
  Step(link::ReplayChanged{disk_.job, Sequence(0)});
}

void Side::StartSomeJob() {
  const uint64_t last = disk_.log.size();
  if (last == 0) return;
  const uint64_t first = 1 + world_.Below(last);
  std::vector<Sequence> only;
  for (uint64_t s = first; s <= last; ++s) {
    if (world_.Chance(40)) only.push_back(Sequence(s));
  }
  if (world_.Chance(50)) only.clear();
  StartJob(first, last, std::move(only));
}

}  // namespace cdgate::test
