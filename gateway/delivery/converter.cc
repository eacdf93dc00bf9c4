#include "gateway/delivery/converter.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/cloud_event_writer.h"

namespace cdgate::delivery {
namespace {

constexpr absl::string_view kConvertedFrom = "cdgateconvertedfrom";
// What clients take in one message by default, less its frame.
constexpr size_t kMaxConvertedBytes = 3 << 20;

// Speaks of the bytes that were published, or is made anew.
bool IsReplaced(absl::string_view attribute) {
  return attribute == "dssematerial" || attribute == "dataschema" || attribute == "subject" ||
         attribute == "time";
}

int32_t NanosOf(absl::Time time) {
  const absl::Duration part = time - absl::FromUnixSeconds(absl::ToUnixSeconds(time));
  return static_cast<int32_t>(absl::ToInt64Nanoseconds(part));
}

std::string AsCloudEvent(const event::Record& record, const event::Converted& converted) {
  event::CloudEventFields fields;
  // What a signature covered stood as it came; without it all is the CDEvent's own.
  fields.id = record.id();
  fields.source = record.source();
  fields.type = converted.type;
  fields.data = converted.json;
  record.cloud_event().ForEach([&](const event::AttributeView& attribute) {
    if (!IsReplaced(attribute.name)) fields.attributes.push_back(attribute);
  });
  fields.attributes.push_back(event::TextAttribute("subject", record.subject()));
  fields.attributes.push_back(
      event::TimeAttribute("time", absl::ToUnixSeconds(record.time()), NanosOf(record.time())));
  fields.attributes.push_back(event::TextAttribute(kConvertedFrom, record.type()));
  return event::RenderCloudEvent(&fields);
}

}  // namespace

absl::StatusOr<Converter> Converter::Make(absl::string_view convert_to) {
  Converter converter;
  if (convert_to.empty()) return converter;
  CDGATE_ASSIGN_OR_RETURN(converter.to_, event::ParseConvertTo(convert_to, "convert_to"));
  converter.bridge_ = std::make_unique<event::Bridge>();
  return converter;
}

const Rendition* Converter::Render(const event::Record& record) {
  if (bridge_ == nullptr) return nullptr;
  auto converted = bridge_->Convert(record.data(), to_);
  rendition_ = Rendition();
  if (!converted.ok()) {
    rendition_.not_converted = std::string(converted.status().message());
    return &rendition_;
  }
  if (!*converted) return nullptr;
  std::string cloud_event = AsCloudEvent(record, **converted);
  if (cloud_event.size() > kMaxConvertedBytes) {
    rendition_.not_converted =
        absl::StrCat("it would have ", cloud_event.size(), " bytes, more than many clients take");
    return &rendition_;
  }
  rendition_.converted_from = std::string(record.type());
  rendition_.cloud_event = std::move(cloud_event);
  return &rendition_;
}

}  // namespace cdgate::delivery
