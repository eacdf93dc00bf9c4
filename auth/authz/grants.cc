#include "auth/authz/grants.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/authz/grant_entry.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::authz {
namespace {

constexpr EnumSet<Role> kRolesOfLocal = {Role::kOperator, Role::kPolicyAuthor, Role::kAuditor};

Role RoleOf(const admin::v1::Grant& grant) {
  // CheckGrant() has refused ROLE_UNSPECIFIED and what is not known.
  return static_cast<Role>(static_cast<int>(grant.role()) - admin::v1::ROLE_PUBLISHER);
}
static_assert(static_cast<int>(Role::kAuditor) ==
              admin::v1::ROLE_AUDITOR - admin::v1::ROLE_PUBLISHER);

SchemaCheck SchemaCheckOf(const admin::v1::Grant& grant) {
  switch (grant.schema_check()) {
    case admin::v1::SCHEMA_CHECK_REFUSE_INVALID: return SchemaCheck::kRefuseInvalid;
    case admin::v1::SCHEMA_CHECK_REQUIRE: return SchemaCheck::kRequire;
    default: return SchemaCheck::kAnnotate;
  }
}

std::vector<Pattern> Compiled(const google::protobuf::RepeatedPtrField<std::string>& patterns) {
  std::vector<Pattern> out;
  out.reserve(static_cast<size_t>(patterns.size()));
  for (const std::string& pattern : patterns) out.emplace_back(pattern);
  return out;
}

std::string NamesOf(EnumSet<Role> roles) {
  std::vector<absl::string_view> names;
  for (const Role role : AllRoles()) {
    if (roles.Has(role)) names.push_back(RoleName(role));
  }
  return absl::StrJoin(names, " or ");
}

std::string NamesOf(EnumSet<Listener> listeners) {
  std::vector<absl::string_view> names;
  for (const Listener listener :
       {Listener::kPeers, Listener::kApi, Listener::kEnrolment, Listener::kLocal}) {
    if (listeners.Has(listener)) names.push_back(ListenerName(listener));
  }
  return absl::StrJoin(names, " or ");
}

absl::string_view WithoutSlash(absl::string_view method) { return method.substr(1); }

absl::Status WrongListener(const MethodRow& row, Listener listener) {
  return base::MakeError(
      base::Reason::kWrongListener,
      absl::StrCat(WithoutSlash(row.method), " is not served on the ", ListenerName(listener),
                   " listener: dial the ", NamesOf(row.listeners), " listener"),
      {{"method", std::string(row.method)}, {"listener", std::string(ListenerName(listener))}});
}

// `needed`: "a grant of the role operator".
absl::Status NotGranted(const Principal& principal, absl::string_view what,
                        absl::string_view needed) {
  return base::MakeError(base::Reason::kNotGranted,
                         absl::StrCat(principal.id, " may not ", what, ": it needs ", needed,
                                      "; have an operator apply one"),
                         {{"principal", principal.id}});
}

absl::Status NotGranted(const Principal& principal, const MethodRow& row) {
  const std::string what = absl::StrCat("call ", WithoutSlash(row.method));
  switch (row.admits) {
    case Admits::kRoles:
      return NotGranted(principal, what, absl::StrCat("a grant of the role ", NamesOf(row.roles)));
    case Admits::kAnyGranted: return NotGranted(principal, what, "a grant of any role");
    case Admits::kAnyPrincipal:
    case Admits::kPeerGateway:
    case Admits::kEnroller: break;
  }
  return base::MakeError(base::Reason::kNotGranted,
                         absl::StrCat(principal.id, " may not ", what, ": only gateways may"),
                         {{"principal", principal.id}});
}

}  // namespace

Grants::Grants() = default;
Grants::~Grants() = default;

