// Whatever text comes: refused with a registered reason, or a register that is the same
// after it was written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "auth/ca/register.h"
#include "gateway/base/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cdgate::ca::Register;
  const auto read = Register::Parse(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!read.ok()) {
    if (!cdgate::base::ReasonOf(read.status())) std::abort();
    return 0;
  }
  const std::string text = read->ToText();
  const auto again = Register::Parse(text);
  if (!again.ok() || again->ToText() != text) std::abort();
  return 0;
}
