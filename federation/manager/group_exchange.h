// What a gateway and its peers tell each other of groups, over their links.
//
//   GroupExchange groups({.domain = "alpha.example", .store = store, .identity = identity,
//                         .trust = trust, .keeper = keeper, .clock = clock});
//   Groups sent = groups.ListsFor("beta.example");       // beta is a member of these
//   groups.OnReceived("beta.example", received);         // of beta, and we are a member
//
// A member gets the lists that it is in, and nobody else gets any. What comes is complete: of
// the peer's groups we hold those that it named last.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/manager/environment_keeper.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/state/store.h"

namespace cdgate::manager {

// A list is signed again this long after it was; long before it ends.
inline constexpr absl::Duration kSignAgain = absl::Hours(24);

// All outlive the exchange.
struct GroupExchangeDeps {
  std::string domain;  // ours
  state::Store& store;
  const credentials::IdentityStore& identity;
  const trust::TrustRegistry& trust;
  EnvironmentKeeper& keeper;
  const base::Clock& clock;
};

// Thread-safe.
class GroupExchange {
 public:
  explicit GroupExchange(GroupExchangeDeps deps) : deps_(std::move(deps)) {}

  // The signed lists of our groups that `peer` is a member of, by name, at most
  // kMaxGroupsOfMember. The same bytes each time until a group changes or ends, our
  // certificate does, or kSignAgain has passed, so that whoever sends them can tell by
  // comparing. A list that cannot be signed is left out and logged. Does not block.
  federation::v1::Groups ListsFor(absl::string_view peer);

  // Takes what `peer`, authenticated, sent of its own groups: each list that verifies
  // (group_lists.h) and is news is stored, and is in force for decisions once `done` is told
  // OK; a held list that was not sent again is forgotten. One that does not verify changes
  // nothing, is logged, and its GROUP_INVALID is the outcome when the others are stored.
  // GROUP_INVALID for all of them where they are more than kMaxGroupsOfMember; OVERLOADED and
  // errors of Store::Propose. `done` may be null. Does not block.
  void OnReceived(absl::string_view peer, const federation::v1::Groups& groups,
                  std::function<void(const absl::Status&)> done = nullptr);

 private:
  struct Signed {
    uint64_t version = 0;
    std::shared_ptr<const credentials::Material> by;
    absl::Time at;
    federation::v1::SignedGroup list;
  };
  // Null where it cannot be signed.
  std::shared_ptr<const Signed> SignedListOf(const admin::v1::Group& group, uint64_t version);

  const GroupExchangeDeps deps_;
  base::Mutex mu_;
  std::map<std::string, std::shared_ptr<const Signed>, std::less<>> signed_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::manager
