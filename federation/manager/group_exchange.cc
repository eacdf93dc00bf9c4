#include "federation/manager/group_exchange.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/manager/group_lists.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using federation::v1::GroupList;
using federation::v1::SignedGroup;

bool HasMember(const admin::v1::Group& group, absl::string_view domain) {
  return std::find(group.members().begin(), group.members().end(), domain) != group.members().end();
}

// Judges what one peer sent, list by list.
class Received {
 public:
  Received(const GroupContext& context, const state::ResourceSnapshot& resources)
      : context_(context), resources_(resources) {}

  void Judge(const SignedGroup& sent) {
    const auto list = VerifyGroup(sent, context_);
    if (!list.ok()) return Refuse(list.status());
    const bool fresh = named_.insert(list->group()).second;
    const state::ResourcePtr held = resources_.Find(state::kGroupListKind, list->group());
    if (!fresh) return;  // named twice: the first counts
    if (held != nullptr && !IsNews(*held, *list)) return;
    edits_.push_back({.kind = state::kGroupListKind,
                      .name = list->group(),
                      .value = sent.SerializeAsString(),
                      .author = std::string(context_.owner)});
  }

  // Lists that we are not sent any more are those of groups that ended, or that we left.
  void ForgetOthers() {
    for (const state::ResourcePtr& held : resources_.List(state::kGroupListKind)) {
      if (OwnerOf(held->name) != context_.owner || named_.contains(held->name)) continue;
      edits_.push_back({.kind = state::kGroupListKind,
                        .name = held->name,
                        .deleted = true,
                        .author = std::string(context_.owner)});
    }
  }

  EnvironmentKeeper::Edits TakeEdits() { return std::move(edits_); }
  const absl::Status& refused() const { return refused_; }

 private:
  bool IsNews(const state::StoredResource& held, const GroupList& list) {
    const auto before = ListIn(held);
    if (!before.ok()) return true;
    if (const absl::Status follows = CheckFollows(list, *before); !follows.ok()) {
      Refuse(follows);
      return false;
    }
    return list.version() > before->version() || ExpiryOf(list) > ExpiryOf(*before);
  }

  void Refuse(const absl::Status& why) {
    base::LogError(base::LogLevel::kWarning, "member list refused", why,
                   {{"peer", std::string(context_.owner)}});
    refused_.Update(why);
    // What is held of it stays.
    for (const auto& [key, value] : base::MetadataOf(why)) {
      if (key == "group") named_.insert(value);
    }
  }

  const GroupContext context_;
  const state::ResourceSnapshot& resources_;
  std::set<std::string> named_;
  EnvironmentKeeper::Edits edits_;
  absl::Status refused_;
};

absl::Status TooMany(absl::string_view peer, int groups) {
  return base::MakeError(
      base::Reason::kGroupInvalid,
      absl::StrCat(peer, " sent the member lists of ", groups, " groups, more than ",
                   kMaxGroupsOfMember, "; what was held of it stays"),
      {{"peer", std::string(peer)}});
}

}  // namespace

std::shared_ptr<const GroupExchange::Signed> GroupExchange::SignedListOf(
    const admin::v1::Group& group, uint64_t version) {
  const absl::Time now = deps_.clock.Now();
  const auto own = deps_.identity.CurrentMaterial();
  {
    base::MutexLock lock(mu_);
    const auto found = signed_.find(group.name());
    if (found != signed_.end() && found->second->version == version && found->second->by == own &&
        found->second->at <= now && now < found->second->at + kSignAgain) {
      return found->second;
    }
  }
  auto list = SignGroup(ListOf(group, version, deps_.domain, now), *own);
  if (!list.ok()) {
    base::LogError(base::LogLevel::kError, "member list not signed", list.status(),
                   {{"group", group.name()}});
    return nullptr;
  }
  const auto made = std::make_shared<const Signed>(
      Signed{.version = version, .by = own, .at = now, .list = *std::move(list)});
  base::MutexLock lock(mu_);
  signed_[group.name()] = made;
  return made;
}

federation::v1::Groups GroupExchange::ListsFor(absl::string_view peer) {
  federation::v1::Groups out;
  for (const state::ResourcePtr& resource : deps_.store.Resources()->List(state::kGroupKind)) {
    const auto group = resource->As<admin::v1::Group>();
    if (!group.ok() || !HasMember(*group, peer)) continue;
    if (ExpiryOf(*group) <= deps_.clock.Now()) continue;
    if (out.groups_size() == kMaxGroupsOfMember) break;  // no more can be applied
    if (const auto list = SignedListOf(*group, resource->version)) *out.add_groups() = list->list;
  }
  return out;
}

void GroupExchange::OnReceived(absl::string_view peer, const federation::v1::Groups& groups,
                               std::function<void(const absl::Status&)> done) {
  const auto refused = std::make_shared<absl::Status>();
  auto change =
      [this, peer = std::string(peer), groups, refused](
          const state::ResourceSnapshot& resources) -> absl::StatusOr<EnvironmentKeeper::Edits> {
    if (groups.groups_size() > kMaxGroupsOfMember) return TooMany(peer, groups.groups_size());
    const auto trust = deps_.trust.Current();
    Received received({peer, deps_.domain, *trust, deps_.clock.Now()}, resources);
    for (const SignedGroup& sent : groups.groups()) received.Judge(sent);
    received.ForgetOthers();
    *refused = received.refused();
    return received.TakeEdits();
  };
  deps_.keeper.Apply(std::move(change),
                     [peer = std::string(peer), refused, done](const state::Outcome& outcome) {
                       if (!outcome.status.ok()) {
                         base::LogError(base::LogLevel::kWarning, "member lists not taken",
                                        outcome.status, {{"peer", peer}});
                       }
                       if (done) done(outcome.status.ok() ? *refused : outcome.status);
                     });
}

}  // namespace cdgate::manager
