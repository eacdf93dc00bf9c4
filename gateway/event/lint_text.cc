#include "gateway/event/lint_text.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"

namespace cdgate::event {
namespace {

bool IsEscape(absl::string_view text) {
  return text.size() >= 3 && text[0] == '%' &&
         absl::ascii_isxdigit(static_cast<unsigned char>(text[1])) &&
         absl::ascii_isxdigit(static_cast<unsigned char>(text[2]));
}

bool IsUnreserved(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-._~", c);
}

std::string Unencoded(char c, absl::string_view name) {
  return absl::StrFormat("'%s' in %s is not percent-encoded; write %%%02X",
                         absl::CHexEscape(absl::string_view(&c, 1)), name,
                         static_cast<unsigned char>(c));
}

}  // namespace

bool LintText::Check(bool fine, absl::string_view part, absl::string_view what) {
  if (!fine && !fault_) fault_ = absl::StrCat(what, ", at byte ", part.data() - whole_.data());
  return fine;
}

bool LintText::CheckEncoded(absl::string_view part, absl::string_view name,
                            absl::string_view also) {
  for (size_t i = 0; i < part.size(); ++i) {
    const absl::string_view rest = part.substr(i);
    if (rest[0] == '%') {
      if (!Check(IsEscape(rest), rest, absl::StrCat("'%' in ", name, " begins no escape"))) {
        return false;
      }
      i += 2;
    } else if (!IsUnreserved(rest[0]) && !absl::StrContains(also, rest[0])) {
      return Check(false, rest, Unencoded(rest[0], name));
    }
  }
  return true;
}

std::string PercentDecoded(absl::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    if (IsEscape(text)) {
      decoded += absl::HexStringToBytes(text.substr(1, 2));
      text.remove_prefix(3);
    } else {
      decoded += text[0];
      text.remove_prefix(1);
    }
  }
  return decoded;
}

}  // namespace cdgate::event
