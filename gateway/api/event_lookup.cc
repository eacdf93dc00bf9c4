#include "gateway/api/event_lookup.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/api/times.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

absl::Status NoKey() {
  return base::MakeError(base::Reason::kInvalidArgument, "name the event by its id or its sequence",
                         {{"field", "event"}});
}

template <typename Key>
absl::StatusOr<EventQuery> FromKey(const Key& key) {
  EventQuery query;
  query.source = key.source();
  query.origin = key.origin();
  if (key.key_case() == Key::kSequence) {
    query.sequence = base::Sequence(key.sequence());
  } else if (key.key_case() == Key::kId && !key.id().empty()) {
    query.id = key.id();
  } else {
    return NoKey();
  }
  return query;
}

bool Fits(const event::Record& record, const EventQuery& query) {
  return (query.id.empty() || record.id() == query.id) &&
         (query.source.empty() || record.source() == query.source) &&
         (query.origin.empty() || record.origin() == query.origin);
}

absl::Status Ambiguous(const EventQuery& query, const std::vector<state::EventRef>& found) {
  std::vector<std::string> names;
  for (const state::EventRef& ref : found) {
    names.push_back(absl::StrCat(ref.record->sequence().value(), " (origin ", ref.record->origin(),
                                 ", source ", base::Shorten(ref.record->source()), ")"));
  }
  return base::MakeError(base::Reason::kAmbiguousId,
                         absl::StrCat("several events have id ", base::Shorten(query.id), ": ",
                                      absl::StrJoin(names, "; "), "; add source and origin"),
                         {{"id", query.id}});
}

// `covered`: only what the caller's grants cover was looked at.
absl::Status NotFound(const EventQuery& query, bool covered) {
  const std::string name = query.sequence ? absl::StrCat("sequence ", query.sequence->value())
                                          : absl::StrCat("id ", base::Shorten(query.id));
  return base::MakeError(base::Reason::kNotFound,
                         absl::StrCat("no event with ", name, " in this domain's log",
                                      covered ? " that your grants cover" : "",
                                      "; it was never accepted here, or retention removed it"),
                         {{"event", name}});
}

}  // namespace

absl::StatusOr<EventQuery> QueryOf(const admin::v1::EventKey& key) { return FromKey(key); }

absl::StatusOr<EventQuery> QueryOf(const events::v1::GetEventRequest& request) {
  return FromKey(request);
}

namespace {

// `scope`: null where everything may be seen.
absl::StatusOr<state::EventRef> Find(const state::Store& store, const EventQuery& query,
                                     delivery::ReadScope* scope) {
  std::vector<base::Sequence> candidates;
  if (query.sequence) {
    candidates.push_back(*query.sequence);
  } else {
    CDGATE_ASSIGN_OR_RETURN(candidates, store.FindById(query.id));
  }
  std::vector<state::EventRef> found;
  for (const base::Sequence sequence : candidates) {
    absl::StatusOr<state::EventRef> ref = store.ReadEvent(sequence);
    const auto reason = base::ReasonOf(ref.status());
    if (reason == base::Reason::kTrimmed || reason == base::Reason::kNotFound) continue;
    CDGATE_RETURN_IF_ERROR(ref.status());
    if (scope != nullptr && !scope->Covers(*ref->record)) continue;
    if (Fits(*ref->record, query)) found.push_back(*std::move(ref));
  }
  if (found.empty()) return NotFound(query, scope != nullptr);
  if (found.size() > 1) return Ambiguous(query, found);
  return std::move(found.front());
}

}  // namespace

absl::StatusOr<state::EventRef> FindEvent(const state::Store& store, const EventQuery& query) {
  return Find(store, query, nullptr);
}

absl::StatusOr<state::EventRef> FindCovered(const state::Store& store, const EventQuery& query,
                                            delivery::ReadScope& scope) {
  return Find(store, query, &scope);
}

admin::v1::EventSummary Summarise(const event::Record& record) {
  admin::v1::EventSummary summary;
  summary.set_sequence(record.sequence().value());
  summary.set_origin(std::string(record.origin()));
  summary.set_source(std::string(record.source()));
  summary.set_id(std::string(record.id()));
  summary.set_type(std::string(record.type()));
  *summary.mutable_accept_time() = ToProto(record.accept_time());
  return summary;
}

admin::v1::EventSummary Summarise(const storage::v1::OutcomeRow& row) {
  admin::v1::EventSummary summary;
  summary.set_sequence(row.sequence());
  summary.set_origin(row.origin());
  summary.set_source(row.source());
  summary.set_id(row.id());
  summary.set_type(row.type());
  *summary.mutable_accept_time() = ToProto(absl::FromUnixNanos(row.accepted_time_nanos()));
  return summary;
}

events::v1::DeliveredEvent Deliver(const event::Record& record) {
  events::v1::DeliveredEvent out;
  out.set_sequence(record.sequence().value());
  out.set_origin(std::string(record.origin()));
  out.set_attempt(1);
  const absl::string_view bytes = record.cloud_event().bytes();
  out.mutable_event()->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  *out.mutable_accept_time() = ToProto(record.accept_time());
  out.set_received_from(std::string(record.stored().received_from()));
  out.set_import_rule(std::string(record.stored().import_rule()));
  event::ForEachNote(record.stored().notes(),
                     [&out](absl::string_view note) { out.add_notes(std::string(note)); });
  record.stored().ForEachWithheld(
      [&out](absl::string_view pointer) { out.add_withheld(std::string(pointer)); });
  record.stored().ForEachSubstituted(
      [&out](absl::string_view pointer) { out.add_substituted(std::string(pointer)); });
  return out;
}

}  // namespace cdgate::api
