#include "gateway/api/catalogue_api.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/link/config.h"
#include "federation/manager/access_requests.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

using admin::v1::AccessRequest;
using admin::v1::CatalogueEntry;

constexpr size_t kIdRandomBytes = 8;

std::string Method(absl::string_view name) {
  return absl::StrCat("/cdgate.admin.v1.CatalogueService/", name);
}

absl::Status CheckPeer(const state::Store& store, const std::string& peer) {
  if (store.Resources()->Find(state::kPeerKind, peer) != nullptr) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kNotFound,
      absl::StrCat("there is no peer ", base::Shorten(peer), "; cdgate peer list shows the peers"),
      {{"peer", base::Shorten(peer)}});
}

google::protobuf::Timestamp DayTime(uint32_t day) {
  return ToProto(absl::UnixEpoch() + absl::Hours(24) * day);
}

// As the peer is told it, with the rule beside.
std::vector<CatalogueEntry> EntriesFor(const std::string& peer,
                                       const storage::v1::GivenEvents& given,
                                       const std::vector<manager::NamedOffer>& named) {
  std::map<filter::NamedKind, std::string> rules;
  for (const manager::NamedOffer& offer : named) rules.emplace(offer.kind, offer.rule);
  std::vector<CatalogueEntry> out;
  const federation::v1::Catalogue catalogue = manager::OffersTo(given, named);
  for (const auto& offer : catalogue.offers()) {
    CatalogueEntry& entry = out.emplace_back();
    entry.set_peer(peer);
    entry.set_type(offer.type());
    entry.set_source(offer.source());
    entry.set_plane(offer.plane());
    if (offer.last_given_day() != 0) *entry.mutable_last_given() = DayTime(offer.last_given_day());
    const auto rule = rules.find({offer.type(), offer.source(), offer.plane()});
    if (rule != rules.end()) entry.set_rule(rule->second);
  }
  return out;
}

// Whether what is offered may be what was asked about.
bool MayBe(const std::string& offered, const std::string& asked) {
  return offered.empty() || asked.empty() || offered == asked;
}

// A request as it is kept, and what it says.
struct Held {
  state::ResourcePtr resource;
  AccessRequest request;
};

absl::StatusOr<Held> FindRequest(const state::Store& store, const char* kind,
                                 const std::string& peer, const std::string& id) {
  state::ResourcePtr resource = store.Resources()->Find(kind, manager::AccessName(peer, id));
  if (resource != nullptr) {
    CDGATE_ASSIGN_OR_RETURN(AccessRequest request, resource->As<AccessRequest>());
    return Held{std::move(resource), std::move(request)};
  }
  return base::MakeError(
      base::Reason::kNotFound,
      absl::StrCat("there is no request ", base::Shorten(id),
                   kind == manager::kAccessRequestKind ? " of " : " of ours to ",
                   base::Shorten(peer), "; cdgate access list shows those there are"),
      {{"peer", base::Shorten(peer)}});
}

absl::Status TooMany(const std::string& peer) {
  return base::MakeError(
      base::Reason::kQuota,
      absl::StrCat(link::kMaxAccessRequests, " requests to ", peer,
                   " are open or were answered lately, which is the most; take one back with "
                   "cdgate access withdraw"),
      {{"peer", peer}});
}

absl::Status AskedAlready(const AccessRequest& open) {
  return base::MakeError(
      base::Reason::kAlreadyExists,
      absl::StrCat("the request ", open.id(), " asks ", open.peer(),
                   " for the same and is open; cdgate access list shows what becomes of it"),
      {{"peer", open.peer()}});
}

}  // namespace

