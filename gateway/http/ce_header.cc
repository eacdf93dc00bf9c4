#include "gateway/http/ce_header.h"

#include <simdjson.h>

#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::http {
namespace {

absl::Status Invalid(absl::string_view name, absl::string_view what) {
  const std::string shown = base::Shorten(name);
  return base::MakeError(base::Reason::kInvalidCloudEvent,
                         absl::StrCat("header field ", shown, ": ", what), {{"attribute", shown}});
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 9110, section 5.6.4. Values of senders that follow the current binding are never quoted.
absl::StatusOr<std::string> Unquote(absl::string_view name, absl::string_view value) {
  std::string out;
  for (size_t i = 1; i < value.size(); ++i) {
    if (value[i] == '"') {
      if (i + 1 == value.size()) return out;
      return Invalid(name, "characters follow the closing quotation mark");
    }
    if (value[i] == '\\' && ++i == value.size()) break;
    out.push_back(value[i]);
  }
  return Invalid(name, "the quotation is not closed");
}

absl::StatusOr<std::string> DecodePercent(absl::string_view name, absl::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '%') {
      out.push_back(value[i]);
      continue;
    }
    const int high = i + 2 < value.size() ? HexDigit(value[i + 1]) : -1;
    const int low = i + 2 < value.size() ? HexDigit(value[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return Invalid(name, "a % is not followed by two hex digits; a percent sign itself is %25");
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

// The code point at `*at` of valid UTF-8; moves past it.
uint32_t NextCodePoint(absl::string_view text, size_t* at) {
  const auto first = static_cast<unsigned char>(text[(*at)++]);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  uint32_t point = first & (0x3f >> more);
  for (int i = 0; i < more; ++i) {
    point = point << 6 | (static_cast<unsigned char>(text[(*at)++]) & 0x3f);
  }
  return point;
}

// CloudEvents 1.0.2, section 2.4, String: no control characters, no noncharacters.
bool IsAllowed(uint32_t point) {
  if (point < 0x20 || (point >= 0x7f && point <= 0x9f)) return false;
  return (point < 0xfdd0 || point > 0xfdef) && (point & 0xfffe) != 0xfffe;
}

absl::Status CheckText(absl::string_view name, absl::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size())) return Invalid(name, "it is not UTF-8");
  for (size_t at = 0; at < text.size();) {
    if (!IsAllowed(NextCodePoint(text, &at))) {
      return Invalid(name, "it has a control character, or another that no attribute may have");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> DecodeCeHeader(absl::string_view name, absl::string_view value) {
  std::string unquoted(value);
  if (!value.empty() && value.front() == '"') {
    CDGATE_ASSIGN_OR_RETURN(unquoted, Unquote(name, value));
  }
  CDGATE_ASSIGN_OR_RETURN(std::string text, DecodePercent(name, unquoted));
  CDGATE_RETURN_IF_ERROR(CheckText(name, text));
  return text;
}

}  // namespace cdgate::http
