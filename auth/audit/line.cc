#include "auth/audit/line.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/cdevents/json_text.h"

namespace cdgate::audit {
namespace {

constexpr size_t kHexBytes = 2 * crypto::kSha256Bytes;
constexpr absl::string_view kHashKey = ",\"hash\":\"";
constexpr absl::string_view kEnd = "\"}";
// Of the hash and what is around it.
constexpr size_t kSealBytes = kHashKey.size() + kHexBytes + kEnd.size();
constexpr size_t kTimeBytes = 30;

// Length of the UTF-8 character at the start of `text`; 0 where the bytes are none.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) return 0;
  uint32_t code = byte(0) & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return 0;
  return length;
}

// `text` with each byte that is not UTF-8 replaced by U+FFFD.
std::string AsUtf8(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    absl::StrAppend(&out, length == 0 ? "\xEF\xBF\xBD" : text.substr(0, length));
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

bool Consume(absl::string_view* text, absl::string_view expected) {
  if (text->substr(0, expected.size()) != expected) return false;
  text->remove_prefix(expected.size());
  return true;
}

bool IsHex(absl::string_view text) {
  return text.size() == kHexBytes &&
         text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

// A number of the canonical form: no sign, no zero in front.
bool ConsumeNumber(absl::string_view* text, uint64_t* number) {
  const absl::string_view digits = text->substr(0, text->find_first_not_of("0123456789"));
  if (digits.empty() || digits.front() == '0' || !absl::SimpleAtoi(digits, number)) return false;
  text->remove_prefix(digits.size());
  return true;
}

bool ConsumeText(absl::string_view* text, size_t length, absl::string_view* out) {
  if (text->size() < length) return false;
  *out = text->substr(0, length);
  text->remove_prefix(length);
  return true;
}

bool ReadHead(absl::string_view text, Line* line) {
  return Consume(&text, "{\"number\":") && ConsumeNumber(&text, &line->number) &&
         Consume(&text, ",\"time\":\"") && ConsumeText(&text, kTimeBytes, &line->time) &&
         Consume(&text, "\",\"previous\":\"") && ConsumeText(&text, kHexBytes, &line->previous) &&
         IsHex(line->previous) && Consume(&text, "\",\"kind\":\"") &&
         ConsumeText(&text, text.find('"'), &line->kind) && Consume(&text, "\"");
}

// The number that a damaged line still shows.
base::Metadata NumberOf(const Line& line) {
  if (line.number == 0) return {};
  return {{"number", absl::StrCat(line.number)}};
}

}  // namespace

std::string NoHash() { return std::string(kHexBytes, '0'); }

void Members::Key(absl::string_view key) {
  if (!text_.empty()) text_.push_back(',');
  cdevents::AppendJsonText(key, &text_);
  text_.push_back(':');
}

Members& Members::Text(absl::string_view key, absl::string_view value) {
  if (value.empty()) return *this;
  Key(key);
  cdevents::AppendJsonText(AsUtf8(value), &text_);
  return *this;
}

Members& Members::Number(absl::string_view key, uint64_t value) {
  Key(key);
  absl::StrAppend(&text_, value);
  return *this;
}

Members& Members::Json(absl::string_view key, absl::string_view json) {
  Key(key);
  absl::StrAppend(&text_, json);
  return *this;
}

Members& Members::Object(absl::string_view key, const Members& members) {
  if (members.empty()) return *this;
  return Json(key, absl::StrCat("{", members.text(), "}"));
}

Members& Members::Texts(absl::string_view key, const std::vector<std::string>& values) {
  std::string list;
  for (const std::string& value : values) {
    list.push_back(list.empty() ? '[' : ',');
    cdevents::AppendJsonText(AsUtf8(value), &list);
  }
  return Json(key, list.empty() ? "[]" : absl::StrCat(list, "]"));
}

Members& Members::Objects(absl::string_view key, const std::vector<Members>& values) {
  std::string list;
  for (const Members& value : values) {
    absl::StrAppend(&list, list.empty() ? "[{" : ",{", value.text(), "}");
  }
  return Json(key, list.empty() ? "[]" : absl::StrCat(list, "]"));
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E9SZ", time, absl::UTCTimeZone());
}

std::string Unsealed(uint64_t number, absl::Time time, absl::string_view previous,
                     absl::string_view kind, absl::string_view members) {
  return absl::StrCat("{\"number\":", number, ",\"time\":\"", TimeText(time), "\",\"previous\":\"",
                      previous, "\",\"kind\":\"", kind, "\"", members.empty() ? "" : ",", members);
}

std::string Seal(std::string unsealed) {
  const std::string hash = base::HexEncode(crypto::Sha256(unsealed));
  absl::StrAppend(&unsealed, kHashKey, hash, kEnd);
  return unsealed;
}

absl::StatusOr<Line> ReadLine(absl::string_view text) {
  Line line;
  const bool head = text.size() <= kMaxLineBytes && ReadHead(text, &line);
  if (!head || text.size() < kSealBytes) {
    return base::MakeError(base::Reason::kAuditDamaged, "the line is not an entry", NumberOf(line));
  }
  absl::string_view seal = text.substr(text.size() - kSealBytes);
  line.unsealed = text.substr(0, text.size() - kSealBytes);
  const bool sealed = Consume(&seal, kHashKey) && ConsumeText(&seal, kHexBytes, &line.hash) &&
                      seal == kEnd && IsHex(line.hash);
  if (!sealed || base::HexEncode(crypto::Sha256(line.unsealed)) != line.hash) {
    return base::MakeError(base::Reason::kAuditDamaged, "its hash is not that of its bytes",
                           NumberOf(line));
  }
  return line;
}

absl::string_view TextMember(absl::string_view line, absl::string_view key) {
  // Quotes inside of texts are escaped, so this can only be the member itself.
  const std::string start = absl::StrCat(",\"", key, "\":\"");
  const size_t at = line.find(start);
  if (at == absl::string_view::npos) return "";
  const absl::string_view rest = line.substr(at + start.size());
  size_t end = 0;
  while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
  return rest.substr(0, std::min(end, rest.size()));
}

uint64_t NumberMember(absl::string_view line, absl::string_view key) {
  const std::string start = absl::StrCat(",\"", key, "\":");
  const size_t at = line.find(start);
  if (at == absl::string_view::npos) return 0;
  absl::string_view rest = line.substr(at + start.size());
  uint64_t number = 0;
  return ConsumeNumber(&rest, &number) ? number : 0;
}

}  // namespace cdgate::audit
