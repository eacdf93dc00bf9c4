// Why a principal may or may not make a call: the verdict by what decides it, and each
// grant's part in it.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/authz/grant_entry.h"
#include "auth/authz/grants.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"

namespace cdgate::authz {
namespace {

bool IsAboutPublishing(const MethodRow& row) { return row.roles.Has(Role::kPublisher); }

std::string PeersText(const std::vector<Pattern>& peers) {
  return absl::StrJoin(peers, ", ",
                       [](std::string* out, const Pattern& peer) { out->append(peer.text()); });
}

// Why the grant alone would not do.
template <typename Entry>
std::string WhyNot(const Entry& entry, const Grants::Question& question) {
  const MethodRow& row = question.row;
  if (!entry.HasRoleFor(row)) {
    return row.admits == Admits::kRoles
               ? absl::StrCat("the role ", RoleName(entry.role), " may not call it")
               : "no grant is asked for";
  }
  if (row.reach != Reach::kAnywhere && !entry.peers.empty()) {
    const PeerScope scope = PeerScope::Of(entry.peers);
    const bool whole = question.peer.empty();
    if (whole && row.reach == Reach::kRequest) {
      return absl::StrCat("it is for the peers ", PeersText(entry.peers),
                          " and the call names none");
    }
    if (!whole && !scope.Covers(question.peer)) {
      return absl::StrCat("it is for the peers ", PeersText(entry.peers));
    }
  }
  if (!IsAboutPublishing(row) || question.source.empty()) return "";
  if (!entry.CoversSource(question.source)) return "its sources do not match";
  return entry.CoversType(question.type) ? "" : "its types do not match";
}

}  // namespace

absl::Status Grants::Judge(const Question& question) const {
  const MethodRow& row = question.row;
  // A token calls no method: the ingress asks for each of its events alone.
  const bool token = question.principal.kind == Principal::Kind::kToken;
  if (token && IsAboutPublishing(row) && question.source.empty()) {
    const Entry* const grant = Named(question.principal.grant);
    const bool publisher = grant != nullptr && grant->role == Role::kPublisher;
    return publisher ? absl::OkStatus() : UselessToken(question.principal);
  }
  if (!token || !IsAboutPublishing(row)) {
    CDGATE_RETURN_IF_ERROR(MayCall(question.principal, row, question.listener));
  }
  if (IsAboutPublishing(row) && !question.source.empty()) {
    PublishRight right;
    return MayPublish(question.principal, question.source, question.type, &right);
  }
  if (row.reach == Reach::kAnywhere) return absl::OkStatus();
  if (row.reach == Reach::kHandler && question.peer.empty()) return absl::OkStatus();
  return ScopeOf(question.principal, row).Check(question.principal.id, row.method, question.peer);
}

Grants::Verdict Grants::Explain(const Question& question) const {
  Verdict verdict;
  verdict.status = Judge(question);
  ForEachOf(question.principal, [&](const Entry& entry) {
    GrantWorth worth{entry.name, entry.role, WhyNot(entry, question)};
    if (verdict.status.ok() && worth.why_not.empty() && verdict.grant.empty()) {
      verdict.grant = entry.name;
    }
    verdict.grants.push_back(std::move(worth));
    return true;
  });
  return verdict;
}

}  // namespace cdgate::authz
