#include "gateway/api/agreement_api.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/manager/lifetime.h"
#include "gateway/api/holdings.h"
#include "gateway/api/lost_events.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/base/timestamp.h"

namespace cdgate::api {
namespace {

using admin::v1::Peer;

constexpr absl::Duration kDay = absl::Hours(24);
constexpr int kMaxSources = 100;
constexpr size_t kMaxSourceBytes = 500;

std::string Method(absl::string_view name) {
  return absl::StrCat("/cdgate.admin.v1.AgreementService/", name);
}

absl::Status Invalid(absl::string_view message) {
  return base::MakeError(base::Reason::kInvalidArgument, message);
}

absl::StatusOr<state::ResourcePtr> FindPeer(const state::Store& store, const std::string& domain) {
  state::ResourcePtr resource = store.Resources()->Find(state::kPeerKind, domain);
  if (resource != nullptr) return resource;
  return base::MakeError(base::Reason::kNotFound,
                         absl::StrCat("there is no peer ", base::Shorten(domain),
                                      "; cdgate peer list shows the peers"),
                         {{"peer", domain}});
}

absl::Time NextMidnight(absl::Time time) {
  return absl::UnixEpoch() + absl::Ceil(time - absl::UnixEpoch(), kDay);
}

std::string TimeText(absl::Time time) {
  if (time == absl::InfiniteFuture()) return "never";
  return base::FormatRfc3339(absl::ToUnixSeconds(time), 0);
}

WideningGate::Reasons WhyLongerWidens(const Peer& before, absl::Time end) {
  const absl::Time was = manager::EndOf(before);
  if (end <= was) return {};
  return {absl::StrCat("expire_time: the agreement ends at ", TimeText(end), " and not at ",
                       TimeText(was), ", so that more crosses")};
}

WideningGate::Reasons WhySourcesWiden(const Peer& before, const Peer& after) {
  if (before.sources().empty()) return {};  // any
  if (after.sources().empty()) return {"sources: its events may have any source"};
  WideningGate::Reasons reasons;
  for (const std::string& source : after.sources()) {
    const auto& was = before.sources();
    if (std::find(was.begin(), was.end(), source) != was.end()) continue;
    reasons.push_back(absl::StrCat("sources: its events may be of ", source));
  }
  return reasons;
}

absl::Status CheckSources(const admin::v1::UpdatePeerRequest& request) {
  if (request.any_source() && request.sources_size() > 0) {
    return Invalid("any_source: cannot be with sources; say one of them");
  }
  if (request.sources_size() > kMaxSources) {
    return Invalid(absl::StrCat("sources: ", request.sources_size(), " are too many; at most ",
                                kMaxSources, ", a pattern with '%' stands for several"));
  }
  for (const std::string& source : request.sources()) {
    if (!source.empty() && source.size() <= kMaxSourceBytes) continue;
    return Invalid(
        absl::StrCat("sources: '", base::Shorten(source), "' is empty or longer than 500 bytes"));
  }
  return absl::OkStatus();
}

// The rules are those of what a party says of itself.
absl::Status CheckNotes(const Peer& peer) {
  federation::v1::Party party;
  party.set_domain(peer.domain());
  party.set_bundle_pem(peer.bundle_pem());
  party.set_endpoint(peer.endpoint());
  party.set_purpose(peer.purpose());
  *party.mutable_contacts() = peer.contacts();
  CDGATE_RETURN_IF_ERROR(invite::CheckParty(party));
  if (!peer.dial() || !peer.endpoint().empty()) return absl::OkStatus();
  return Invalid(absl::StrCat("dial: ", peer.domain(),
                              " has no endpoint that could be dialled; give one with --endpoint, "
                              "or let it dial us with --dial no"));
}

}  // namespace

absl::StatusOr<absl::Time> EndAskedFor(const admin::v1::RenewPeerRequest& request, absl::Time now) {
  absl::Time end;
  if (request.has_expire_time()) {
    end = absl::FromUnixSeconds(request.expire_time().seconds());
  } else if (request.has_lifetime()) {
    const absl::Duration lifetime = FromProto(request.lifetime());
    end = now + lifetime;
    if (lifetime >= kDay) end = NextMidnight(end);
    end = absl::FromUnixSeconds(absl::ToUnixSeconds(end));
  } else {
    return Invalid("end: say until when the agreement holds, by expire_time or lifetime");
  }
  if (end <= now) {
    return Invalid(absl::StrCat("end: ", TimeText(end),
                                " is not in the future; to end an agreement now, freeze or remove "
                                "the peer"));
  }
  if (end - now <= kGreatestLifetime) return end;
  return Invalid(absl::StrCat("end: ", TimeText(end), " is more than 5 years away"));
}

absl::StatusOr<Peer> Updated(Peer peer, const admin::v1::UpdatePeerRequest& request) {
  if (request.has_purpose()) peer.set_purpose(request.purpose());
  if (request.contacts_size() > 0) *peer.mutable_contacts() = request.contacts();
  if (request.has_endpoint()) peer.set_endpoint(request.endpoint());
  if (request.has_endpoint() && request.endpoint().empty()) peer.set_dial(false);
  if (request.has_dial()) peer.set_dial(request.dial());
  CDGATE_RETURN_IF_ERROR(CheckSources(request));
  if (request.any_source()) peer.clear_sources();
  if (request.sources_size() > 0) *peer.mutable_sources() = request.sources();
  CDGATE_RETURN_IF_ERROR(CheckNotes(peer));
  return peer;
}

absl::Status AgreementApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<RenewPeerRequest, Peer>(
      Method("RenewPeer"), pool_,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Renew(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<UpdatePeerRequest, Peer>(
      Method("UpdatePeer"), pool_,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Update(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetHoldingsRequest, GetHoldingsResponse>(
      Method("GetHoldings"), pool_,
      [this](const rpc::Call&, const auto& request) { return Holdings(request); })));
  return router.Register(OnPool<ListLostEventsRequest, ListLostEventsResponse>(
      Method("ListLostEvents"), pool_,
      [this](const rpc::Call&, const auto& request) { return ListLost(request); }));
}

void AgreementApi::Renew(const rpc::Call& call, const admin::v1::RenewPeerRequest& request,
                         const rpc::Reply<Peer>& reply) {
  const auto stored = FindPeer(store_, request.domain());
  if (!stored.ok()) return reply(stored.status());
  auto peer = (*stored)->As<Peer>();
  if (!peer.ok()) return reply(peer.status());
  const auto end = EndAskedFor(request, clock_.Now());
  if (!end.ok()) return reply(end.status());
  const WideningGate::Reasons reasons = WhyLongerWidens(*peer, *end);
  *peer->mutable_expire_time() = ToProto(*end);
  Change(call, **stored, *std::move(peer), reasons, reply);
}

void AgreementApi::Update(const rpc::Call& call, const admin::v1::UpdatePeerRequest& request,
                          const rpc::Reply<Peer>& reply) {
  const auto stored = FindPeer(store_, request.domain());
  if (!stored.ok()) return reply(stored.status());
  const auto before = (*stored)->As<Peer>();
  if (!before.ok()) return reply(before.status());
  auto after = Updated(*before, request);
  if (!after.ok()) return reply(after.status());
  // Who is at the other end is proved by its certificate, wherever we dial.
  const WideningGate::Reasons reasons = WhySourcesWiden(*before, *after);
  Change(call, **stored, *std::move(after), reasons, reply);
}

void AgreementApi::Change(const rpc::Call& call, const state::StoredResource& before, Peer peer,
                          const WideningGate::Reasons& reasons, const rpc::Reply<Peer>& reply) {
  std::string value = DeterministicBytes(peer);
  const auto was = before.As<Peer>();
  if (was.ok() && DeterministicBytes(*was) == value) return reply(std::move(peer));
  state::Proposal proposal;
  proposal.resources.push_back({.kind = state::kPeerKind,
                                .name = before.name,
                                .value = std::move(value),
                                .expected_version = before.version,
                                .author = call.principal.id});
  gate_.Admit(call, reasons, std::move(proposal),
              [this, reply, peer = std::move(peer)](absl::StatusOr<state::Proposal> admitted) {
                if (!admitted.ok()) return reply(admitted.status());
                const absl::Status queued = store_.Propose(
                    *std::move(admitted), [reply, peer](const state::Outcome& outcome) {
                      if (!outcome.status.ok()) return reply(outcome.status);
                      reply(peer);
                    });
                if (!queued.ok()) reply(queued);
              });
}

absl::StatusOr<admin::v1::GetHoldingsResponse> AgreementApi::Holdings(
    const admin::v1::GetHoldingsRequest& request) const {
  CDGATE_RETURN_IF_ERROR(FindPeer(store_, request.domain()).status());
  return HoldingsOf(store_, log_, request.domain());
}

absl::StatusOr<admin::v1::ListLostEventsResponse> AgreementApi::ListLost(
    const admin::v1::ListLostEventsRequest& request) const {
  CDGATE_RETURN_IF_ERROR(FindPeer(store_, request.domain()).status());
  return ListLostEvents(store_, request);
}

}  // namespace cdgate::api
