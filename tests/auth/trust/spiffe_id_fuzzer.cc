// Whatever text comes: refused with a registered reason, or exactly the text that was given,
// in the parts it was made of.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cdgate::trust::SpiffeId;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto id = SpiffeId::Parse(text);
  if (!id.ok()) {
    if (!cdgate::base::ReasonOf(id.status())) std::abort();
    return 0;
  }
  const bool whole =
      id->text() == text && absl::StrCat("spiffe://", id->trust_domain(), id->path()) == text;
  const bool canonical = !absl::StrContains(text.substr(9), "//") && !absl::EndsWith(text, "/");
  if (!whole || !canonical || !cdgate::trust::ValidTrustDomain(id->trust_domain())) std::abort();
  return 0;
}
