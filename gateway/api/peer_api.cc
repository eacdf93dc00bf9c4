#include "gateway/api/peer_api.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "auth/trust/trust_registry.h"
#include "federation/manager/invite.h"
#include "federation/session/replay_jobs.h"
#include "federation/session/session_types.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

constexpr char kListPeers[] = "/cdgate.admin.v1.AdminService/ListPeers";

std::string Method(absl::string_view name) {
  return absl::StrCat("/cdgate.admin.v1.AdminService/", name);
}

absl::Status NoPeer(absl::string_view domain) {
  return base::MakeError(base::Reason::kNotFound,
                         absl::StrCat("there is no peer ", base::Shorten(domain),
                                      "; cdgate peer list shows the peers"),
                         {{"peer", std::string(domain)}});
}

// An agreement that a call would make; no domain: it would make none.
struct NewAgreement {
  std::string domain = {};
  std::string candidate = {};
  uint64_t base_version = 0;
  std::string reason = {};
};

NewAgreement MakeAgreement(admin::v1::Peer peer, uint64_t base_version) {
  peer.set_state(admin::v1::PEER_STATE_APPROVED);
  return {.domain = peer.domain(),
          .candidate = DeterministicBytes(peer),
          .base_version = base_version,
          .reason = absl::StrCat("state: a new agreement with ", peer.domain())};
}

NewAgreement AgreementOf(const admin::v1::ApprovePeerRequest& request,
                         const state::ResourceSnapshot& resources) {
  if (!request.has_reply_code()) {
    const auto stored = resources.Find(state::kPeerKind, request.domain());
    admin::v1::Peer peer;
    if (stored == nullptr || !peer.ParseFromString(stored->value) ||
        peer.state() == admin::v1::PEER_STATE_APPROVED) {
      return {};
    }
    return MakeAgreement(std::move(peer), stored->version);
  }
  const auto code = invite::DecodeReply(request.reply_code());
  if (!code.ok()) return {};
  if (resources.Find(state::kPeerKind, code->party.domain()) != nullptr) return {};
  admin::v1::Peer peer;
  peer.set_domain(code->party.domain());
  peer.set_bundle_pem(code->party.bundle_pem());
  return MakeAgreement(std::move(peer), 0);
}

void ProposePeer(state::Store& store, state::Proposal proposal, admin::v1::Peer peer,
                 const rpc::Reply<admin::v1::Peer>& reply) {
  const absl::Status queued = store.Propose(
      std::move(proposal), [reply, peer = std::move(peer)](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        reply(peer);
      });
  if (!queued.ok()) reply(queued);
}

}  // namespace

