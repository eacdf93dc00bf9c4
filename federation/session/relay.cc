#include "federation/session/relay.h"

#include <algorithm>

#include "federation/link/codec.h"

namespace cdgate::session {

uint64_t MarkOf(const event::Record& record) {
  // The commitment is a digest over salt and content: any 8 bytes of it will do.
  uint64_t mark = 0;
  const absl::string_view commitment = record.stored().commitment();
  for (size_t i = 0; i < std::min<size_t>(8, commitment.size()); ++i) {
    mark = mark << 8 | static_cast<uint8_t>(commitment[i]);
  }
  return mark == 0 ? 1 : mark;
}

void RelayWriter::Set(const event::Record& record, const policy::Decision& decision) {
  record_ = &record;
  const event::StoredView& stored = record.stored();
  const auto set = [](absl::string_view from, std::string* to) {
    to->assign(from.data(), from.size());  // which keeps its memory
  };
  set(stored.origin(), rest_.mutable_origin());
  rest_.set_accepted_time_nanos(stored.accepted_time_nanos());
  set(stored.salt(), rest_.mutable_salt());
  set(stored.commitment(), rest_.mutable_commitment());
  set(stored.plane(), rest_.mutable_plane());
  set(stored.classification(), rest_.mutable_classification());
  rest_.set_hops(stored.hops() + 1);
  rest_.clear_path();
  stored.ForEachPath([&](absl::string_view domain) { set(domain, rest_.add_path()); });
  rest_.add_path(domain_);
  rest_.mutable_terms()->set_onward(decision.terms.onward);
  rest_.mutable_terms()->set_classification(decision.terms.classification.data(),
                                            decision.terms.classification.size());
  rest_.clear_statements();
  stored.ForEachStatement([&](absl::string_view text) { set(text, rest_.add_statements()); });
  rest_.set_notes(stored.notes());
  size_ = link::RelayedEventSize(stored.cloud_event().size(), rest_);
}

void RelayWriter::Append(std::string* events) const {
  link::AppendRelayedEvent(record_->stored().cloud_event(), rest_, events);
}

}  // namespace cdgate::session
