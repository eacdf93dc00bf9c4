// Any text has a verdict in every format, and the verdicts do not contradict each other.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "gateway/base/formats.h"
#include "gateway/base/timestamp.h"
#include "gateway/event/lints.h"

namespace {

using cdgate::base::IsDateTime;
using cdgate::base::IsUri;
using cdgate::base::IsUriReference;
using cdgate::event::DomainIdFault;
using cdgate::event::DomainIdRemark;
using cdgate::event::PackageUrlFault;

void Check(bool condition) {
  if (!condition) abort();
}

// A timestamp that can be held is read again as the same instant.
void CheckTimestamp(absl::string_view text) {
  int64_t seconds, again;
  int32_t nanos, again_nanos;
  const bool held = cdgate::base::ParseRfc3339(text, &seconds, &nanos);
  Check(!held || IsDateTime(text));
  if (!held) return;
  Check(nanos >= 0 && nanos < 1'000'000'000);
  const std::string written = cdgate::base::FormatRfc3339(seconds, nanos);
  Check(cdgate::base::ParseRfc3339(written, &again, &again_nanos));
  Check(again == seconds && again_nanos == nanos);
}

void CheckUris(absl::string_view text) {
  const bool uri = IsUri(text);
  const bool reference = IsUriReference(text);
  Check(!uri || reference);
  Check(!uri || !absl::StrContains(text, '"'));
  // What is well-formed by its own rules is a URI.
  Check(PackageUrlFault(text).has_value() || uri);
  Check(DomainIdFault(text).has_value() || uri);
  Check(!DomainIdRemark(text).has_value() || !DomainIdFault(text).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  CheckTimestamp(text);
  CheckUris(text);
  return 0;
}