absl::Status PeerApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  base::Executor& pool = deps_.pool;
  CDGATE_RETURN_IF_ERROR(RegisterEnrolment(router));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetPeerRequest, PeerStatus>(
      Method("GetPeer"), pool,
      [this](const rpc::Call&, const auto& request) { return Get(request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListPeersRequest, ListPeersResponse>(
      kListPeers, pool,
      [this](const rpc::Call& call, const auto& request) { return List(call.peers, request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetStatusRequest, GetStatusResponse>(
      Method("GetStatus"), pool,
      [this](const rpc::Call& call, const auto&) { return Status(call.peers); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<FreezePeerRequest, Peer>(
      Method("FreezePeer"), pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        SetFrozen(call, request.domain(), true, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<ResumePeerRequest, Peer>(
      Method("ResumePeer"), pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        SetFrozen(call, request.domain(), false, reply);
      })));
  return router.Register(OnPoolAsync<RemovePeerRequest, RemovePeerResponse>(
      Method("RemovePeer"), pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Remove(call.principal.id, request.domain(), reply);
      }));
}

absl::Status PeerApi::RegisterEnrolment(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  base::Executor& pool = deps_.pool;
  manager::Enrolment& enrolment = deps_.enrolment;
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<CreateInviteRequest, CreateInviteResponse>(
      Method("CreateInvite"), pool,
      [&enrolment](const rpc::Call& call, const auto& request, const auto& reply) {
        enrolment.CreateInvite(call.principal.id, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<RevokeInviteRequest, RevokeInviteResponse>(
      Method("RevokeInvite"), pool,
      [&enrolment](const rpc::Call& call, const auto& request, const auto& reply) {
        enrolment.RevokeInvite(call.principal.id, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<CheckInviteRequest, CheckInviteResponse>(
      Method("CheckInvite"), pool, [&enrolment](const rpc::Call&, const auto& request) {
        return enrolment.CheckInvite(request);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<AcceptInviteRequest, AcceptInviteResponse>(
      Method("AcceptInvite"), pool,
      [&enrolment](const rpc::Call& call, const auto& request, const auto& reply) {
        enrolment.Accept(call.principal.id, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<ApprovePeerRequest, Peer>(
      Method("ApprovePeer"), pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Approve(call, request, reply);
      })));
  using federation::v1::EnrolRequest;
  using federation::v1::EnrolResponse;
  return router.Register(OnPoolAsync<EnrolRequest, EnrolResponse>(
      "/cdgate.federation.v1.EnrolmentService/Enrol", pool,
      [&enrolment](const rpc::Call& call, const auto& request, const auto& reply) {
        if (call.certificate == nullptr) {
          return reply(base::MakeError(base::Reason::kCertificateMissing,
                                       "enrolment needs a client certificate"));
        }
        enrolment.HandleEnrol(*call.certificate, request, reply);
      }));
}

uint64_t LostEvents(const state::PeerCounters& counters) {
  uint64_t lost = 0;
  for (const storage::v1::OutcomeCount& count : counters.exported) {
    if (count.reason() == base::ReasonLabel(base::Reason::kTrimmed)) lost += count.count();
  }
  return lost;
}

absl::StatusOr<admin::v1::PeerStatus> PeerApi::StatusOf(
    const state::StoredResource& resource) const {
  admin::v1::PeerStatus status;
  CDGATE_ASSIGN_OR_RETURN(*status.mutable_peer(), resource.As<admin::v1::Peer>());
  CDGATE_ASSIGN_OR_RETURN(const std::string digest,
                          trust::BundleDigest(status.peer().bundle_pem()));
  status.set_fingerprint(base::Fingerprint(digest));
  *status.mutable_link() = deps_.facts.link(resource.name);
  const ExportLag lag = deps_.facts.lag(resource.name);
  status.set_export_lag_events(lag.events);
  *status.mutable_export_lag() = ToProto(lag.age);
  if (lag.loss_expected != absl::InfiniteFuture()) {
    status.mutable_loss_expected_time()->set_seconds(absl::ToUnixSeconds(lag.loss_expected));
  }
  const auto policy = deps_.store.Resources()->Find(state::kPolicyKind, resource.name);
  status.set_policy_version(policy != nullptr ? policy->version : 0);
  const state::PeerCounters counters = deps_.store.Counters(resource.name);
  status.mutable_exported()->Add(counters.exported.begin(), counters.exported.end());
  status.set_lost_events(LostEvents(counters));
  status.mutable_imported()->Add(counters.imported.begin(), counters.imported.end());
  CDGATE_ASSIGN_OR_RETURN(const uint64_t left, ReplayLeft(resource.name));
  status.set_replay_left(left);
  return status;
}

// How many sequences of its jobs are not accounted for.
absl::StatusOr<uint64_t> PeerApi::ReplayLeft(const std::string& peer) const {
  CDGATE_ASSIGN_OR_RETURN(const auto jobs, session::ReplayJobsOf(*deps_.store.Resources(), peer));
  const auto cursor = deps_.store.Cursor(session::ReplayCursorName(peer));
  uint64_t through = 0;
  uint64_t left = 0;
  if (cursor && !absl::SimpleAtoi(cursor->token(), &through)) through = 0;
  for (const storage::v1::ReplayJob& job : jobs.jobs()) {
    const bool begun = cursor && cursor->position() == job.number();
    const uint64_t from = std::max(job.first_sequence(), begun ? through + 1 : 0);
    if (job.last_sequence() >= from) left += job.last_sequence() - from + 1;
  }
  return left;
}

absl::StatusOr<admin::v1::PeerStatus> PeerApi::Get(const admin::v1::GetPeerRequest& request) const {
  const auto resource = deps_.store.Resources()->Find(state::kPeerKind, request.domain());
  if (resource == nullptr) return NoPeer(request.domain());
  return StatusOf(*resource);
}

absl::StatusOr<admin::v1::ListPeersResponse> PeerApi::List(
    const authz::PeerScope& scope, const admin::v1::ListPeersRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kListPeers, request.page_token()));
  admin::v1::ListPeersResponse response;
  const auto page = deps_.store.Resources()->List(state::kPeerKind, after, size);
  for (const auto& resource : page) {
    if (!scope.Covers(resource->name)) continue;
    CDGATE_ASSIGN_OR_RETURN(*response.add_peers(), StatusOf(*resource));
  }
  if (page.size() == size) {
    response.set_next_page_token(MakePageToken(kListPeers, page.back()->name));
  }
  return response;
}

absl::StatusOr<admin::v1::GetStatusResponse> PeerApi::Status(const authz::PeerScope& scope) const {
  admin::v1::GetStatusResponse status;
  status.set_domain(deps_.domain);
  status.set_instance(deps_.instance);
  status.set_software(deps_.software);
  *status.mutable_start_time() = ToProto(deps_.start_time);
  const eventlog::Head head = deps_.log.head();
  status.set_epoch(head.epoch.value());
  status.set_first_sequence(deps_.log.first().sequence.value());
  status.set_head_sequence(head.sequence.value());
  status.set_log_bytes(deps_.log.stats().bytes);
  *status.mutable_certificate_expire_time() = ToProto(deps_.facts.certificate_expiry());
  std::vector<std::string> hidden;
  for (const auto& resource : deps_.store.Resources()->List(state::kPeerKind)) {
    if (scope.Covers(resource->name)) {
      CDGATE_ASSIGN_OR_RETURN(*status.add_peers(), StatusOf(*resource));
    } else {
      hidden.push_back(resource->name);
    }
  }
  for (std::string& problem : deps_.facts.problems()) {
    const bool theirs = std::any_of(
        hidden.begin(), hidden.end(),
        [&problem](const std::string& peer) { return absl::StrContains(problem, peer); });
    if (!theirs) status.add_problems(std::move(problem));
  }
  return status;
}

void PeerApi::Approve(const rpc::Call& call, const admin::v1::ApprovePeerRequest& request,
                      const rpc::Reply<admin::v1::Peer>& reply) {
  const NewAgreement agreement = AgreementOf(request, *deps_.store.Resources());
  // What is none, or not new, is for the enrolment to judge.
  if (!agreement.domain.empty()) {
    const absl::Status admitted =
        deps_.gate.Check(call, state::kPeerKind, agreement.domain, agreement.candidate,
                         agreement.base_version, {agreement.reason});
    if (!admitted.ok()) return reply(admitted);
  }
  deps_.enrolment.Approve(call.principal.id, request, reply);
}

void PeerApi::SetFrozen(const rpc::Call& call, const std::string& domain, bool frozen,
                        const rpc::Reply<admin::v1::Peer>& reply) {
  const auto resource = deps_.store.Resources()->Find(state::kPeerKind, domain);
  if (resource == nullptr) return reply(NoPeer(domain));
  auto peer = resource->As<admin::v1::Peer>();
  if (!peer.ok()) return reply(peer.status());
  if (peer->frozen() == frozen) return reply(*peer);
  peer->set_frozen(frozen);
  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = state::kPeerKind;
  edit.name = domain;
  edit.value = peer->SerializeAsString();
  edit.expected_version = resource->version;
  edit.author = call.principal.id;
  proposal.resources.push_back(std::move(edit));
  WideningGate::Reasons reasons;
  if (!frozen) reasons.push_back("frozen: what was held back by the freeze crosses");
  deps_.gate.Admit(call, reasons, std::move(proposal),
                   [this, reply, peer = *peer](absl::StatusOr<state::Proposal> admitted) {
                     if (!admitted.ok()) return reply(admitted.status());
                     ProposePeer(deps_.store, *std::move(admitted), peer, reply);
                   });
}

void PeerApi::Remove(const std::string& author, const std::string& domain,
                     const rpc::Reply<admin::v1::RemovePeerResponse>& reply) {
  const auto resource = deps_.store.Resources()->Find(state::kPeerKind, domain);
  if (resource == nullptr) return reply(NoPeer(domain));
  const state::PeerCounters counters = deps_.store.Counters(domain);
  admin::v1::RemovePeerResponse response;
  response.set_events_given(counters.given);
  response.set_events_received(counters.received);
  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = state::kPeerKind;
  edit.name = domain;
  edit.deleted = true;
  edit.expected_version = resource->version;
  edit.author = author;
  proposal.resources.push_back(std::move(edit));
  for (const char* const kind : {state::kInterestKind, state::kPeerTrustKind}) {
    if (deps_.store.Resources()->Find(kind, domain) == nullptr) continue;
    proposal.resources.push_back({.kind = kind, .name = domain, .deleted = true, .author = author});
  }
  if (const auto replay = deps_.store.Resources()->Find(state::kReplayKind, domain)) {
    proposal.resources.push_back({.kind = state::kReplayKind,
                                  .name = domain,
                                  .deleted = true,
                                  .expected_version = replay->version,
                                  .author = author});
  }
  // A later agreement with the domain begins from nothing.
  for (const auto& cursor : deps_.store.Cursors(absl::StrCat("link/", domain, "/"))) {
    state::CursorEdit removal;
    removal.move.set_reader(cursor.reader());
    removal.move.set_removed(true);
    proposal.cursors.push_back(std::move(removal));
  }
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [reply, response](state::Outcome outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        reply(response);
      });
  if (!queued.ok()) reply(queued);
}

}  // namespace cdgate::api
