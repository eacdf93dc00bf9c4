// Converts events between CDEvents releases, where the specification makes it possible.
//
//   Bridge bridge;                                              // one per worker, reused
//   CDGATE_ASSIGN_OR_RETURN(auto converted, bridge.Convert(json, cdevents::Family::k05));
//   if (converted) Use(converted->json, converted->type);       // else it is of it already
//
// From 0.3, 0.4 and 0.5 to 0.4.1 or 0.5.1 (to 0.3 nothing leads back). What changes:
//  - the type string's version; `version` and `specversion`, which say the release that was
//    converted to; `subject.type`; the 0.4.0 name of `chainId`;
//  - names of content members (`url` and `uri`) and values (pass and fail, success and
//    failure), as the options of proto/cdevents/v1 say.
// Everything else is the same, custom data and open objects with their digits. The order of
// members is that of the messages, and white space goes. So bytes and signatures do not
// survive: a converted event claims none.
//
// Not possible is what the other release has no type for, and what its rules refuse: a `url`
// that is no absolute URI, an outcome that is none of its values.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/cdevents/catalogue.h"
#include "gateway/cdevents/typed.h"
#include "gateway/event/json_parser.h"

namespace cdgate::event {

// The family of a release that events can be converted to, "0.4.1" or "0.5.1";
// INVALID_ARGUMENT naming `field` where it is none.
absl::StatusOr<cdevents::Family> ParseConvertTo(absl::string_view release, absl::string_view field);

struct Converted {
  std::string json;
  std::string type;
};

// Not thread-safe; reuses its memory from event to event.
class Bridge {
 public:
  // `json` is the data of an admitted event. None where it is of the family `to` already.
  // NOT_CONVERTIBLE, naming the reason, where it cannot be converted, as of a type that is
  // unknown.
  absl::StatusOr<std::optional<Converted>> Convert(absl::string_view json, cdevents::Family to);

 private:
  absl::StatusOr<Converted> ConvertFrom(const cdevents::Form& from, absl::string_view type,
                                        absl::string_view json, cdevents::Family to);
  absl::Status Judge(const Converted& converted, const cdevents::Form& to);

  JsonParser parser_;
  cdevents::TypedReader reader_;
};

}  // namespace cdgate::event
