#include "gateway/state/resolver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::state {
namespace {

using base::MakeError;
using base::Reason;

absl::Status Conflict(base::Sequence first) {
  return MakeError(Reason::kIdentityConflict,
                   absl::StrCat("an event with the same origin, source and id, but other content, "
                                "is in the log as ",
                                first.value(), "; give the new one an id of its own"),
                   {{"sequence", absl::StrCat(first.value())}});
}

absl::Status TooOld(absl::Time accepted, absl::Duration horizon) {
  return MakeError(Reason::kTooOld, absl::StrCat("the event was accepted at ",
                                                 absl::FormatTime(accepted, absl::UTCTimeZone()),
                                                 ", more than ", absl::FormatDuration(horizon),
                                                 " ago; an operator can open a backfill"));
}

absl::Status DiskFull() {
  return MakeError(Reason::kDiskFull,
                   "free disk space is below the floor; free space, or shorten retention");
}

absl::Status EtagMismatch(absl::string_view what, uint64_t expected, uint64_t is) {
  return MakeError(Reason::kEtagMismatch, absl::StrCat(what, " is at ", is, ", not at ", expected,
                                                       "; read it again and repeat the change"));
}

}  // namespace

void Resolver::Begin(const ResolveContext& context) {
  context_ = context;
  next_ = context.head.sequence.Next();
  record_ = storage::v1::CommitRecord();
  events_.clear();
  read_.clear();
  identities_.clear();
  published_ = 0;
  leaves_.clear();
  keys_.clear();
  new_identities_.clear();
  new_versions_.clear();
  new_positions_.clear();
}

absl::Status Resolver::FindIdentities(absl::Span<const PendingPtr> batch) {
  for (const PendingPtr& pending : batch) {
    for (const NewEvent& event : pending->proposal.events) keys_.push_back(event.identity);
  }
  new_identities_.reserve(keys_.size());
  return fold_.identities().Find(keys_, &rows_);
}

absl::Status Resolver::Resolve(absl::Span<const PendingPtr> batch, const ResolveContext& context) {
  Begin(context);
  CDGATE_RETURN_IF_ERROR(FindIdentities(batch));
  Rows rows = rows_;
  for (const PendingPtr& pending : batch) {
    const size_t events = pending->proposal.events.size();
    ResolveOne(rows.subspan(0, events), pending.get());
    rows.remove_prefix(events);
  }
  return absl::OkStatus();
}

void Resolver::ResolveOne(Rows rows, Pending* pending) {
  pending->to_compare.clear();
  if (absl::Status status = CheckPreconditions(pending->proposal); !status.ok()) {
    return Refuse(status, pending);
  }
  DecideEvents(rows, pending);
  if (!pending->to_compare.empty()) return UndoEvents(*pending);
  if (pending->proposal.atomic) {
    for (const EventResult& event : pending->outcome.events) {
      if (event.status.ok()) continue;
      UndoEvents(*pending);
      const absl::Status status = event.status;  // `event` goes with the outcome
      return Refuse(status, pending);
    }
  }
  Take(pending);
}

Resolver::Version Resolver::VersionOf(const std::string& kind, const std::string& name) const {
  const auto changed = new_versions_.find(ResourceKey(kind, name));
  if (changed != new_versions_.end()) return changed->second;
  const ResourcePtr latest = fold_.resources().snapshot()->Latest(kind, name);
  if (latest == nullptr) return {};
  return {.number = latest->version, .exists = !latest->deleted};
}

uint64_t Resolver::PositionOf(const std::string& reader) const {
  const auto moved = new_positions_.find(reader);
  if (moved != new_positions_.end()) return moved->second;
  const auto cursor = fold_.cursors().Find(reader);
  return cursor ? cursor->position() : 0;
}

absl::Status Resolver::CheckPreconditions(const Proposal& proposal) {
  if (context_.disk_full && !proposal.events.empty()) return DiskFull();
  for (const CursorEdit& cursor : proposal.cursors) {
    const uint64_t position = PositionOf(cursor.move.reader());
    if (cursor.expected_position && *cursor.expected_position != position) {
      return EtagMismatch(absl::StrCat("cursor ", cursor.move.reader()), *cursor.expected_position,
                          position);
    }
  }
  for (const ResourceEdit& edit : proposal.resources) {
    const Version version = VersionOf(edit.kind, edit.name);
    const uint64_t in_force = version.exists ? version.number : 0;
    const std::string what = absl::StrCat(edit.kind, " ", edit.name);
    if (edit.expected_version && *edit.expected_version != in_force) {
      if (*edit.expected_version != 0) return EtagMismatch(what, *edit.expected_version, in_force);
      return MakeError(Reason::kAlreadyExists, absl::StrCat(what, " exists"));
    }
    if (edit.deleted && !version.exists) {
      return MakeError(Reason::kNotFound, absl::StrCat("there is no ", what));
    }
  }
  return absl::OkStatus();
}

