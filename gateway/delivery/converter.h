// Renders events in the CDEvents release that a subscription asked for.
//
//   CDGATE_ASSIGN_OR_RETURN(Converter converter, Converter::Make("0.5.1"));
//   if (const Rendition* other = converter.Render(record)) Deliver(*other);
//
// A converted event carries the attribute `cdgateconvertedfrom` with the type it was
// published as, and neither `dssematerial` nor `dataschema`, which speak of other bytes. An
// event that cannot be converted (event/bridge.h) is delivered as it was published, with the
// reason beside it: none is left out. One converted event costs about 15 µs.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/cdevents/catalogue.h"
#include "gateway/event/bridge.h"
#include "gateway/event/record.h"

namespace cdgate::delivery {

// How an event is delivered instead of as it is in the log.
struct Rendition {
  std::string cloud_event;     // empty: as in the log
  std::string converted_from;  // the type there; empty: it was not converted
  std::string not_converted;   // why not
};

// Not thread-safe; movable.
class Converter {
 public:
  // Converts nothing.
  Converter() = default;
  // INVALID_ARGUMENT naming `convert_to` where that is no release to convert to; empty:
  // converts nothing.
  static absl::StatusOr<Converter> Make(absl::string_view convert_to);

  // False: Render() has nothing for any event.
  bool converts() const { return bridge_ != nullptr; }
  // Null where the event is delivered as it is. Valid until the next call.
  const Rendition* Render(const event::Record& record);

 private:
  cdevents::Family to_ = cdevents::Family::kNone;
  std::unique_ptr<event::Bridge> bridge_;
  Rendition rendition_;
};

}  // namespace cdgate::delivery
