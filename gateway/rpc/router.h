// The methods a server answers: full method name to handler.
//
//   rpc::Router router;
//   CDGATE_RETURN_IF_ERROR(router.Register(rpc::Guarded::Unary<...>(...)));
//   ... then rpc::Server::Start with it; nothing may be registered after that.
//
// One router serves all listeners; the method table says which listener serves which
// method. Not thread-safe while registering; immutable afterwards.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "auth/authz/method_table.h"
#include "gateway/rpc/guarded.h"

namespace cdgate::rpc {

class Router {
 public:
  struct Entry {
    const authz::MethodRow* row;  // of the method table
    Guarded guarded;
  };

  // INTERNAL, naming the method, where it has no row in the method table or is
  // registered already: both are faults of the program, found at start.
  absl::Status Register(Guarded guarded);

  // Null where the method is not registered.
  const Entry* Find(absl::string_view method) const;

  // "package.Service" of every registered method that `listener` serves, sorted.
  std::vector<std::string> ServicesOf(authz::Listener listener) const;
  // All registered methods, sorted.
  std::vector<std::string> Methods() const;

 private:
  absl::flat_hash_map<std::string, Entry> entries_;
};

}  // namespace cdgate::rpc
