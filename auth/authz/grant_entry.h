// A grant as it is compiled. Private to the library.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "auth/authz/grants.h"

namespace cdgate::authz {

inline bool AnyMatches(const std::vector<Pattern>& patterns, absl::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [text](const Pattern& pattern) { return pattern.Matches(text); });
}

struct Grants::Entry {
  std::string name;
  Role role;
  Pattern principal;
  std::vector<Pattern> sources;
  std::vector<Pattern> types;  // none: all
  std::string plane;
  std::string filter;
  bool accept_unknown;
  SchemaCheck schema_check = SchemaCheck::kAnnotate;
  std::vector<Pattern> peers = {};  // none: all, and the gateway as a whole

  // Whether its role is one that the method is for.
  bool HasRoleFor(const MethodRow& row) const {
    if (row.admits == Admits::kAnyGranted) return true;
    return row.admits == Admits::kRoles && row.roles.Has(role);
  }
  bool CoversSource(absl::string_view source) const { return AnyMatches(sources, source); }
  bool CoversType(absl::string_view type) const { return types.empty() || AnyMatches(types, type); }
};

}  // namespace cdgate::authz
