// Member lists of groups: how one is made of a group of ours, signed, and judged where it
// arrives.
//
//   GroupList list = ListOf(group, version, "alpha.example", clock.Now());
//   CDGATE_ASSIGN_OR_RETURN(SignedGroup sent, SignGroup(list, *identity.CurrentMaterial()));
//   ...at a member:
//   CDGATE_ASSIGN_OR_RETURN(GroupList taken, VerifyGroup(received, {.owner = "alpha.example",
//       .own_domain = "beta.example", .trust = *registry.Current(), .now = clock.Now()}));
//
// A list says who is in "name@owner-domain". Only a gateway of the owner's domain can sign one,
// and only a member takes it. It ends by itself: a member that no longer hears from the owner
// forgets who the others are. All functions are pure and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_files.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "gateway/state/resources.h"

namespace cdgate::manager {

inline constexpr int kMaxGroupMembers = 1000;
// Groups of one owner that one domain may be a member of.
inline constexpr int kMaxGroupsOfMember = 64;
// How long a list may be used without its owner signing it again.
inline constexpr absl::Duration kGroupValidity = absl::Hours(24 * 30);

// "name@domain".
std::string GroupId(absl::string_view name, absl::string_view domain);
// The domain of "name@domain"; empty where there is no '@'.
absl::string_view OwnerOf(absl::string_view group_id);
// 1 to 63 of a-z 0-9 and '-'.
bool ValidGroupName(absl::string_view name);

// From when on it has no members; the infinite future: never.
absl::Time ExpiryOf(const admin::v1::Group& group);
absl::Time ExpiryOf(const federation::v1::GroupList& list);

// The list of a group of `domain`, ours, to be signed at `now`: until the group ends, at most
// kGroupValidity. `group` has been checked.
federation::v1::GroupList ListOf(const admin::v1::Group& group, uint64_t version,
                                 absl::string_view domain, absl::Time now);

// Signed with the gateway's own key. CREDENTIALS_INVALID where that is of a kind that does not
// sign (auth/crypto/signature.h).
absl::StatusOr<federation::v1::SignedGroup> SignGroup(const federation::v1::GroupList& list,
                                                      const credentials::Material& own);

// The list in `bytes`, where it is well-formed: the name, the version, members sorted, valid
// and at most kMaxGroupMembers, an end after its beginning. Nothing is verified.
// GROUP_INVALID otherwise, with metadata "group" where it has a proper name.
absl::StatusOr<federation::v1::GroupList> ReadGroupList(absl::string_view bytes);

// Who received a list from whom, and when.
struct GroupContext {
  absl::string_view owner;       // the peer at the other end of the link
  absl::string_view own_domain;  // ours
  const trust::TrustSnapshot& trust;
  absl::Time now;
};

// The list, where it is one of `owner`, signed by a gateway of that domain whose certificate
// verifies under that domain's bundle now, has not expired, and has us among its members.
// GROUP_INVALID saying which of these it is not; the metadata as ReadGroupList.
absl::StatusOr<federation::v1::GroupList> VerifyGroup(const federation::v1::SignedGroup& received,
                                                      const GroupContext& context);

// Whether `list` may come after `held`, the one we have of the same group. GROUP_INVALID where
// its version is older, or the same with other members.
absl::Status CheckFollows(const federation::v1::GroupList& list,
                          const federation::v1::GroupList& held);

// The list in a resource of the kind "group-list". LOG_CORRUPT or GROUP_INVALID where it is
// not one.
absl::StatusOr<federation::v1::GroupList> ListIn(const state::StoredResource& resource);

}  // namespace cdgate::manager
