// The view never accepts what the generated parser refuses, and reads the same; so it does
// where it trusts the bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/event/cloud_event_view.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace {

using cdgate::event::AttributeView;
using cdgate::event::CloudEventView;

void Check(bool condition) {
  if (!condition) abort();
}

void CheckSame(const CloudEventView& view, const io::cloudevents::v1::CloudEvent& proto) {
  Check(view.id() == proto.id() && view.source() == proto.source());
  Check(view.type() == proto.type() && view.spec_version() == proto.spec_version());
  Check(static_cast<int>(view.data_kind()) == static_cast<int>(proto.data_case()));
  if (proto.has_binary_data()) Check(view.data() == proto.binary_data());
  if (proto.has_text_data()) Check(view.data() == proto.text_data());
  int seen = 0;
  view.ForEach([&](const AttributeView& attribute) {
    ++seen;
    const auto it = proto.attributes().find(std::string(attribute.name));
    Check(it != proto.attributes().end());
    Check(static_cast<int>(attribute.kind) == static_cast<int>(it->second.attr_case()));
    if (it->second.has_ce_string()) Check(attribute.text == it->second.ce_string());
    if (it->second.has_ce_integer()) Check(attribute.integer == it->second.ce_integer());
    if (it->second.has_ce_boolean()) Check(attribute.boolean == it->second.ce_boolean());
    if (it->second.has_ce_timestamp()) {
      Check(attribute.seconds == it->second.ce_timestamp().seconds());
      Check(attribute.nanos == it->second.ce_timestamp().nanos());
    }
  });
  Check(seen == proto.attributes_size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto view = CloudEventView::Scan(bytes);
  if (!view.ok()) return 0;
  io::cloudevents::v1::CloudEvent proto;
  Check(proto.ParseFromArray(data, static_cast<int>(size)));
  CheckSame(*view, proto);
  // A name that is there twice is never stored.
  if (view->attribute_entries() != static_cast<size_t>(proto.attributes_size())) return 0;
  CloudEventView trusted;
  Check(trusted.AssignStored(bytes));
  CheckSame(trusted, proto);
  return 0;
}