absl::Status CatalogueApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListOffersRequest, ListOffersResponse>(
      Method("ListOffers"), deps_.pool,
      [this](const rpc::Call&, const auto& request) { return ListOffers(request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetPeerCatalogueRequest, GetPeerCatalogueResponse>(
      Method("GetPeerCatalogue"), deps_.pool,
      [this](const rpc::Call&, const auto& request) { return GetPeerCatalogue(request); })));
  CDGATE_RETURN_IF_ERROR(
      router.Register(OnPool<ListAccessRequestsRequest, ListAccessRequestsResponse>(
          Method("ListAccessRequests"), deps_.pool,
          [this](const rpc::Call&, const auto& request) { return ListRequests(request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<RequestAccessRequest, AccessRequest>(
      Method("RequestAccess"), deps_.pool,
      [this](const auto& call, const auto& request, const auto& reply) {
        Ask(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<ApproveAccessRequest, AccessRequest>(
      Method("ApproveAccess"), deps_.pool,
      [this](const auto& call, const auto& request, const auto& reply) {
        Approve(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<DenyAccessRequest, AccessRequest>(
      Method("DenyAccess"), deps_.pool,
      [this](const auto& call, const auto& request, const auto& reply) {
        Deny(call, request, reply);
      })));
  return router.Register(OnPoolAsync<WithdrawAccessRequest, AccessRequest>(
      Method("WithdrawAccess"), deps_.pool,
      [this](const auto& call, const auto& request, const auto& reply) {
        Withdraw(call, request, reply);
      }));
}

// -------------------------------------------------------------------- catalogues

absl::StatusOr<admin::v1::ListOffersResponse> CatalogueApi::ListOffers(
    const admin::v1::ListOffersRequest& request) const {
  const auto resources = deps_.store.Resources();
  if (!request.peer().empty()) CDGATE_RETURN_IF_ERROR(CheckPeer(deps_.store, request.peer()));
  CDGATE_ASSIGN_OR_RETURN(size_t size, PageSize(request.page_size()));
  if (request.page_size() == 0) size = 1000;
  const std::string arguments = absl::StrCat("ListOffers/", request.peer());
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(arguments, request.page_token()));
  admin::v1::ListOffersResponse out;
  for (const state::ResourcePtr& peer : resources->List(state::kPeerKind)) {
    if (!request.peer().empty() && request.peer() != peer->name) continue;
    const auto given = deps_.given.Of(peer->name);
    if (given->truncated()) out.add_truncated_peers(peer->name);
    for (CatalogueEntry& entry :
         EntriesFor(peer->name, *given, deps_.exchange.NamedFor(peer->name))) {
      // Ascending, like the entries: no part of it has a byte as small as those between them.
      std::string place = absl::StrCat(entry.peer(), absl::string_view("\0", 1), entry.type(),
                                       absl::string_view("\0", 1), entry.source(),
                                       absl::string_view("\0", 1), entry.plane());
      if (place <= after) continue;
      if (static_cast<size_t>(out.offers_size()) == size) return out;
      *out.add_offers() = std::move(entry);
      out.set_next_page_token(MakePageToken(arguments, place));
    }
  }
  out.clear_next_page_token();
  return out;
}

absl::StatusOr<admin::v1::GetPeerCatalogueResponse> CatalogueApi::GetPeerCatalogue(
    const admin::v1::GetPeerCatalogueRequest& request) const {
  CDGATE_RETURN_IF_ERROR(CheckPeer(deps_.store, request.peer()));
  admin::v1::GetPeerCatalogueResponse out;
  const auto told = deps_.exchange.ToldBy(request.peer());
  if (!told) return out;
  *out.mutable_receive_time() = ToProto(told->at);
  out.set_truncated(told->catalogue->truncated());
  for (const auto& offer : told->catalogue->offers()) {
    if (!MayBe(offer.type(), request.type()) || !MayBe(offer.source(), request.source())) continue;
    CatalogueEntry& entry = *out.add_offers();
    entry.set_peer(request.peer());
    entry.set_type(offer.type());
    entry.set_source(offer.source());
    entry.set_plane(offer.plane());
    if (offer.last_given_day() != 0) *entry.mutable_last_given() = DayTime(offer.last_given_day());
  }
  return out;
}

// ---------------------------------------------------------------------- requests

absl::StatusOr<admin::v1::ListAccessRequestsResponse> CatalogueApi::ListRequests(
    const admin::v1::ListAccessRequestsRequest& request) const {
  if (!request.peer().empty()) CDGATE_RETURN_IF_ERROR(CheckPeer(deps_.store, request.peer()));
  admin::v1::ListAccessRequestsResponse out;
  const auto resources = deps_.store.Resources();
  for (const state::ResourcePtr& peer : resources->List(state::kPeerKind)) {
    if (!request.peer().empty() && request.peer() != peer->name) continue;
    for (const char* const kind : {manager::kAccessRequestKind, manager::kOwnAccessRequestKind}) {
      for (AccessRequest& held : manager::AccessRequestsOf(*resources, kind, peer->name)) {
        *out.add_requests() = std::move(held);
      }
    }
  }
  return out;
}

void CatalogueApi::Ask(const rpc::Call& call, const admin::v1::RequestAccessRequest& request,
                       const Reply& reply) {
  if (const absl::Status peer = CheckPeer(deps_.store, request.peer()); !peer.ok()) {
    return reply(peer);
  }
  federation::v1::AccessRequest asked;
  asked.set_id(base::HexEncode(deps_.random.Bytes(kIdRandomBytes)));
  asked.set_type(request.type());
  asked.set_source(request.source());
  asked.set_reason(request.reason());
  if (const absl::Status valid = manager::CheckAccessRequest(asked); !valid.ok()) {
    return reply(valid);
  }
  const auto held = manager::AccessRequestsOf(*deps_.store.Resources(),
                                              manager::kOwnAccessRequestKind, request.peer());
  for (const AccessRequest& other : held) {
    const bool open = other.state() == admin::v1::ACCESS_STATE_PENDING;
    if (open && other.type() == asked.type() && other.source() == asked.source()) {
      return reply(AskedAlready(other));
    }
  }
  if (held.size() >= static_cast<size_t>(link::kMaxAccessRequests)) {
    return reply(TooMany(request.peer()));
  }
  AccessRequest made;
  made.set_id(asked.id());
  made.set_peer(request.peer());
  made.set_direction(admin::v1::ACCESS_DIRECTION_OUTGOING);
  made.set_type(asked.type());
  made.set_source(asked.source());
  made.set_reason(asked.reason());
  made.set_state(admin::v1::ACCESS_STATE_PENDING);
  *made.mutable_create_time() = ToProto(deps_.clock.Now());
  made.set_principal(call.principal.id);
  Commit({.kind = manager::kOwnAccessRequestKind,
          .name = manager::AccessName(made.peer(), made.id()),
          .value = made.SerializeAsString(),
          .expected_version = 0,
          .author = call.principal.id},
         made, reply);
}

void CatalogueApi::Approve(const rpc::Call& call, const admin::v1::ApproveAccessRequest& request,
                           const Reply& reply) {
  auto held = FindRequest(deps_.store, manager::kAccessRequestKind, request.peer(), request.id());
  if (!held.ok()) return reply(held.status());
  if (!manager::IsNamed(deps_.exchange.NamedFor(held->request.peer()), held->request.type(),
                        held->request.source())) {
    return reply(base::MakeError(
        base::Reason::kNoRule,
        absl::StrCat("no export rule for ", held->request.peer(), " names the type ",
                     held->request.type(), held->request.source().empty() ? "" : " and the source ",
                     held->request.source(),
                     " and allows it; plan and apply one, as cdgate access approve does, and "
                     "approve the request then"),
        {{"peer", held->request.peer()}}));
  }
  Answer(call, *held->resource, std::move(held->request), admin::v1::ACCESS_STATE_APPROVED,
         request.answer(), reply);
}

void CatalogueApi::Deny(const rpc::Call& call, const admin::v1::DenyAccessRequest& request,
                        const Reply& reply) {
  auto held = FindRequest(deps_.store, manager::kAccessRequestKind, request.peer(), request.id());
  if (!held.ok()) return reply(held.status());
  if (held->request.state() == admin::v1::ACCESS_STATE_APPROVED) {
    return reply(base::MakeError(
        base::Reason::kAlreadyExists,
        absl::StrCat("the request ", held->request.id(), " was approved, and ",
                     held->request.peer(), " was told; to end the access, change the policy"),
        {{"peer", held->request.peer()}}));
  }
  Answer(call, *held->resource, std::move(held->request), admin::v1::ACCESS_STATE_DENIED,
         request.answer(), reply);
}

void CatalogueApi::Answer(const rpc::Call& call, const state::StoredResource& held,
                          AccessRequest request, admin::v1::AccessState state,
                          const std::string& words, const Reply& reply) {
  if (const absl::Status valid = manager::CheckAnswer(words); !valid.ok()) return reply(valid);
  if (request.state() == state) return reply(request);  // once more
  request.set_state(state);
  request.set_answer(words);
  request.set_principal(call.principal.id);
  *request.mutable_answer_time() = ToProto(deps_.clock.Now());
  Commit({.kind = held.kind,
          .name = held.name,
          .value = request.SerializeAsString(),
          .expected_version = held.version,
          .author = call.principal.id},
         request, reply);
}

void CatalogueApi::Withdraw(const rpc::Call& call, const admin::v1::WithdrawAccessRequest& request,
                            const Reply& reply) {
  const auto held =
      FindRequest(deps_.store, manager::kOwnAccessRequestKind, request.peer(), request.id());
  if (!held.ok()) return reply(held.status());
  Commit({.kind = held->resource->kind,
          .name = held->resource->name,
          .deleted = true,
          .expected_version = held->resource->version,
          .author = call.principal.id},
         held->request, reply);
}

void CatalogueApi::Commit(state::ResourceEdit edit, AccessRequest answer, const Reply& reply) {
  state::Proposal proposal;
  proposal.resources.push_back(std::move(edit));
  const absl::Status queued = deps_.store.Propose(
      std::move(proposal), [reply, answer = std::move(answer)](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        reply(answer);
      });
  if (!queued.ok()) reply(queued);
}

}  // namespace cdgate::api
