// What is wrong with an event, and how an error carries it.
//
//   return FaultsError(faults, "dev.cdevents.build.queued.0.3.0 of release 0.5.1");
//   ...
//   for (const Fault& fault : FaultsOf(status)) Print(fault.path, fault.rule, fault.value);
//
// On the wire an error's faults are the field violations of a google.rpc.BadRequest: the
// path is the field, the rest its description.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/base/errors.h"

namespace cdgate::cdevents {

// One thing that is wrong.
struct Fault {
  std::string path;   // JSON pointer (RFC 6901): "/subject/content/uri"; empty: the whole
  std::string rule;   // "required", "type string", "format uri", "enum success|failure"…
  std::string value;  // what is there instead, as JSON, shortened; empty: nothing

  friend bool operator==(const Fault&, const Fault&) = default;
};

inline constexpr size_t kMaxFaults = 64;

struct Faults {
  std::vector<Fault> list;  // at most kMaxFaults, in the order of the document
  size_t more = 0;          // how many others there are
};

// "/subject/content/uri: format uri, found \"job/1\""
std::string ToText(const Fault& fault);

// The message is `begin` and the first faults; metadata are path, rule and value of the
// first, and how many there are. Carried are as many as 2 KiB hold.
absl::Status FaultsError(base::Reason reason, absl::string_view begin, const Faults& faults);
// INVALID_EVENT: "not a conforming `what`".
absl::Status FaultsError(const Faults& faults, absl::string_view what);

// The faults that an error carries; none of other errors.
std::vector<Fault> FaultsOf(const absl::Status& status);

// The payload of a status that is a serialised google.rpc.BadRequest.
inline constexpr char kBadRequestUrl[] = "type.googleapis.com/google.rpc.BadRequest";

}  // namespace cdgate::cdevents
