// Whatever comes is read or refused with a registered reason, and the data that was read
// is a piece of the text or its base64.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "gateway/base/errors.h"
#include "gateway/event/structured_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view json(reinterpret_cast<const char*>(data), size);
  static cdgate::event::StructuredReader reader;  // reused, as a worker does
  io::cloudevents::v1::CloudEvent event;
  const absl::Status status = reader.Read(json, &event);
  if (!status.ok()) {
    if (!cdgate::base::ReasonOf(status)) abort();
    return 0;
  }
  if (!absl::StrContains(json, event.binary_data()) && !absl::StrContains(json, "data_base64") &&
      !absl::StrContains(json, "\\u")) {
    abort();
  }
  return 0;
}
