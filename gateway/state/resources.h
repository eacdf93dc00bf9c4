// Resources (peers, policies, grants, subscriptions, groups, plans and so on) as one moment of the
// log has them.
//
//   std::shared_ptr<const ResourceSnapshot> now = store.Resources();
//   if (ResourcePtr r = now->Find("policy", "beta.example")) {
//     const auto policy = r->As<admin::v1::Policy>();
//
// Snapshots and resources are immutable and shared; holding one is cheap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/base/errors.h"
#include "gateway/base/types.h"

namespace cdgate::state {

// Kinds, as CommitRecord spells them.
inline constexpr char kPeerKind[] = "peer";
inline constexpr char kPolicyKind[] = "policy";
inline constexpr char kGrantKind[] = "grant";
inline constexpr char kSubscriptionKind[] = "subscription";
inline constexpr char kInviteKind[] = "invite";
inline constexpr char kSchemaKind[] = "schema";      // named by its URI
inline constexpr char kInterestKind[] = "interest";  // what a peer showed of its rules
inline constexpr char kTokenKind[] = "token";        // for the HTTP ingress
inline constexpr char kGroupKind[] = "group";        // one of ours: its members
// A group's member list as its owner signed it, ours and others'.
inline constexpr char kGroupListKind[] = "group-list";
// Groups and labels that decisions depend on: one resource, kEnvironmentName.
inline constexpr char kEnvironmentKind[] = "environment";
inline constexpr char kEnvironmentName[] = "decisions";
inline constexpr char kPlanKind[] = "plan";             // named by its hash in hex
inline constexpr char kPseudonymKind[] = "pseudonym";   // a peer's keys
inline constexpr char kReplayKind[] = "replay";         // a peer's jobs
inline constexpr char kDenialKind[] = "denial";         // who is not let in
inline constexpr char kPeerTrustKind[] = "peer-trust";  // of a peer, but its bundle
// A domain without an agreement whose statements count: an admin.v1.Peer with domain and bundle.
inline constexpr char kOriginKind[] = "origin";
// Whose statements count: storage.v1.KeptAttestor, named by the key id in hex.
inline constexpr char kAttestorKind[] = "attestor";

// One version of one resource.
struct StoredResource {
  std::string kind;
  std::string name;
  std::string value;  // serialised message of the kind; empty where deleted
  uint64_t version = 0;
  uint64_t base_version = 0;
  std::string author;
  absl::Time commit_time;
  base::Sequence effective_sequence;  // first event that it applies to
  uint64_t commit = 0;                // number of the commit that made it
  std::string source;                 // what the author wrote; may be empty
  bool unplanned = false;
  bool deleted = false;
  std::string plan = {};          // 32 bytes: the plan it was applied by; empty: none
  std::string approved_by = {};   // who approved the plan; empty: nobody had to
  uint64_t restored_version = 0;  // the earlier version that it restores; 0: it is none

  // `value` as the message of its kind. LOG_CORRUPT where it is not one.
  template <typename Message>
  absl::StatusOr<Message> As() const {
    Message message;
    if (message.ParseFromString(value)) return message;
    return base::MakeError(base::Reason::kLogCorrupt,
                           kind + " " + name + " is not a " + message.GetTypeName());
  }
};
using ResourcePtr = std::shared_ptr<const StoredResource>;

class ResourceSnapshot {
 public:
  // Null where there is none, or it is deleted.
  ResourcePtr Find(absl::string_view kind, absl::string_view name) const;
  // By name, those after `after`, at most `limit`. For a page token, take the last name.
  std::vector<ResourcePtr> List(absl::string_view kind, absl::string_view after = "",
                                size_t limit = SIZE_MAX) const;
  // Also where it is deleted: its version goes on where the name is used again.
  ResourcePtr Latest(absl::string_view kind, absl::string_view name) const;
  // Number of the last commit that changed a resource; 0: none did.
  uint64_t commit() const { return commit_; }
  // The same of one kind, deletions too.
  uint64_t LastChange(absl::string_view kind) const;
  // The last versions of all resources that changed after `commit`, deleted ones too, by the
  // commits that changed them.
  std::vector<ResourcePtr> ChangedAfter(uint64_t commit) const;

  // This one with `changes`, in order, in place of what they change.
  std::shared_ptr<const ResourceSnapshot> With(const std::vector<ResourcePtr>& changes) const;

 private:
  using Kind = std::map<std::string, ResourcePtr, std::less<>>;
  std::map<std::string, std::shared_ptr<const Kind>, std::less<>> kinds_;
  uint64_t commit_ = 0;
};
using ResourceSnapshotPtr = std::shared_ptr<const ResourceSnapshot>;

}  // namespace cdgate::state
