#include "gateway/cdevents/unknown_type.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/cdevents/catalogue.h"

namespace cdgate::cdevents {
namespace {

// Known types of the same subject and predicate, in any case of letters.
std::vector<std::string> Likely(absl::string_view type) {
  std::vector<std::string> likely;
  const std::vector<std::string> parts = absl::StrSplit(absl::AsciiStrToLower(type), '.');
  if (parts.size() < 4) return likely;
  for (const Type* const known : Catalogue::Get().types()) {
    if (known->subject == parts[2] && known->predicate == parts[3]) likely.push_back(known->name);
  }
  return likely;
}

std::string Hint(absl::string_view type) {
  if (absl::StartsWith(type, "dev.cdeventsx")) {
    return "custom types are dev.cdeventsx.TOOL-SUBJECT.PREDICATE.M.m.p, letters only but in "
           "TOOL, one digit for M, m and p";
  }
  const std::vector<std::string> likely = Likely(type);
  if (!likely.empty()) return absl::StrCat("known are ", absl::StrJoin(likely, ", "));
  return "cdgate types lists those that are";
}

}  // namespace

absl::Status UnknownTypeError(absl::string_view type, absl::string_view where) {
  const std::string name = base::Shorten(type);
  return base::MakeError(
      base::Reason::kUnknownType,
      absl::StrCat("no CDEvents release that is known here has the type ", name, ": ", Hint(type),
                   "; to let it pass unread set accept_unknown ", where),
      {{"type", name}});
}

}  // namespace cdgate::cdevents
