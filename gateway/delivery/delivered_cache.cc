#include "gateway/delivery/delivered_cache.h"

#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "gateway/delivery/frames.h"

namespace cdgate::delivery {

grpc::ByteBuffer DeliveredCache::Response(absl::Span<const event::Record* const> records) {
  absl::InlinedVector<rpc::SharedBytes, kMostRecords> parts;
  size_t size = 0;
  for (const event::Record* record : records) {
    parts.push_back(Of(*record));
    size += parts.back().size();
  }
  return rpc::ToBytes(SubscribeResponseHead(size), parts);
}

rpc::SharedBytes DeliveredCache::Of(const event::Record& record) {
  Slot& slot = slots_[record.sequence().value() % kSlots];
  rpc::SharedBytes replaced;  // freed without the lock
  base::MutexLock lock(slot.mu);
  if (slot.sequence == record.sequence()) return slot.bytes;
  // Made with the lock held: others that want it now would make it as well.
  std::string bytes;
  AppendDelivered(record, 1, nullptr, &bytes);
  replaced = std::exchange(slot.bytes, rpc::SharedBytes(std::move(bytes)));
  slot.sequence = record.sequence();
  return slot.bytes;
}

}  // namespace cdgate::delivery
