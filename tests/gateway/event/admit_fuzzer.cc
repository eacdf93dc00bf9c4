// Whatever comes, as an envelope or as bare JSON, is refused with a registered reason or
// becomes an event that is admitted again unchanged.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/base/errors.h"
#include "gateway/event/digests.h"
#include "gateway/event/valid_event.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace {

using cdgate::event::Admitter;
using cdgate::event::AttributeView;
using cdgate::event::CloudEventFields;
using cdgate::event::CloudEventView;
using cdgate::event::ValidEvent;

void Check(bool condition) {
  if (!condition) abort();
}

// The event's own bytes are what its parts render to, whether it was copied or rendered.
void CheckCanonical(const ValidEvent& event) {
  const auto view = CloudEventView::Scan(event.cloud_event());
  Check(view.ok());
  CloudEventFields fields;
  fields.id = view->id();
  fields.source = view->source();
  fields.type = view->type();
  fields.data = view->data();
  view->ForEach([&](const AttributeView& a) { fields.attributes.push_back(a); });
  Check(cdgate::event::RenderCloudEvent(&fields) == event.cloud_event());
  Check(event.source() == view->source() && event.data() == view->data());
  const auto label = view->Find("dataclassification");
  Check(event.classification() == (label && label->is_text() ? label->text : ""));
}

void CheckResult(const absl::StatusOr<ValidEvent>& event) {
  if (!event.ok()) {
    Check(cdgate::base::ReasonOf(event.status()).has_value());
    return;
  }
  io::cloudevents::v1::CloudEvent proto;
  Check(proto.ParseFromString(std::string(event->cloud_event())));
  Check(event->data() == proto.binary_data());
  Check(!event->id().empty() && !event->source().empty() && !event->subject().empty());
  CheckCanonical(*event);
  Admitter admitter;
  const auto again = admitter.Admit(event->cloud_event());
  Check(again.ok() && again->cloud_event() == event->cloud_event());
  Check(cdgate::event::CanonicalJsonDigest(event->data()).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  static Admitter admitter;  // reused, as a worker does
  CheckResult(admitter.Admit(bytes));
  CheckResult(admitter.AdmitCdEventJson(bytes));
  return 0;
}
