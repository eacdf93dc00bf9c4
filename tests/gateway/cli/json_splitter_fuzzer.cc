// However the bytes are cut into chunks, the same texts come out, and nothing of them is
// lost but white space, line feeds and what stands between the elements of an array.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "gateway/cli/json_splitter.h"

namespace {

std::vector<std::string> Split(absl::string_view bytes, size_t step) {
  std::vector<std::string> texts;
  const auto sink = [&](std::string text, size_t) { texts.push_back(std::move(text)); };
  cdgate::cli::JsonSplitter splitter;
  for (size_t i = 0; i < bytes.size(); i += step) splitter.Feed(bytes.substr(i, step), sink);
  splitter.Finish(sink);
  return texts;
}

bool MayVanish(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == '[' || c == ']';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> texts = Split(bytes, size + 1);
  if (Split(bytes, 1) != texts || Split(bytes, 7) != texts) abort();
  size_t at = 0;
  for (const std::string& text : texts) {
    if (text.empty()) abort();
    const size_t found = bytes.find(text, at);
    if (found == absl::string_view::npos) abort();
    for (; at < found; ++at) {
      if (!MayVanish(bytes[at])) abort();
    }
    at += text.size();
  }
  for (; at < size; ++at) {
    if (!MayVanish(bytes[at])) abort();
  }
  return 0;
}
