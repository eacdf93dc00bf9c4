// Whatever text comes: refused with a registered reason, or a document that is the same
// after it was written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "auth/crypto/certificate.h"
#include "auth/trust/bundle_document.h"
#include "gateway/base/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cdgate::trust::BundleDocument;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = BundleDocument::Parse(text);
  if (!document.ok()) {
    if (!cdgate::base::ReasonOf(document.status())) std::abort();
    return 0;
  }
  const auto json = document->ToJson();
  if (!json.ok()) return 0;  // a root with a key of a kind that is not written
  const auto again = BundleDocument::Parse(*json);
  const bool same = again.ok() && again->sequence == document->sequence &&
                    again->refresh_hint == document->refresh_hint &&
                    cdgate::crypto::ToPem(again->roots) == cdgate::crypto::ToPem(document->roots);
  if (!same) std::abort();
  return 0;
}
