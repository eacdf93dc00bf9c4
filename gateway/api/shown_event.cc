#include "gateway/api/shown_event.h"

#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::api {
namespace {

using federation::v1::RelayedEvent;

void SetExport(const event::StoredView& stored, RelayedEvent* event) {
  const auto text = [](absl::string_view bytes) { return std::string(bytes); };
  storage::v1::ExportSection& sent = *event->mutable_export_();
  if (stored.has_terms()) sent.mutable_terms()->ParseFromString(text(stored.terms()));
  stored.ForEachWithheld([&](absl::string_view pointer) { sent.add_withheld(text(pointer)); });
  stored.ForEachSubstituted(
      [&](absl::string_view pointer) { sent.add_substituted(text(pointer)); });
}

}  // namespace

RelayedEvent ShownEvent(const event::StoredView& stored) {
  const auto text = [](absl::string_view bytes) { return std::string(bytes); };
  RelayedEvent event;
  event.set_cloud_event(text(stored.cloud_event()));
  event.set_origin(text(stored.origin()));
  event.set_accepted_time_nanos(stored.accepted_time_nanos());
  event.set_salt(text(stored.salt()));
  event.set_commitment(text(stored.commitment()));
  event.set_plane(text(stored.plane()));
  event.set_classification(text(stored.classification()));
  event.set_hops(stored.hops());
  event.set_notes(stored.notes());
  event.set_field_proof(text(stored.field_proof()));
  stored.ForEachPath([&](absl::string_view domain) { event.add_path(text(domain)); });
  if (!stored.received_from().empty()) SetExport(stored, &event);
  return event;
}

}  // namespace cdgate::api
