// Whatever comes as an address or as a range of addresses: refused with a registered reason, or
// taken in a spelling that is taken again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "gateway/base/errors.h"
#include "gateway/base/http_url.h"
#include "gateway/base/ip_range.h"

namespace {

void Must(bool holds) {
  if (!holds) std::abort();
}

void TryUrl(absl::string_view text) {
  const auto url = cdgate::base::ParseHttpUrl(text);
  if (!url.ok()) return Must(cdgate::base::ReasonOf(url.status()).has_value());
  const auto again = cdgate::base::ParseHttpUrl(url->text);
  Must(again.ok() && again->text == url->text && again->host == url->host &&
       again->port == url->port && again->path == url->path && again->tls == url->tls);
  Must(url->IsWithin(*again));
  Must(url->text.find_first_of(" \r\n\\#") == std::string::npos);
}

void TryRange(absl::string_view text) {
  const auto range = cdgate::base::ParseIpRange(text);
  if (!range.ok()) return Must(cdgate::base::ReasonOf(range.status()).has_value());
  Must(range->prefix_bits <= range->first.size * 8);
  Must(range->Contains(range->first));
  const auto again = cdgate::base::ParseIpAddress(range->first.Text());
  Must(again.has_value() && *again == range->first);
  cdgate::base::SpecialUseOf(range->first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  TryUrl(text);
  TryRange(text);
  return 0;
}