absl::StatusOr<std::shared_ptr<const Grants>> Grants::Compile(
    absl::Span<const admin::v1::Grant> grants) {
  auto out = std::make_shared<Grants>();
  out->entries_.reserve(grants.size());
  for (const admin::v1::Grant& grant : grants) {
    CDGATE_RETURN_IF_ERROR(CheckGrant(grant));
    out->entries_.push_back({grant.name(), RoleOf(grant), Pattern(grant.principal()),
                             Compiled(grant.sources()), Compiled(grant.types()), grant.plane(),
                             grant.filter(), grant.accept_unknown(), SchemaCheckOf(grant),
                             Compiled(grant.peers())});
  }
  std::sort(out->entries_.begin(), out->entries_.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  for (size_t i = 0; i < out->entries_.size(); ++i) {
    const Entry& entry = out->entries_[i];
    if (i > 0 && out->entries_[i - 1].name == entry.name) {
      return base::MakeError(base::Reason::kInvalidArgument,
                             absl::StrCat("two grants have the name \"", entry.name, "\""),
                             {{"name", entry.name}});
    }
    if (entry.principal.is_literal()) {
      out->exact_[entry.principal.text()].push_back(i);
    } else {
      out->patterns_.push_back(i);
    }
  }
  return std::shared_ptr<const Grants>(std::move(out));
}

// Both lists ascend, so merging them gives the order of names. Allocates nothing.
void Grants::ForEachOf(const Principal& principal,
                       absl::FunctionRef<bool(const Entry&)> visit) const {
  if (principal.kind == Principal::Kind::kToken) {
    const Entry* const only = Named(principal.grant);
    if (only != nullptr && only->role == Role::kPublisher) visit(*only);
    return;
  }
  static const std::vector<size_t>* const none = new std::vector<size_t>;
  const auto found = exact_.find(principal.id);
  const std::vector<size_t>& exact = found == exact_.end() ? *none : found->second;
  auto literal = exact.begin();
  auto pattern = patterns_.begin();
  while (literal != exact.end() || pattern != patterns_.end()) {
    const bool take_literal =
        pattern == patterns_.end() || (literal != exact.end() && *literal < *pattern);
    const Entry& entry = entries_[take_literal ? *literal++ : *pattern++];
    if (!take_literal && !entry.principal.Matches(principal.id)) continue;
    if (!visit(entry)) return;
  }
}

const Grants::Entry* Grants::Named(absl::string_view name) const {
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const Entry& entry, absl::string_view wanted) { return entry.name < wanted; });
  return found != entries_.end() && found->name == name ? &*found : nullptr;
}

EnumSet<Role> Grants::RolesOf(const Principal& principal) const {
  if (principal.kind == Principal::Kind::kLocal) return kRolesOfLocal;
  if (principal.kind == Principal::Kind::kToken) return {};
  EnumSet<Role> roles;
  ForEachOf(principal, [&roles](const Entry& entry) {
    roles.Add(entry.role);
    return true;
  });
  return roles;
}

absl::Status Grants::MayCall(const Principal& principal, absl::string_view method,
                             Listener listener) const {
  const MethodRow* row = FindMethod(method);
  if (row != nullptr) return MayCall(principal, *row, listener);
  return base::MakeError(base::Reason::kMethodUnknown,
                         absl::StrCat("there is no method ", base::Shorten(method)),
                         {{"method", base::Shorten(method)}});
}

absl::Status Grants::MayCall(const Principal& principal, const MethodRow& row,
                             Listener listener) const {
  if (!row.listeners.Has(listener)) return WrongListener(row, listener);
  bool admitted = false;
  switch (row.admits) {
    case Admits::kRoles: admitted = RolesOf(principal).Meets(row.roles); break;
    case Admits::kAnyGranted: admitted = !RolesOf(principal).empty(); break;
    case Admits::kAnyPrincipal: admitted = true; break;
    case Admits::kPeerGateway:
    case Admits::kEnroller: admitted = principal.is_gateway; break;
  }
  return admitted ? absl::OkStatus() : NotGranted(principal, row);
}

