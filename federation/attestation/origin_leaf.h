// The leaf of an event in the statement of its origin, made from what the origin stores of it.
#pragma once

#include "federation/attestation/leaves.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/record.h"
#include "gateway/event/stored_event.h"

namespace cdgate::attestation {

// `cloud_event` is that of `stored`.
inline Digest OriginLeafOf(const event::StoredView& stored,
                           const event::CloudEventView& cloud_event, LeafMaker& leaves) {
  const bool fields = (stored.notes() & event::kNoteFieldsCommitted) != 0;
  return leaves.Origin(leaves.OriginSalt(stored.salt()), ClaimOf(stored),
                       (stored.notes() & event::kNoteOuterDisagrees) != 0,
                       fields ? Digest{} : leaves.AttributesOf(cloud_event));
}

}  // namespace cdgate::attestation
