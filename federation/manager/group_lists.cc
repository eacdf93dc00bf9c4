#include "federation/manager/group_lists.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "federation/manager/signed_document.h"
#include "federation/manager/timestamp.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using federation::v1::GroupList;
using federation::v1::SignedGroup;

constexpr char kLabel[] = "cdgate/group/v1";
constexpr size_t kMaxNameBytes = 63;
// A thousand of the longest names, and what is around them.
constexpr size_t kMaxListBytes = 512 << 10;

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

bool ValidTime(const google::protobuf::Timestamp& time) {
  constexpr int64_t kYear10000 = 253'402'300'800;
  return time.seconds() >= 0 && time.seconds() < kYear10000 && time.nanos() >= 0 &&
         time.nanos() < 1'000'000'000;
}

bool ValidGroupId(absl::string_view id) {
  const size_t at = id.find('@');
  return at != absl::string_view::npos && ValidGroupName(id.substr(0, at)) &&
         trust::ValidTrustDomain(id.substr(at + 1));
}

absl::Status Invalid(absl::string_view group, absl::string_view what) {
  base::Metadata metadata;
  if (ValidGroupId(group)) metadata.emplace_back("group", std::string(group));
  return base::MakeError(
      base::Reason::kGroupInvalid,
      absl::StrCat("the member list of group ", group.empty() ? "(no name)" : base::Shorten(group),
                   " ", what, "; what was held of it stays"),
      std::move(metadata));
}

absl::Status CheckMembers(const GroupList& list) {
  if (list.members_size() > kMaxGroupMembers) {
    return Invalid(list.group(), absl::StrCat("has ", list.members_size(), " members, more than ",
                                              kMaxGroupMembers));
  }
  const std::string* before = nullptr;
  for (const std::string& member : list.members()) {
    if (!trust::ValidTrustDomain(member)) {
      return Invalid(list.group(), absl::StrCat("has the member ", base::Shorten(member),
                                                ", which is no domain"));
    }
    if (before != nullptr && *before >= member) {
      return Invalid(list.group(), absl::StrCat("is not sorted at member ", member));
    }
    before = &member;
  }
  return absl::OkStatus();
}

absl::Status CheckTimes(const GroupList& list) {
  if (!list.has_issue_time() || !list.has_expire_time() || !ValidTime(list.issue_time()) ||
      !ValidTime(list.expire_time())) {
    return Invalid(list.group(), "does not say when it was signed and when it ends");
  }
  if (ToTime(list.issue_time()) < ToTime(list.expire_time())) return absl::OkStatus();
  return Invalid(list.group(), "ends before it was signed");
}

// OK where a gateway of the owner signed it. What is wrong, otherwise.
absl::Status CheckSignature(const SignedGroup& received, const GroupContext& context) {
  const crypto::TrustStore* store = context.trust.Find(context.owner);
  if (store == nullptr) {
    return base::MakeError(base::Reason::kUnknownTrustDomain,
                           "no trust bundle is held for its owner");
  }
  return CheckSeal({kLabel, received.list(), received.signature(), received.certificates()},
                   context.owner, *store, context.now);
}

}  // namespace

std::string GroupId(absl::string_view name, absl::string_view domain) {
  return absl::StrCat(name, "@", domain);
}

absl::string_view OwnerOf(absl::string_view group_id) {
  const size_t at = group_id.find('@');
  return at == absl::string_view::npos ? "" : group_id.substr(at + 1);
}

bool ValidGroupName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == absl::string_view::npos;
}

absl::Time ExpiryOf(const admin::v1::Group& group) {
  return group.has_expire_time() ? ToTime(group.expire_time()) : absl::InfiniteFuture();
}

absl::Time ExpiryOf(const GroupList& list) {
  return list.has_expire_time() ? ToTime(list.expire_time()) : absl::InfiniteFuture();
}

GroupList ListOf(const admin::v1::Group& group, uint64_t version, absl::string_view domain,
                 absl::Time now) {
  GroupList list;
  list.set_group(GroupId(group.name(), domain));
  list.set_version(version);
  std::vector<std::string> members(group.members().begin(), group.members().end());
  std::sort(members.begin(), members.end());
  list.mutable_members()->Add(members.begin(), members.end());
  *list.mutable_issue_time() = ToTimestamp(now);
  *list.mutable_expire_time() = ToTimestamp(std::min(ExpiryOf(group), now + kGroupValidity));
  return list;
}

absl::StatusOr<SignedGroup> SignGroup(const GroupList& list, const credentials::Material& own) {
  SignedGroup out;
  out.set_list(list.SerializeAsString());
  CDGATE_ASSIGN_OR_RETURN(Seal seal, SignDocument(kLabel, out.list(), own));
  out.set_signature(std::move(seal.signature));
  for (std::string& certificate : seal.certificates) out.add_certificates(std::move(certificate));
  return out;
}

absl::StatusOr<GroupList> ReadGroupList(absl::string_view bytes) {
  GroupList list;
  if (bytes.size() > kMaxListBytes ||
      !list.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Invalid("", "does not parse");
  }
  if (!ValidGroupId(list.group())) return Invalid(list.group(), "is not of a NAME@DOMAIN");
  if (list.version() == 0) return Invalid(list.group(), "has no version");
  CDGATE_RETURN_IF_ERROR(CheckMembers(list));
  CDGATE_RETURN_IF_ERROR(CheckTimes(list));
  return list;
}

absl::StatusOr<GroupList> VerifyGroup(const SignedGroup& received, const GroupContext& context) {
  CDGATE_ASSIGN_OR_RETURN(GroupList list, ReadGroupList(received.list()));
  if (OwnerOf(list.group()) != context.owner) {
    return Invalid(list.group(), absl::StrCat("came from ", context.owner, ", not from its owner"));
  }
  if (const absl::Status checked = CheckSignature(received, context); !checked.ok()) {
    return Invalid(list.group(), absl::StrCat("is not signed by its owner: ", checked.message()));
  }
  if (ExpiryOf(list) <= context.now) {
    return Invalid(list.group(),
                   absl::StrCat("expired at ", absl::FormatTime(absl::RFC3339_sec, ExpiryOf(list),
                                                                absl::UTCTimeZone())));
  }
  if (!std::binary_search(list.members().begin(), list.members().end(), context.own_domain)) {
    return Invalid(list.group(), absl::StrCat("does not have ", context.own_domain,
                                              " in it, and is for its members alone"));
  }
  return list;
}

absl::Status CheckFollows(const GroupList& list, const GroupList& held) {
  if (list.version() < held.version()) {
    return Invalid(list.group(), absl::StrCat("has version ", list.version(), ", older than ",
                                              held.version(), ", the one held"));
  }
  const bool same_members = std::equal(list.members().begin(), list.members().end(),
                                       held.members().begin(), held.members().end());
  if (list.version() > held.version() || same_members) return absl::OkStatus();
  return Invalid(list.group(),
                 absl::StrCat("has version ", list.version(), " with other members than before"));
}

absl::StatusOr<GroupList> ListIn(const state::StoredResource& resource) {
  CDGATE_ASSIGN_OR_RETURN(const auto stored, resource.As<SignedGroup>());
  return ReadGroupList(stored.list());
}

}  // namespace cdgate::manager
