#include "gateway/rpc/router.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::rpc {

absl::Status Router::Register(Guarded guarded) {
  const std::string method = guarded.method();
  const authz::MethodRow* row = authz::FindMethod(method);
  if (row == nullptr) {
    return base::MakeError(base::Reason::kInternal,
                           absl::StrCat(method, " has no row in the method table"));
  }
  if (!entries_.emplace(method, Entry{row, std::move(guarded)}).second) {
    return base::MakeError(base::Reason::kInternal, absl::StrCat(method, " is registered twice"));
  }
  return absl::OkStatus();
}

const Router::Entry* Router::Find(absl::string_view method) const {
  const auto it = entries_.find(method);
  return it == entries_.end() ? nullptr : &it->second;
}

std::vector<std::string> Router::ServicesOf(authz::Listener listener) const {
  std::set<std::string> services;
  for (const auto& [method, entry] : entries_) {
    if (!entry.row->listeners.Has(listener)) continue;
    services.insert(method.substr(1, method.rfind('/') - 1));
  }
  return {services.begin(), services.end()};
}

std::vector<std::string> Router::Methods() const {
  std::vector<std::string> methods;
  for (const auto& [method, entry] : entries_) methods.push_back(method);
  std::sort(methods.begin(), methods.end());
  return methods;
}

}  // namespace cdgate::rpc
