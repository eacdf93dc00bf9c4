#include "gateway/delivery/converter.h"

#include <optional>
#include <utility>

#include "gateway/base/status_macros.h"
#include "gateway/event/cloud_event_writer.h"

namespace cdgate::delivery {
namespace {

constexpr absl::string_view kConvertedFrom = "cdgateconvertedfrom";

// Speaks of the bytes that were published.
bool IsOfTheOriginal(absl::string_view attribute) {
  return attribute == "dssematerial" || attribute == "dataschema";
}

std::string AsCloudEvent(const event::Record& record, const event::Converted& converted) {
  event::CloudEventFields fields;
  fields.id = record.cloud_event().id();
  fields.source = record.source();
  fields.type = converted.type;
  fields.data = converted.json;
  record.cloud_event().ForEach([&](const event::AttributeView& attribute) {
    if (!IsOfTheOriginal(attribute.name)) fields.attributes.push_back(attribute);
  });
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
  rendition_.converted_from = std::string(record.type());
  rendition_.cloud_event = AsCloudEvent(record, **converted);
  return &rendition_;
}

}  // namespace cdgate::delivery
