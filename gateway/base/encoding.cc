#include "gateway/base/encoding.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cdgate::base {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

uint8_t ByteAt(absl::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

// Length of the UTF-8 character at the start of `text` (RFC 3629: shortest form, no
// surrogates); 0 where the bytes are none, or are a control character.
size_t PrintableLength(absl::string_view text) {
  const uint8_t first = ByteAt(text, 0);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  uint32_t code = first & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((ByteAt(text, i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (ByteAt(text, i) & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0xA0, 0x800, 0x10000};  // 0x80 to 0x9F are controls
  if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return 0;
  return length;
}

std::string EscapeUnprintable(absl::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = PrintableLength(text);
    if (length > 1) {
      absl::StrAppend(&out, text.substr(0, length));
    } else {
      absl::StrAppend(&out, absl::CEscape(text.substr(0, 1)));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace

std::string HexEncode(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

absl::StatusOr<std::string> HexDecode(absl::string_view text) {
  if (text.size() % 2 != 0) return absl::InvalidArgumentError("odd number of hex digits");
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = HexDigit(text[i]);
    const int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) return absl::InvalidArgumentError("not a lower-case hex digit");
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return out;
}

std::string Base64UrlEncode(absl::string_view bytes) { return absl::WebSafeBase64Escape(bytes); }

absl::StatusOr<std::string> Base64UrlDecode(absl::string_view text) {
  std::string out;
  if (!absl::WebSafeBase64Unescape(text, &out) || Base64UrlEncode(out) != text) {
    return absl::InvalidArgumentError("not base64url without padding");
  }
  return out;
}

std::string Base32Encode(absl::string_view bytes) {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::string out;
  uint32_t buffer = 0;
  int bits = 0;
  for (const char c : bytes) {
    buffer = buffer << 8 | static_cast<uint8_t>(c);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out.push_back(kAlphabet[buffer >> bits & 31]);
    }
  }
  if (bits > 0) out.push_back(kAlphabet[buffer << (5 - bits) & 31]);
  return out;
}

std::string Fingerprint(absl::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (!out.empty()) out.push_back(':');
    absl::StrAppendFormat(&out, "%02X", static_cast<unsigned>(static_cast<uint8_t>(c)));
  }
  return out;
}

std::string Shorten(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return EscapeUnprintable(text);
  size_t cut = max_bytes;
  while (cut > 0 && (static_cast<uint8_t>(text[cut]) & 0xC0) == 0x80) --cut;
  return absl::StrCat(EscapeUnprintable(text.substr(0, cut)), "…");
}

}  // namespace cdgate::base
