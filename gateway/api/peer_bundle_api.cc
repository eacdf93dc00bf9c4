#include "gateway/api/peer_bundle_api.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "auth/crypto/digest.h"
#include "auth/crypto/revocation_list.h"
#include "gateway/api/trust_messages.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/resources.h"

namespace cdgate::api {
namespace {

using admin::v1::PeerBundleChange;

constexpr char kCheck[] = "/cdgate.admin.v1.TrustService/CheckPeerBundle";
constexpr char kSet[] = "/cdgate.admin.v1.TrustService/SetPeerBundle";

// As people may have written it down.
bool SameFingerprint(absl::string_view asked, absl::string_view is) {
  const auto plain = [](absl::string_view text) {
    return absl::AsciiStrToLower(absl::StrReplaceAll(text, {{":", ""}, {" ", ""}}));
  };
  return plain(asked) == plain(is);
}

absl::Status CheckFingerprints(const admin::v1::SetPeerBundleRequest& request,
                               const PeerBundleChange& change) {
  if (!request.fingerprint().empty() &&
      !SameFingerprint(request.fingerprint(), change.fingerprint_after())) {
    return base::MakeError(
        base::Reason::kFingerprintDiffers,
        absl::StrCat("the fingerprint of the bundle for ", change.peer(), " is ",
                     change.fingerprint_after(), ", not the one given; nothing was changed"),
        {{"fingerprint", change.fingerprint_after()}});
  }
  if (!request.held_fingerprint().empty() &&
      !SameFingerprint(request.held_fingerprint(), change.fingerprint_before())) {
    return base::MakeError(
        base::Reason::kEtagMismatch,
        absl::StrCat("the bundle held of ", change.peer(), " has changed: its fingerprint is ",
                     change.fingerprint_before(), " now; look again"),
        {{"fingerprint", change.fingerprint_before()}});
  }
  return absl::OkStatus();
}

void Show(const std::vector<manager::BundleChange::Root>& roots,
          google::protobuf::RepeatedPtrField<admin::v1::Authority>* out) {
  for (const manager::BundleChange::Root& root : roots) {
    *out->Add() = AuthorityOf(root.certificate);
    out->rbegin()->set_fault(root.fault);
  }
}

// What an approval is for besides the peer with its bundle: who makes the change and when does
// not matter.
std::string BesidesDigest(const manager::BundleChange& change) {
  storage::v1::PeerTrust besides;
  for (const std::string& list : change.revocation_lists) besides.add_revocation_lists(list);
  if (change.sequence) besides.set_bundle_sequence(*change.sequence);
  return crypto::Sha256(DeterministicBytes(besides));
}

void LogSet(const std::string& author, const PeerBundleChange& change) {
  base::Log(base::LogLevel::kWarning, "bundle of peer set by hand",
            {{"peer", change.peer()},
             {"by", author},
             {"from", change.fingerprint_before()},
             {"to", change.fingerprint_after()}});
}

}  // namespace

absl::Status PeerBundleApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<CheckPeerBundleRequest, CheckPeerBundleResponse>(
      kCheck, deps_.pool,
      [this](const rpc::Call&, const auto& request) { return Check(request); })));
  return router.Register(OnPoolAsync<SetPeerBundleRequest, SetPeerBundleResponse>(
      kSet, deps_.pool, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Set(call, request, reply);
      }));
}

// That of the registry, which our own domain's lists have as well.
absl::Duration PeerBundleApi::Grace() const {
  const auto trust = deps_.trust.Current();
  const crypto::TrustStore* own = trust->Find(deps_.domain);
  return own == nullptr ? absl::ZeroDuration() : own->crl_grace();
}

absl::Status PeerBundleApi::FindHeld(const state::ResourceSnapshot& resources,
                                     const std::string& domain, Judged* out) {
  state::ResourcePtr stored = resources.Find(state::kPeerKind, domain);
  if (stored == nullptr) {
    out->kind = state::kOriginKind;
    out->peer.set_domain(domain);
    stored = resources.Find(state::kOriginKind, domain);
    if (stored == nullptr && !trust::ValidTrustDomain(domain)) {
      return base::MakeError(
          base::Reason::kInvalidArgument,
          absl::StrCat("peer: '", base::Shorten(domain), "' is no domain, such as beta.example"),
          {{"field", "peer"}});
    }
  }
  if (stored == nullptr) return absl::OkStatus();  // nothing is held
  CDGATE_ASSIGN_OR_RETURN(out->peer, stored->As<admin::v1::Peer>());
  out->peer_version = stored->version;
  if (out->kind == state::kOriginKind || out->peer.state() == admin::v1::PEER_STATE_APPROVED) {
    return absl::OkStatus();
  }
  return base::MakeError(base::Reason::kAgreementPending,
                         absl::StrCat("the agreement with ", domain,
                                      " is not approved yet; where its bundle has changed, "
                                      "remove the peer and make another invite"),
                         {{"peer", domain}});
}

