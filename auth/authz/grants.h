// What each principal may do: default deny, by grants.
//
//   CDGATE_ASSIGN_OR_RETURN(auto grants, authz::Grants::Compile(resources));
//   registry.Replace(grants);
//   ...
//   auto grants = registry.Current();
//   CDGATE_RETURN_IF_ERROR(grants->MayCall(principal, method, Listener::kApi));
//   authz::PublishRight right;
//   CDGATE_RETURN_IF_ERROR(grants->MayPublish(principal, source, type, &right));
//
// Patterns hold '%' for any characters, also none, and are matched over the whole text;
// every other character stands for itself. A principal's pattern names its trust domain
// in full: "spiffe://alpha.example/service/%".
//
// Local principals (the Unix socket) are operator, policy author and auditor without a
// grant, for break-glass; no grant can name them, so they never publish or subscribe.
//
// A grant of an admin role may be for some peers only (peer_scope.h): then it reaches calls
// that name one of these peers, and of lists and explanations what concerns them.
//
// Principals of identity providers are named as certificates' are, by id or pattern:
// "oidc:corp:%@alpha.example". No pattern of the one kind matches an id of the other.
//
// Tokens (token.h) have the one grant they are bound to, whoever its principal is, and only
// where it is a publisher's; they have no role, so they call no method and read nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "auth/authz/method_table.h"
#include "auth/authz/pattern.h"
#include "auth/authz/peer_scope.h"
#include "auth/authz/principal.h"
#include "gateway/base/mutex.h"

namespace cdgate::admin::v1 {
class Grant;
}

namespace cdgate::authz {

// INVALID_ARGUMENT, naming the field, where the grant cannot be compiled: a malformed
// name, principal or peer, no role, sources on a role other than publisher, an unknown plane.
// Subscriber filters are not parsed here: the caller compiles them first.
absl::Status CheckGrant(const admin::v1::Grant& grant);

// What a publisher's events must be under the schema that they name (Grant.schema_check).
enum class SchemaCheck { kAnnotate, kRefuseInvalid, kRequire };

// What a publisher's grant says of an event that it allows.
struct PublishRight {
  absl::string_view grant;      // its name
  absl::string_view plane;      // of the component; empty: none
  bool accept_unknown = false;  // events of types that no release has may enter
  SchemaCheck schema_check = SchemaCheck::kAnnotate;
};

// Immutable; thread-safe. Keep the shared_ptr while a string_view from it is in use.
class Grants {
 public:
  // Nothing granted to anybody.
  Grants();
  ~Grants();
  Grants(const Grants&) = delete;
  Grants& operator=(const Grants&) = delete;

  // Errors of CheckGrant, and INVALID_ARGUMENT for two grants of one name.
  static absl::StatusOr<std::shared_ptr<const Grants>> Compile(
      absl::Span<const admin::v1::Grant> grants);

  // Whether the principal may call the method on this listener. METHOD_UNKNOWN,
  // WRONG_LISTENER or NOT_GRANTED; the message names principal, method, the role that
  // would do, and the remedy.
  absl::Status MayCall(const Principal& principal, absl::string_view method,
                       Listener listener) const;
  absl::Status MayCall(const Principal& principal, const MethodRow& row, Listener listener) const;

  // Which peers the principal reaches by a method that it may call.
  PeerScope ScopeOf(const Principal& principal, const MethodRow& row) const;

  // Whether the principal may publish an event of this source and type, and how: views in
  // `*right` live as long as this object. Of several grants that fit, the first by name
  // decides. NOT_GRANTED, SOURCE_NOT_GRANTED or TYPE_NOT_GRANTED; `*right` is then unchanged.
  // Allocates nothing where it is OK.
  absl::Status MayPublish(const Principal& principal, absl::string_view source,
                          absl::string_view type, PublishRight* right) const;

  // The filters under which the principal may read: an event must match at least one
  // of them, in addition to the principal's own. An empty filter matches all. An empty list:
  // nothing may be read.
  std::vector<std::string> SubscriberFilters(const Principal& principal) const;

  // What is asked of Explain().
  struct Question {
    const Principal& principal;
    const MethodRow& row;
    Listener listener;
    absl::string_view peer = {};  // that the call would name; empty: none
    // Of an event to be published; an empty source: any event at all.
    absl::string_view source = {};
    absl::string_view type = {};
  };
  struct GrantWorth {
    std::string name;
    Role role;
    std::string why_not;  // empty: it suffices
  };
  struct Verdict {
    absl::Status status;             // as the call would be answered
    std::string grant;               // OK: the first that suffices; empty where none is needed
    std::vector<GrantWorth> grants;  // all of the principal's, by name
  };
  // What MayCall(), ScopeOf() and MayPublish() say to such a call, and what each grant of the
  // principal is worth for it. For people: it allocates.
  Verdict Explain(const Question& question) const;

  // All roles of the principal.
  EnumSet<Role> RolesOf(const Principal& principal) const;

 private:
  struct Entry;

  // Calls `visit` for the principal's grants in the order of their names, until it returns
  // false.
  void ForEachOf(const Principal& principal, absl::FunctionRef<bool(const Entry&)> visit) const;
  absl::Status Judge(const Question& question) const;
  const Entry* Named(absl::string_view name) const;
  absl::Status UselessToken(const Principal& token) const;
  absl::Status SourceNotGranted(const Principal& principal, absl::string_view source,
                                const Entry& grant) const;
  absl::Status TypeNotGranted(const Principal& principal, absl::string_view type,
                              const Entry& grant) const;

  std::vector<Entry> entries_;  // by name
  // Indices into entries_, ascending: by the principal, and of those with a pattern.
  absl::flat_hash_map<std::string, std::vector<size_t>> exact_;
  std::vector<size_t> patterns_;
};

// The grants in force. Thread-safe.
class GrantRegistry {
 public:
  std::shared_ptr<const Grants> Current() const;
  void Replace(std::shared_ptr<const Grants> grants);

 private:
  mutable base::Mutex mu_;
  std::shared_ptr<const Grants> current_ CDGATE_GUARDED_BY(mu_) = std::make_shared<const Grants>();
};

}  // namespace cdgate::authz
