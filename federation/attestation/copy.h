// A copy of an event, as it was received or as it is about to leave, and the terms that it goes
// under, in views: what leaves, proofs and the chain are made from.
//
//   CopyView copy;                                              // one per worker, kept
//   copy.Assign(record.cloud_event(), record.stored());         // as we have it
//   copy.Assign(sent, outgoing.withheld, outgoing.substituted); // as it leaves
//   copy.Assign(received, relayed.withheld(), relayed.substituted());
//
// Views point into what they were made from, which outlives them. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/relayed_view.h"
#include "gateway/event/stored_event.h"

namespace cdgate::attestation {

struct CopyView {
  event::CloudEventView event;
  // RFC 6901 pointers into the data, in the order in which they go with the event.
  std::vector<absl::string_view> withheld;
  std::vector<absl::string_view> substituted;

  // `removed` and `replaced`: containers of texts.
  template <typename Texts>
  void Assign(const event::CloudEventView& of, const Texts& removed, const Texts& replaced) {
    event = of;
    withheld.assign(removed.begin(), removed.end());
    substituted.assign(replaced.begin(), replaced.end());
  }
  void Assign(const event::CloudEventView& of, const event::StoredView& stored);

  bool altered() const { return !withheld.empty() || !substituted.empty(); }
};

// Terms of sharing an event onward; nothing set is what an event without terms has.
struct TermsView {
  uint32_t onward = 0;
  absl::string_view classification;
  absl::InlinedVector<absl::string_view, 4> groups;
};

// Of a serialised storage.v1.Terms; false where it is none.
bool ReadTerms(absl::string_view wire, TermsView* terms);
TermsView TermsOf(const storage::v1::Terms& terms);
storage::v1::Terms ToProto(const TermsView& terms);

// What statements say of an event, however many passed it on.
struct EventClaim {
  absl::string_view origin = {};
  absl::string_view commitment = {};  // 32 bytes
  int64_t accepted_time_nanos = 0;
  absl::string_view plane = {};
  absl::string_view classification = {};  // that gateways stamped on it
};
EventClaim ClaimOf(const event::StoredView& stored);
EventClaim ClaimOf(const event::RelayedView& relayed);

}  // namespace cdgate::attestation