absl::StatusOr<PeerBundleApi::Judged> PeerBundleApi::Judge(
    const std::string& peer, const admin::v1::PeerBundle& candidate) const {
  if (peer == deps_.domain) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           "peer: is our own domain; its bundle is the file identity.bundle of "
                           "the configuration",
                           {{"field", "peer"}});
  }
  const auto resources = deps_.store.Resources();
  Judged out;
  CDGATE_RETURN_IF_ERROR(FindHeld(*resources, peer, &out));
  if (const auto held = resources->Find(state::kPeerTrustKind, peer)) {
    out.held_version = held->version;
    if (!out.held.ParseFromString(held->value)) out.held.Clear();
  }
  const auto trust = deps_.trust.Current();
  CDGATE_ASSIGN_OR_RETURN(
      out.change, manager::JudgeBundle({.peer = peer,
                                        .text = candidate.bundle(),
                                        .revocation_lists = {candidate.revocation_lists().begin(),
                                                             candidate.revocation_lists().end()},
                                        .allow_older = candidate.allow_older(),
                                        .forget_lists = candidate.forget_revocation_lists()},
                                       {.trust = *trust,
                                        .held_pem = out.peer.bundle_pem(),
                                        .held = out.held,
                                        .crl_grace = Grace(),
                                        .now = deps_.clock.Now()}));
  return out;
}

PeerBundleChange PeerBundleApi::Shown(const Judged& judged) const {
  const manager::BundleChange& change = judged.change;
  PeerBundleChange out;
  out.set_peer(judged.peer.domain());
  if (!change.digest_before.empty()) {
    out.set_fingerprint_before(base::Fingerprint(change.digest_before));
  }
  out.set_fingerprint_after(base::Fingerprint(change.digest_after));
  Show(change.added, out.mutable_added());
  Show(change.kept, out.mutable_kept());
  Show(change.removed, out.mutable_removed());
  if (change.sequence) out.set_sequence(*change.sequence);
  for (const std::string& pem : change.revocation_lists) {
    const auto lists = crypto::RevocationList::ParsePem(pem);
    if (!lists.ok()) continue;  // was judged
    for (const auto& list : *lists) *out.add_revocation_lists() = ListStatusOf(list, Grace());
  }
  out.set_changes(change.changes);
  return out;
}

absl::StatusOr<admin::v1::CheckPeerBundleResponse> PeerBundleApi::Check(
    const admin::v1::CheckPeerBundleRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const Judged judged, Judge(request.peer(), request.candidate()));
  admin::v1::CheckPeerBundleResponse response;
  *response.mutable_change() = Shown(judged);
  return response;
}

state::Proposal PeerBundleApi::ProposalOf(Judged judged, const std::string& author) const {
  judged.peer.set_bundle_pem(judged.change.bundle_pem);
  storage::v1::PeerTrust trust = std::move(judged.held);
  trust.clear_revocation_lists();
  for (std::string& list : judged.change.revocation_lists) {
    trust.add_revocation_lists(std::move(list));
  }
  if (judged.change.sequence) trust.set_bundle_sequence(*judged.change.sequence);
  trust.set_times_set(trust.times_set() + 1);
  trust.set_set_by(author);
  trust.set_set_time_nanos(absl::ToUnixNanos(deps_.clock.Now()));
  state::Proposal proposal;
  proposal.resources.push_back({.kind = judged.kind,
                                .name = judged.peer.domain(),
                                .value = DeterministicBytes(judged.peer),
                                .expected_version = judged.peer_version,
                                .author = author});
  proposal.resources.push_back({.kind = state::kPeerTrustKind,
                                .name = judged.peer.domain(),
                                .value = trust.SerializeAsString(),
                                .expected_version = judged.held_version,
                                .author = author});
  return proposal;
}

void PeerBundleApi::Set(const rpc::Call& call, const admin::v1::SetPeerBundleRequest& request,
                        const rpc::Reply<admin::v1::SetPeerBundleResponse>& reply) {
  auto judged = Judge(request.peer(), request.candidate());
  if (!judged.ok()) return reply(judged.status());
  admin::v1::SetPeerBundleResponse response;
  *response.mutable_change() = Shown(*judged);
  const absl::Status compared = CheckFingerprints(request, response.change());
  if (!compared.ok()) return reply(compared);
  if (!response.change().changes()) return reply(response);
  const std::string besides = BesidesDigest(judged->change);
  const WideningGate::Reasons reasons = judged->change.widens;
  const std::string author = call.principal.id;
  deps_.gate.Admit(
      call, reasons, ProposalOf(*std::move(judged), author),
      [this, reply, response, author](absl::StatusOr<state::Proposal> admitted) {
        if (!admitted.ok()) return reply(admitted.status());
        const absl::Status queued = deps_.store.Propose(
            *std::move(admitted), [this, reply, response, author](const state::Outcome& outcome) {
              if (!outcome.status.ok()) return reply(outcome.status);
              deps_.applied();
              LogSet(author, response.change());
              reply(response);
            });
        if (!queued.ok()) reply(queued);
      },
      besides);
}

}  // namespace cdgate::api
