#include "gateway/filter/data_path.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::filter {
namespace {

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return base::MakeError(base::Reason::kInvalidFilter,
                         absl::StrCat("path '", base::Shorten(text), "' ", why));
}

// RFC 6901, section 4: "~1" is '/', "~0" is '~'.
absl::StatusOr<std::string> Unescape(absl::string_view text, absl::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '~') {
      out += name[i];
    } else if (++i < name.size() && (name[i] == '0' || name[i] == '1')) {
      out += name[i] == '0' ? '~' : '/';
    } else {
      return Malformed(text, "has a '~' that is not '~0' or '~1'");
    }
  }
  return out;
}

int32_t IndexOf(absl::string_view name) {
  if (name.empty() || name.size() > 9 || (name.size() > 1 && name[0] == '0')) return -1;
  for (const char c : name) {
    if (c < '0' || c > '9') return -1;
  }
  int32_t index = -1;
  return absl::SimpleAtoi(name, &index) ? index : -1;
}

}  // namespace

absl::StatusOr<DataPath> DataPath::Parse(absl::string_view text) {
  if (text.empty()) return Malformed(text, "is empty; write 'subject.content.user'");
  const bool pointer = text[0] == '/';
  DataPath path;
  path.text_ = std::string(text);
  for (absl::string_view part :
       absl::StrSplit(pointer ? text.substr(1) : text, pointer ? '/' : '.')) {
    Step step{std::string(part), -1};
    if (pointer) {
      CDGATE_ASSIGN_OR_RETURN(step.name, Unescape(text, part));
    } else if (part.empty()) {
      return Malformed(text, "has an empty name between its dots");
    }
    step.index = IndexOf(step.name);
    path.steps_.push_back(std::move(step));
    if (path.steps_.size() > kMaxSteps) {
      return Malformed(text, absl::StrCat("is deeper than ", kMaxSteps, " levels"));
    }
  }
  return path;
}

}  // namespace cdgate::filter
