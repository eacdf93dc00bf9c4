#include "gateway/cdevents/json_numbers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace cdgate::cdevents {
namespace {

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

bool IsOfNumber(char c) {
  return IsDigit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

// How many digits there were.
size_t TakeDigits(absl::string_view* text) {
  const size_t n = std::find_if_not(text->begin(), text->end(), IsDigit) - text->begin();
  text->remove_prefix(n);
  return n;
}

bool IsNumber(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  const bool zero = absl::ConsumePrefix(&text, "0");
  if (!zero && TakeDigits(&text) == 0) return false;
  if (absl::ConsumePrefix(&text, ".") && TakeDigits(&text) == 0) return false;
  if (absl::ConsumePrefix(&text, "e") || absl::ConsumePrefix(&text, "E")) {
    if (!absl::ConsumePrefix(&text, "+")) absl::ConsumePrefix(&text, "-");
    if (TakeDigits(&text) == 0) return false;
  }
  return text.empty();
}

// Past the text that begins at `at`.
size_t SkipText(const std::string& json, size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    if (json[at] == '\\') ++at;
  }
  return at + 1;
}

}  // namespace

bool ReplaceNumbers(std::string* json) {
  for (size_t at = 0; at < json->size();) {
    const char c = (*json)[at];
    if (c == '"') {
      at = SkipText(*json, at);
    } else if (c == '-' || IsDigit(c)) {
      const auto begin = json->begin() + static_cast<std::string::difference_type>(at);
      const auto end = std::find_if_not(begin, json->end(), IsOfNumber);
      const auto size = static_cast<size_t>(end - begin);
      if (!IsNumber({json->data() + at, size})) return false;
      std::fill(begin, end, ' ');
      *begin = '0';
      at += size;
    } else {
      ++at;
    }
  }
  return true;
}

}  // namespace cdgate::cdevents
