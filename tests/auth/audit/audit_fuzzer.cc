// Any bytes as the lines of an audit log: reading and verifying never crash, never accept a
// line whose hash is not that of its bytes, and name one fault.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_split.h"
#include "auth/audit/chain.h"
#include "auth/audit/checkpoint.h"
#include "auth/audit/line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cdgate::audit;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  ChainVerifier chain({});
  uint64_t line_number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const auto read = ReadLine(line);
    if (read.ok() && Seal(std::string(read->unsealed)) != line) std::abort();
    static_cast<void>(VerifyCheckpoint(line, ""));
    static_cast<void>(TextMember(line, "who"));
    static_cast<void>(NumberMember(line, "commit"));
    const auto fault = chain.Add(line, {"000000000001.jsonl", ++line_number});
    if (fault.has_value() && fault->message.empty()) std::abort();
    if (fault.has_value()) break;
  }
  static_cast<void>(chain.Finish());
  return 0;
}