void Resolver::DecideEvents(Rows rows, Pending* pending) {
  pending->outcome = Outcome{};
  pending->outcome.events.reserve(rows.size());
  own_first_ = next_;
  own_events_.clear();
  for (size_t i = 0; i < rows.size(); ++i) {
    pending->outcome.events.push_back(DecideEvent(i, rows[i], pending));
  }
}

EventResult Resolver::DecideEvent(size_t index, const std::optional<IdentityRow>& stored,
                                  Pending* pending) {
  const NewEvent& event = pending->proposal.events[index];
  const absl::Time oldest = context_.now - options_.dedup_horizon;
  if (event.row.accepted() < oldest && !pending->proposal.backfill) {
    return {.status = TooOld(event.row.accepted(), options_.dedup_horizon)};
  }
  const auto [in_batch, is_new] = new_identities_.try_emplace(event.identity, event.row);
  if (!is_new) return DecideAgain(index, in_batch->second, pending);
  if (stored && stored->accepted() >= oldest) {
    new_identities_.erase(in_batch);
    return DecideAgain(index, *stored, pending);
  }
  const base::Sequence sequence = next_;
  in_batch->second.sequence = sequence;
  next_ = next_.Next();
  own_events_.push_back(index);
  return {.sequence = sequence};
}

Comparison Resolver::ComparisonWith(const IdentityRow& first, size_t index) const {
  const uint64_t nth = first.sequence.value() - own_first_.value();  // huge: before it
  if (nth >= own_events_.size()) return {.index = index, .first = first.sequence};
  return {.index = index, .sibling = own_events_[nth]};
}

// The identity exists, as `first`.
EventResult Resolver::DecideAgain(size_t index, const IdentityRow& first, Pending* pending) {
  const NewEvent& event = pending->proposal.events[index];
  const IdentityRow& row = event.row;
  const EventResult duplicate = {.sequence = first.sequence, .duplicate = true};
  if (event.received) {
    if (row.commitment != first.commitment) return {.status = Conflict(first.sequence)};
    return {.sequence = first.sequence, .duplicate = true, .variant = row.content != first.content};
  }
  if (row.content == first.content) return duplicate;
  const Comparison question = ComparisonWith(first, index);
  for (const Comparison& known : pending->compared) {
    if (!known.Answers(question)) continue;
    if (known.same) return duplicate;
    return {.status = Conflict(first.sequence)};
  }
  if (!options_.can_compare) return {.status = Conflict(first.sequence)};
  pending->to_compare.push_back(question);
  return duplicate;
}

// Gives back what DecideEvents took: the last sequences, and their identities.
void Resolver::UndoEvents(const Pending& pending) {
  for (size_t i = 0; i < pending.outcome.events.size(); ++i) {
    const EventResult& result = pending.outcome.events[i];
    if (!result.status.ok() || result.duplicate) continue;
    new_identities_.erase(pending.proposal.events[i].identity);
    next_ = std::min(next_, result.sequence);
  }
}

bool Resolver::empty() const {
  return events_.empty() && record_.cursors().empty() && record_.resources().empty() &&
         record_.dead_letters().empty() && record_.ledger().empty() && record_.refusals().empty() &&
         record_.removed_dead_letters().empty();
}

// Moves what the proposal brings into the record.
void Resolver::Take(Pending* pending) {
  Proposal& proposal = pending->proposal;
  const bool only_events = proposal.cursors.empty() && proposal.resources.empty() &&
                           proposal.dead_letters.empty() && proposal.ledger.empty() &&
                           proposal.refusals.empty() && proposal.removed_dead_letters.empty();
  const int before = static_cast<int>(events_.size()) + record_.refusals_size();
  TakeEvents(pending);
  TakeCursors(pending);
  TakeResources(pending);
  for (auto& letter : proposal.dead_letters) *record_.add_dead_letters() = std::move(letter);
  for (auto& row : proposal.ledger) *record_.add_ledger() = std::move(row);
  for (auto& refusal : proposal.refusals) *record_.add_refusals() = std::move(refusal);
  for (auto& key : proposal.removed_dead_letters) {
    *record_.add_removed_dead_letters() = std::move(key);
  }
  const bool took =
      !only_events || static_cast<int>(events_.size()) + record_.refusals_size() > before;
  if (took) pending->outcome.commit = context_.head.commit + 1;
}