PeerScope Grants::ScopeOf(const Principal& principal, const MethodRow& row) const {
  if (row.reach == Reach::kAnywhere || principal.kind == Principal::Kind::kLocal) return {};
  std::vector<Pattern> peers;
  bool all = false;
  ForEachOf(principal, [&](const Entry& entry) {
    if (!entry.HasRoleFor(row)) return true;
    all = entry.peers.empty();
    peers.insert(peers.end(), entry.peers.begin(), entry.peers.end());
    return !all;
  });
  return all ? PeerScope() : PeerScope::Of(std::move(peers));
}

absl::Status Grants::MayPublish(const Principal& principal, absl::string_view source,
                                absl::string_view type, PublishRight* right) const {
  const Entry* allowed = nullptr;
  const Entry* publisher = nullptr;  // a grant to publish anything at all
  const Entry* of_source = nullptr;  // one to publish this source
  ForEachOf(principal, [&](const Entry& entry) {
    if (entry.role != Role::kPublisher) return true;
    if (publisher == nullptr) publisher = &entry;
    if (!entry.CoversSource(source)) return true;
    if (of_source == nullptr) of_source = &entry;
    if (!entry.CoversType(type)) return true;
    allowed = &entry;
    return false;
  });
  if (allowed != nullptr) {
    *right = {allowed->name, allowed->plane, allowed->accept_unknown, allowed->schema_check};
    return absl::OkStatus();
  }
  if (publisher == nullptr && principal.kind == Principal::Kind::kToken) {
    return UselessToken(principal);
  }
  if (publisher == nullptr) {
    return NotGranted(principal, "publish", "a grant of the role publisher");
  }
  return of_source == nullptr ? SourceNotGranted(principal, source, *publisher)
                              : TypeNotGranted(principal, type, *of_source);
}

absl::Status Grants::UselessToken(const Principal& token) const {
  const bool there = Named(token.grant) != nullptr;
  return base::MakeError(
      base::Reason::kNotGranted,
      absl::StrCat(token.id, " may not publish: it is bound to the grant ", token.grant,
                   there ? ", which is not of the role publisher" : ", which does not exist",
                   "; have an operator apply that grant or make another token"),
      {{"principal", token.id}, {"grant", token.grant}});
}

absl::Status Grants::SourceNotGranted(const Principal& principal, absl::string_view source,
                                      const Entry& grant) const {
  return base::MakeError(
      base::Reason::kSourceNotGranted,
      absl::StrCat(principal.id, " may not publish the source ", base::Shorten(source),
                   ": widen the sources of its grant ", grant.name, ", or correct the event"),
      {{"principal", principal.id}, {"source", base::Shorten(source)}, {"grant", grant.name}});
}

absl::Status Grants::TypeNotGranted(const Principal& principal, absl::string_view type,
                                    const Entry& grant) const {
  return base::MakeError(
      base::Reason::kTypeNotGranted,
      absl::StrCat(principal.id, " may not publish the type ", base::Shorten(type),
                   ": widen the types of its grant ", grant.name, ", or correct the event"),
      {{"principal", principal.id}, {"type", base::Shorten(type)}, {"grant", grant.name}});
}

std::vector<std::string> Grants::SubscriberFilters(const Principal& principal) const {
  std::vector<std::string> filters;
  ForEachOf(principal, [&filters](const Entry& entry) {
    if (entry.role == Role::kSubscriber) filters.push_back(entry.filter);
    return true;
  });
  return filters;
}

std::shared_ptr<const Grants> GrantRegistry::Current() const {
  base::MutexLock lock(mu_);
  return current_;
}

void GrantRegistry::Replace(std::shared_ptr<const Grants> grants) {
  base::MutexLock lock(mu_);
  current_.swap(grants);  // the old ones die outside the lock
}

}  // namespace cdgate::authz
