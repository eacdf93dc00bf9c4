#include "gateway/delivery/frames.h"

#include "gateway/event/wire_writer.h"

namespace cdgate::delivery {
namespace {

using event::AppendBytesField;
using event::AppendBytesHeader;
using event::AppendVarintField;
using event::BytesFieldSize;
using event::BytesHeaderSize;
using event::VarintFieldSize;

// Field numbers of cdgate/events/v1/events.proto.
constexpr uint32_t kBatchEvents = 1;
constexpr uint32_t kResponseEvents = 2;
constexpr uint32_t kWatchEvent = 1;
constexpr uint32_t kWatchPosition = 2;

// The google.protobuf.Timestamp of a record's acceptance.
struct Timestamp {
  explicit Timestamp(int64_t unix_nanos)
      : seconds(static_cast<uint64_t>(unix_nanos / 1'000'000'000)),
        nanos(static_cast<uint64_t>(unix_nanos % 1'000'000'000)) {}
  size_t size() const {
    return (seconds != 0 ? VarintFieldSize(1, seconds) : 0) +
           (nanos != 0 ? VarintFieldSize(2, nanos) : 0);
  }
  void AppendTo(std::string* out) const {
    if (seconds != 0) AppendVarintField(1, seconds, out);
    if (nanos != 0) AppendVarintField(2, nanos, out);
  }
  uint64_t seconds;
  uint64_t nanos;
};

// One DeliveredEvent, its size known before it is written.
class Delivered {
 public:
  Delivered(const event::Record& record, uint32_t attempt, const Rendition* rendition)
      : record_(record),
        attempt_(attempt),
        accepted_(record.stored().accepted_time_nanos()),
        rendition_(rendition == nullptr ? AsItIs() : *rendition),
        cloud_event_(rendition_.cloud_event.empty() ? record.cloud_event().bytes()
                                                    : rendition_.cloud_event) {
    size_ = VarintFieldSize(1, record.sequence().value()) + TextSize(2, record.origin()) +
            VarintFieldSize(3, attempt) + BytesFieldSize(4, cloud_event_.size()) +
            BytesFieldSize(5, accepted_.size()) + TextSize(6, record.stored().received_from()) +
            TextSize(7, record.stored().import_rule()) + TextSize(9, rendition_.converted_from) +
            TextSize(10, rendition_.not_converted);
    event::ForEachNote(record.stored().notes(),
                       [this](absl::string_view note) { size_ += TextSize(8, note); });
    record.stored().ForEachWithheld(
        [this](absl::string_view pointer) { size_ += BytesFieldSize(11, pointer.size()); });
    record.stored().ForEachSubstituted(
        [this](absl::string_view pointer) { size_ += BytesFieldSize(12, pointer.size()); });
  }

  size_t size() const { return size_; }

  void AppendTo(std::string* out) const {
    AppendVarintField(1, record_.sequence().value(), out);
    AppendText(2, record_.origin(), out);
    AppendVarintField(3, attempt_, out);
    AppendBytesField(4, cloud_event_, out);
    AppendBytesHeader(5, accepted_.size(), out);
    accepted_.AppendTo(out);
    AppendText(6, record_.stored().received_from(), out);
    AppendText(7, record_.stored().import_rule(), out);
    event::ForEachNote(record_.stored().notes(),
                       [out](absl::string_view note) { AppendText(8, note, out); });
    AppendText(9, rendition_.converted_from, out);
    AppendText(10, rendition_.not_converted, out);
    record_.stored().ForEachWithheld(
        [out](absl::string_view pointer) { AppendBytesField(11, pointer, out); });
    record_.stored().ForEachSubstituted(
        [out](absl::string_view pointer) { AppendBytesField(12, pointer, out); });
  }

 private:
  static const Rendition& AsItIs() {
    static const Rendition* const none = new Rendition();
    return *none;
  }
  static size_t TextSize(uint32_t field, absl::string_view text) {
    return text.empty() ? 0 : BytesFieldSize(field, text.size());
  }
  static void AppendText(uint32_t field, absl::string_view text, std::string* out) {
    if (!text.empty()) AppendBytesField(field, text, out);
  }

  const event::Record& record_;
  const uint32_t attempt_;
  const Timestamp accepted_;
  const Rendition& rendition_;
  const absl::string_view cloud_event_;
  size_t size_ = 0;
};

}  // namespace

void AppendDelivered(const event::Record& record, uint32_t attempt, const Rendition* rendition,
                     std::string* batch) {
  const Delivered delivered(record, attempt, rendition);
  AppendBytesHeader(kBatchEvents, delivered.size(), batch);
  delivered.AppendTo(batch);
}

std::string AsSubscribeResponse(std::string batch) {
  batch.insert(0, SubscribeResponseHead(batch.size()));
  return batch;
}

std::string SubscribeResponseHead(size_t batch_bytes) {
  std::string head;
  AppendBytesHeader(kResponseEvents, batch_bytes, &head);
  return head;
}

std::string AsWatchResponse(const event::Record& record, const Rendition* rendition,
                            const base::Epoch& epoch) {
  const Delivered delivered(record, 1, rendition);
  const uint64_t sequence = record.sequence().value();
  const size_t position_size =
      BytesFieldSize(1, epoch.value().size()) + VarintFieldSize(2, sequence);
  std::string out;
  out.reserve(BytesFieldSize(kWatchEvent, delivered.size()) +
              BytesFieldSize(kWatchPosition, position_size));
  AppendBytesHeader(kWatchEvent, delivered.size(), &out);
  delivered.AppendTo(&out);
  AppendBytesHeader(kWatchPosition, position_size, &out);
  AppendBytesField(1, epoch.value(), &out);
  AppendVarintField(2, sequence, &out);
  return out;
}

}  // namespace cdgate::delivery
