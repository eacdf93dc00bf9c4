#include "gateway/event/json_scan.h"

#include <string.h>

#include <array>
#include <cstdint>

#include "absl/strings/match.h"
#include "gateway/cdevents/json_text.h"

namespace cdgate::event {
namespace {

void AppendUtf8(uint32_t code, std::string* out) {
  const auto tail = [&](int shift) {
    out->push_back(static_cast<char>(0x80 | (code >> shift & 0x3f)));
  };
  if (code < 0x80) return out->push_back(static_cast<char>(code));
  if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code >> 6));
    return tail(0);
  }
  if (code < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | code >> 12));
  } else {
    out->push_back(static_cast<char>(0xf0 | code >> 18));
    tail(12);
  }
  tail(6);
  tail(0);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "u" and four digits at `at`.
bool ReadUnit(absl::string_view text, size_t at, uint32_t* out) {
  if (at + 5 > text.size() || text[at] != 'u') return false;
  *out = 0;
  for (const char c : text.substr(at + 1, 4)) {
    const int digit = HexDigit(c);
    if (digit < 0) return false;
    *out = *out << 4 | static_cast<uint32_t>(digit);
  }
  return true;
}

// The escape at `*at`, behind its backslash; `*at` is then its last byte.
bool DecodeEscape(absl::string_view raw, size_t* at, std::string* out) {
  static constexpr absl::string_view kFrom = "\"\\/bfnrt";
  static constexpr absl::string_view kTo = "\"\\/\b\f\n\r\t";
  const size_t simple = kFrom.find(raw[*at]);
  if (simple != absl::string_view::npos) {
    out->push_back(kTo[simple]);
    return true;
  }
  uint32_t code = 0;
  if (!ReadUnit(raw, *at, &code)) return false;
  *at += 4;
  if (code >= 0xd800 && code < 0xe000) {
    uint32_t low = 0;
    const bool pair = code < 0xdc00 && raw.substr(*at + 1, 1) == "\\" &&
                      ReadUnit(raw, *at + 2, &low) && low >= 0xdc00 && low < 0xe000;
    if (!pair) return false;
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    *at += 6;
  }
  AppendUtf8(code, out);
  return true;
}

// The text of a JSON string between its quotes.
bool Decode(absl::string_view raw, std::string* out) {
  out->clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out->push_back(raw[i]);
    } else if (++i == raw.size() || !DecodeEscape(raw, &i, out)) {
      return false;
    }
  }
  return true;
}

// What SkipComposite stops at.
constexpr std::array<bool, 256> kStops = [] {
  std::array<bool, 256> stops{};
  for (const char c : {'"', '{', '}', '[', ']'}) stops[static_cast<unsigned char>(c)] = true;
  return stops;
}();

}  // namespace

void JsonScanner::SkipSpace() {
  while (at_ < in_.size() && cdevents::IsJsonSpace(in_[at_])) ++at_;
}

// To a quote with an even number of backslashes before it.
bool JsonScanner::SkipText() {
  if (!Take('"')) return false;
  for (;;) {
    const auto* const quote =
        static_cast<const char*>(memchr(in_.data() + at_, '"', in_.size() - at_));
    if (quote == nullptr) return false;
    at_ = static_cast<size_t>(quote - in_.data()) + 1;
    size_t slashes = 0;
    while (quote[-1 - static_cast<ptrdiff_t>(slashes)] == '\\') ++slashes;
    if (slashes % 2 == 0) return true;
  }
}

bool JsonScanner::ReadText(absl::string_view* decoded) {
  const size_t from = at_;
  if (!SkipText()) return false;
  const absl::string_view raw = in_.substr(from + 1, at_ - from - 2);
  *decoded = raw;
  if (!absl::StrContains(raw, '\\')) return true;
  if (!Decode(raw, &decoded_)) return false;
  *decoded = decoded_;
  return true;
}

bool JsonScanner::SkipValue() {
  const char c = Peek();
  if (c == '"') return SkipText();
  if (c == '{' || c == '[') return SkipComposite();
  const size_t from = at_;
  while (at_ < in_.size() && in_[at_] != ',' && in_[at_] != '}' && in_[at_] != ']' &&
         !cdevents::IsJsonSpace(in_[at_])) {
    ++at_;
  }
  return at_ > from;
}

bool JsonScanner::SkipComposite() {
  size_t open = 0;
  do {
    while (at_ < in_.size() && !kStops[static_cast<unsigned char>(in_[at_])]) ++at_;
    if (done()) return false;
    const char c = in_[at_];
    if (c == '"') {
      if (!SkipText()) return false;
      continue;
    }
    if (c == '{' || c == '[') {
      ++open;
    } else {
      --open;
    }
    ++at_;
  } while (open > 0);
  return true;
}

void AppendPointerToken(absl::string_view name, std::string* pointer) {
  pointer->push_back('/');
  size_t done = 0;
  for (size_t i = name.find_first_of("~/"); i < name.size(); i = name.find_first_of("~/", done)) {
    pointer->append(name.data() + done, i - done);
    pointer->append(name[i] == '~' ? "~0" : "~1");
    done = i + 1;
  }
  pointer->append(name.data() + done, name.size() - done);
}

}  // namespace cdgate::event
