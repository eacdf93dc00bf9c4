// The newest events in the bytes in which streams deliver them: made once for all streams that are
// at the head of the log, however many they are, and copied for none.
//
//   DeliveredCache delivered;                                  // one for all streams
//   stream->Send(delivered.Response(frame.records), ...);
//
// Thread-safe. Holds at most 32 events, each as long as no newer one takes its place.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <array>
#include <cstddef>

#include "absl/types/span.h"
#include "gateway/base/mutex.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::delivery {

class DeliveredCache {
 public:
  // Of more records than these, which only a stream that is behind has in one frame, one copy is
  // cheaper than so many pieces.
  static constexpr size_t kMostRecords = 8;

  // A SubscribeResponse with these records, as they are in the log and delivered for the first
  // time. At most kMostRecords.
  grpc::ByteBuffer Response(absl::Span<const event::Record* const> records);

 private:
  struct Slot {
    base::Mutex mu;
    base::Sequence sequence CDGATE_GUARDED_BY(mu);
    rpc::SharedBytes bytes CDGATE_GUARDED_BY(mu);
  };
  static constexpr size_t kSlots = 32;

  // One DeliveredEvent as an `events` field of an EventBatch.
  rpc::SharedBytes Of(const event::Record& record);

  std::array<Slot, kSlots> slots_;  // by the sequence
};

}  // namespace cdgate::delivery