std::vector<event::CommitEvent> Resolver::events() const {
  std::vector<event::CommitEvent> out;
  out.reserve(events_.size());
  for (size_t i = 0; i < events_.size(); ++i) out.emplace_back(events_[i], read_[i]);
  return out;
}

void Resolver::TakeEvents(Pending* pending) {
  const std::vector<event::Record>& records = pending->proposal.records;
  const size_t before = events_.size();
  for (size_t i = 0; i < pending->proposal.events.size(); ++i) {
    NewEvent& event = pending->proposal.events[i];
    const EventResult& result = pending->outcome.events[i];
    if (!result.status.ok()) {
      if (event.received) QuarantineReceived(ViewOf(event), result.status);
    } else if (!result.duplicate) {
      TakeEvent(result.sequence, records.empty() ? nullptr : &records[i], &event);
    }
  }
  if (events_.size() == before) return;
  for (auto& statement : pending->proposal.import_statements) {
    *record_.add_import_statements() = std::move(statement);
  }
}

void Resolver::TakeEvent(base::Sequence sequence, const event::Record* read, NewEvent* event) {
  IdentityEntry& entry = identities_.emplace_back(IdentityEntry{event->identity, event->row});
  entry.row.sequence = sequence;
  if (event->leaf) leaves_.push_back(*event->leaf);
  if (!event->received) ++published_;
  events_.push_back(std::move(event->stored));
  read_.push_back(read);
}

// The refusal of a received event commits with the cursor that passes it.
void Resolver::QuarantineReceived(const event::StoredView& stored, const absl::Status& why) {
  const Reason reason = base::ReasonOf(why).value_or(Reason::kInvalidEvent);
  const event::Record record(base::Sequence(), stored.bytes());
  storage::v1::ImportRefusal* const refusal = record_.add_refusals();
  refusal->set_peer(std::string(stored.received_from()));
  refusal->set_origin(std::string(stored.origin()));
  refusal->set_source(std::string(record.source()));
  refusal->set_id(std::string(record.id()));
  refusal->set_type(std::string(record.type()));
  refusal->set_commitment(std::string(stored.commitment()));
  refusal->set_reason(base::ReasonLabel(reason));
  refusal->set_rule(std::string(stored.import_rule()));
  if (reason != Reason::kIdentityConflict) return;
  storage::v1::DeadLetter* const letter = record_.add_dead_letters();
  letter->set_reader(absl::StrCat("link/", stored.received_from(), "/import"));
  letter->set_reason(base::ReasonLabel(reason));
  letter->set_message(std::string(why.message()));
  letter->mutable_event()->ParseFromArray(stored.bytes().data(),
                                          static_cast<int>(stored.bytes().size()));
}

void Resolver::TakeCursors(Pending* pending) {
  for (CursorEdit& cursor : pending->proposal.cursors) {
    new_positions_[cursor.move.reader()] = cursor.move.removed() ? 0 : cursor.move.position();
    *record_.add_cursors() = std::move(cursor.move);
  }
}

void Resolver::TakeResources(Pending* pending) {
  for (ResourceEdit& edit : pending->proposal.resources) {
    const Version now = VersionOf(edit.kind, edit.name);
    storage::v1::ResourceChange* const change = record_.add_resources();
    change->set_version(now.number + 1);
    change->set_base_version(now.exists ? now.number : 0);
    new_versions_[ResourceKey(edit.kind, edit.name)] = {.number = now.number + 1,
                                                        .exists = !edit.deleted};
    change->set_kind(std::move(edit.kind));
    change->set_name(std::move(edit.name));
    change->set_author(std::move(edit.author));
    change->set_deleted(edit.deleted);
    change->set_source(std::move(edit.source));
    change->set_unplanned(edit.unplanned);
    change->set_plan(std::move(edit.plan));
    change->set_approved_by(std::move(edit.approved_by));
    change->set_restored_version(edit.restored_version);
    if (!edit.deleted) change->set_value(std::move(edit.value));
    pending->outcome.versions.push_back(change->version());
  }
  pending->outcome.effective_sequence = context_.head.sequence.Next();
}

}  // namespace cdgate::state
