#include "gateway/filter/unicode.h"

#include <algorithm>
#include <iterator>

#include "gateway/filter/unicode_tables.h"

namespace cdgate::filter {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Bytes that a character beginning with `lead` has; 0: none begins so.
uint32_t SizeByLead(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

bool InRange(uint32_t code, uint32_t size) {
  if (size == 3) return code >= 0x800 && (code < 0xD800 || code > 0xDFFF);
  if (size == 4) return code >= 0x10000 && code <= 0x10FFFF;
  return true;
}

uint32_t Map(const CaseRange* begin, const CaseRange* end, uint32_t code) {
  const CaseRange* range = std::upper_bound(
      begin, end, code, [](uint32_t c, const CaseRange& r) { return c < r.first; });
  if (range == begin) return code;
  --range;
  if (code > range->last || (code - range->first) % range->stride != 0) return code;
  return code + static_cast<uint32_t>(range->delta);
}

bool IsWhiteSpace(uint32_t code) {
  if (code <= 0x20) return code == 0x20 || (code >= 0x09 && code <= 0x0D);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

}  // namespace

Character DecodeFirst(absl::string_view text) {
  if (text.empty()) return {};
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1, true};
  const uint32_t size = SizeByLead(lead);
  const Character invalid = {lead, 1, false};
  if (size == 0 || text.size() < size) return invalid;
  uint32_t code = lead & (0xFF >> (size + 1));
  for (uint32_t i = 1; i < size; ++i) {
    if (!IsContinuation(text[i])) return invalid;
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
  }
  return InRange(code, size) ? Character{code, size, true} : invalid;
}

size_t Encode(uint32_t code, char* out) {
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  const size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = size - 1; i > 0; --i) {
    out[i] = static_cast<char>(0x80 | (code & 0x3F));
    code >>= 6;
  }
  constexpr unsigned char kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  out[0] = static_cast<char>(kLead[size] | code);
  return size;
}

size_t CountCharacters(absl::string_view text) {
  size_t n = 0;
  for (; !text.empty(); ++n) text.remove_prefix(DecodeFirst(text).size);
  return n;
}

size_t OffsetOfCharacter(absl::string_view text, size_t n) {
  size_t offset = 0;
  for (; n > 0 && offset < text.size(); --n) offset += DecodeFirst(text.substr(offset)).size;
  return offset;
}

uint32_t ToLower(uint32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
  return Map(std::begin(kLowerRanges), std::end(kLowerRanges), code);
}

uint32_t ToUpper(uint32_t code) {
  if (code < 0x80) return code >= 'a' && code <= 'z' ? code - 32 : code;
  return Map(std::begin(kUpperRanges), std::end(kUpperRanges), code);
}

absl::string_view TrimWhiteSpace(absl::string_view text) {
  while (!text.empty()) {
    const Character first = DecodeFirst(text);
    if (!first.valid || !IsWhiteSpace(first.code)) break;
    text.remove_prefix(first.size);
  }
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4 && IsContinuation(text[begin])) --begin;
    const Character last = DecodeFirst(text.substr(begin));
    if (begin + last.size != text.size() || !last.valid || !IsWhiteSpace(last.code)) break;
    text.remove_suffix(last.size);
  }
  return text;
}

}  // namespace cdgate::filter
