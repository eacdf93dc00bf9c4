#include "federation/session/relay.h"

#include <algorithm>

#include "federation/link/codec.h"

namespace cdgate::session {

uint64_t MarkOf(const event::Record& record) {
  // The commitment is a digest over salt and content: any 8 bytes of it will do.
  uint64_t mark = 0;
  const std::string& commitment = record.stored().commitment();
  for (size_t i = 0; i < std::min<size_t>(8, commitment.size()); ++i) {
    mark = mark << 8 | static_cast<uint8_t>(commitment[i]);
  }
  return mark == 0 ? 1 : mark;
}

void RelayWriter::Set(const event::Record& record, const policy::Decision& decision) {
  record_ = &record;
  const storage::v1::StoredEvent& stored = record.stored();
  rest_.set_origin(stored.origin());
  rest_.set_accepted_time_nanos(stored.accepted_time_nanos());
  rest_.set_salt(stored.salt());
  rest_.set_commitment(stored.commitment());
  rest_.set_plane(stored.plane());
  rest_.set_classification(stored.classification());
  rest_.set_hops(stored.hops() + 1);
  *rest_.mutable_path() = stored.path();
  rest_.add_path(domain_);
  rest_.mutable_terms()->set_onward(decision.terms.onward);
  rest_.mutable_terms()->set_classification(decision.terms.classification.data(),
                                            decision.terms.classification.size());
  *rest_.mutable_statements() = stored.statements();
  rest_.set_notes(stored.notes());
  size_ = link::RelayedEventSize(stored.cloud_event().size(), rest_);
}

void RelayWriter::Append(std::string* events) const {
  link::AppendRelayedEvent(record_->stored().cloud_event(), rest_, events);
}

}  // namespace cdgate::session
