#include "gateway/delivery/read_scope.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::delivery {

absl::StatusOr<ReadScope> ReadScope::Make(const authz::Grants& grants,
                                          const authz::Principal& principal,
                                          absl::string_view filter) {
  const std::vector<std::string> granted = grants.SubscriberFilters(principal);
  if (granted.empty()) {
    return base::MakeError(base::Reason::kNotGranted,
                           absl::StrCat(principal.id,
                                        " may not read events; it needs a grant "
                                        "with role SUBSCRIBER"),
                           {{"principal", principal.id}, {"role", "subscriber"}});
  }
  ReadScope scope;
  const bool everything = std::any_of(granted.begin(), granted.end(),
                                      [](const std::string& text) { return text.empty(); });
  for (const std::string& text : granted) {
    if (everything) break;
    CDGATE_ASSIGN_OR_RETURN(filter::Program program, filter::Program::Compile(text));
    scope.granted_.push_back(std::move(program));
  }
  if (!filter.empty()) {
    CDGATE_ASSIGN_OR_RETURN(filter::Program program, filter::Program::Compile(filter));
    scope.own_ = std::move(program);
  }
  return scope;
}

bool ReadScope::Covers(const event::Record& record) {
  if (CoversAll()) return true;
  context_.Reset(record);
  const auto matches = [this](const filter::Program& program) { return program.Matches(context_); };
  if (!granted_.empty() && std::none_of(granted_.begin(), granted_.end(), matches)) return false;
  return !own_ || matches(*own_);
}

}  // namespace cdgate::delivery
