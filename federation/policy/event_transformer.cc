#include "federation/policy/policy.h"
#include "gateway/event/stored_event.h"
#include "gateway/event/wire_writer.h"

namespace cdgate::policy {

const Outgoing* EventTransformer::Apply(const Transformation& what,
                                        const filter::EventContext& event, const Keyring* keys,
                                        bool* changed) {
  outgoing_ = nullptr;
  const event::Record* const record = event.record();
  if (record == nullptr) return nullptr;
  const Keyring::Key* const key =
      keys == nullptr ? nullptr : keys->For(record->stored().accepted_time_nanos());
  outgoing_ = transformer_.Apply(what, *record, key, changed);
  return outgoing_;
}

// What conditions can see of it, as admission at the receiver will store it.
filter::EventContext& EventTransformer::Arriving(const filter::EventContext& event) {
  constexpr uint32_t kCloudEvent = 1;  // of storage.v1.StoredEvent
  const event::StoredView& was = event.record()->stored();
  event::StoredFields fields;
  fields.origin = was.origin();
  fields.accepted_time_nanos = was.accepted_time_nanos();
  fields.plane = was.plane();
  fields.classification = was.classification();
  fields.hops = was.hops();
  stored_.clear();
  event::AppendBytesField(kCloudEvent, outgoing_->cloud_event, &stored_);
  event::AppendStored(fields, &stored_);
  record_.emplace(event.record()->sequence(), stored_);
  context_.Reset(*record_);
  return context_;
}

}  // namespace cdgate::policy
