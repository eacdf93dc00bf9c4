#include "gateway/api/trust_api.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/trust_messages.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/resources.h"

namespace cdgate::api {
namespace {

constexpr char kListTrust[] = "/cdgate.admin.v1.TrustService/ListTrust";
constexpr char kAdd[] = "/cdgate.admin.v1.TrustService/AddDenial";
constexpr char kDelete[] = "/cdgate.admin.v1.TrustService/DeleteDenial";
constexpr char kList[] = "/cdgate.admin.v1.TrustService/ListDenials";
constexpr size_t kMaxNameBytes = 63;
constexpr size_t kMaxReasonBytes = 1024;

absl::Status Invalid(absl::string_view field, absl::string_view fault) {
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("denial: ", field, " ", fault),
                         {{"field", std::string(field)}});
}

bool ValidName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
         });
}

std::string PlainHex(absl::string_view text) {
  return absl::AsciiStrToLower(absl::StrReplaceAll(text, {{":", ""}, {" ", ""}}));
}

// As crypto::Certificate::serial(): whole bytes, none of them zero at the front.
std::string PlainSerial(absl::string_view text) {
  std::string hex = PlainHex(text);
  if (hex.size() % 2 == 1) hex.insert(0, "0");
  size_t zeros = 0;
  while (zeros + 2 < hex.size() && hex.compare(zeros, 2, "00") == 0) zeros += 2;
  return hex.substr(zeros);
}

absl::StatusOr<admin::v1::DomainTrust> TrustOf(const trust::TrustSnapshot& trust,
                                               const std::string& domain,
                                               const state::ResourcePtr& besides) {
  const crypto::TrustStore& store = *trust.Find(domain);
  admin::v1::DomainTrust out;
  out.set_domain(domain);
  out.set_bundle_pem(crypto::ToPem(store.roots()));
  CDGATE_ASSIGN_OR_RETURN(const std::string digest, trust::BundleDigest(out.bundle_pem()));
  out.set_fingerprint(base::Fingerprint(digest));
  std::set<std::string> current;
  for (const crypto::Certificate& root : store.roots()) {
    current.insert(root.FingerprintSha256());
    *out.add_roots() = AuthorityOf(root);
  }
  for (const crypto::Certificate& root : trust.FindForEstablished(domain)->roots()) {
    if (!current.contains(root.FingerprintSha256())) *out.add_retired() = AuthorityOf(root);
  }
  for (const crypto::RevocationList& list : store.crls()) {
    *out.add_revocation_lists() = ListStatusOf(list, store.crl_grace());
  }
  storage::v1::PeerTrust held;
  if (besides != nullptr && held.ParseFromString(besides->value) && !held.set_by().empty()) {
    out.set_set_by(held.set_by());
    *out.mutable_set_time() = ToProto(absl::FromUnixNanos(held.set_time_nanos()));
  }
  return out;
}

}  // namespace

absl::StatusOr<trust::Denial> DenialOf(const admin::v1::Denial& denial) {
  using trust::DenialKind;
  trust::Denial out{.name = denial.name(), .subject = {}, .why = denial.reason()};
  switch (denial.subject_case()) {
    case admin::v1::Denial::kPrincipal:
      out.kind = DenialKind::kPrincipal;
      out.subject = denial.principal();
      return out;
    case admin::v1::Denial::kDomain:
      out.kind = DenialKind::kDomain;
      out.subject = denial.domain();
      return out;
    case admin::v1::Denial::kSerial:
      out.kind = DenialKind::kSerial;
      out.subject =
          absl::StrCat(denial.serial().domain(), "/", PlainSerial(denial.serial().serial()));
      return out;
    case admin::v1::Denial::kAuthority:
      out.kind = DenialKind::kAuthority;
      out.subject = PlainHex(denial.authority());
      return out;
    case admin::v1::Denial::SUBJECT_NOT_SET: break;
  }
  return Invalid("subject", "is missing: a principal, a domain, a serial or an authority");
}

absl::Status TrustApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  base::Executor& pool = deps_.pool;
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListTrustRequest, ListTrustResponse>(
      kListTrust, pool, [this](const rpc::Call&, const auto&) { return ListTrust(); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<AddDenialRequest, AddDenialResponse>(
      kAdd, pool, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Add(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<DeleteDenialRequest, DeleteDenialResponse>(
      kDelete, pool, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Delete(call, request, reply);
      })));
  return router.Register(OnPool<ListDenialsRequest, ListDenialsResponse>(
      kList, pool, [this](const rpc::Call&, const auto& request) { return List(request); }));
}

absl::StatusOr<admin::v1::ListTrustResponse> TrustApi::ListTrust() const {
  const auto trust = deps_.trust.Current();
  const auto resources = deps_.store.Resources();
  admin::v1::ListTrustResponse response;
  if (trust->Find(deps_.domain) != nullptr) {
    CDGATE_ASSIGN_OR_RETURN(*response.add_domains(), TrustOf(*trust, deps_.domain, nullptr));
    response.mutable_domains(0)->set_own(true);
  }
  for (const auto& [domain, store] : trust->stores()) {
    if (domain == deps_.domain) continue;
    CDGATE_ASSIGN_OR_RETURN(
        *response.add_domains(),
        TrustOf(*trust, domain, resources->Find(state::kPeerTrustKind, domain)));
  }
  const auto origins = deps_.origins.Current();
  for (const auto& [domain, store] : origins->stores()) {
    if (trust->Find(domain) != nullptr) continue;
    CDGATE_ASSIGN_OR_RETURN(
        *response.add_domains(),
        TrustOf(*origins, domain, resources->Find(state::kPeerTrustKind, domain)));
    response.mutable_domains(response.domains_size() - 1)->set_statements_only(true);
  }
  return response;
}

absl::StatusOr<admin::v1::Denial> TrustApi::NewDenial(const rpc::Call& call,
                                                      const admin::v1::Denial& asked) const {
  if (!ValidName(asked.name())) {
    return Invalid("name", "has 1 to 63 characters of a-z 0-9 and '-'");
  }
  if (asked.reason().size() > kMaxReasonBytes) return Invalid("reason", "is above 1,024 bytes");
  CDGATE_ASSIGN_OR_RETURN(const trust::Denial denial, DenialOf(asked));
  CDGATE_RETURN_IF_ERROR(trust::CheckDenial(denial));
  if (denial.kind == trust::DenialKind::kDomain && denial.subject == deps_.domain) {
    return Invalid("domain", "is our own: nobody could end it; deny principals or an authority");
  }
  if (denial.kind == trust::DenialKind::kPrincipal && denial.subject == call.principal.id) {
    return Invalid("principal", "is whoever asks: have another operator do it");
  }
  admin::v1::Denial made = asked;
  *made.mutable_create_time() = ToProto(deps_.clock.Now());
  made.set_author(call.principal.id);
  return made;
}

void TrustApi::Add(const rpc::Call& call, const admin::v1::AddDenialRequest& request,
                   const rpc::Reply<admin::v1::AddDenialResponse>& reply) {
  auto denial = NewDenial(call, request.denial());
  if (!denial.ok()) return reply(denial.status());
  admin::v1::AddDenialResponse response;
  *response.mutable_denial() = *denial;
  state::Proposal proposal;
  proposal.resources.push_back({.kind = state::kDenialKind,
                                .name = denial->name(),
                                .value = denial->SerializeAsString(),
                                .expected_version = 0,
                                .author = call.principal.id});
  const absl::Status queued = deps_.store.Propose(
      std::move(proposal), [this, reply, response](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        deps_.applied();
        reply(response);
      });
  if (!queued.ok()) reply(queued);
}

void TrustApi::Delete(const rpc::Call& call, const admin::v1::DeleteDenialRequest& request,
                      const rpc::Reply<admin::v1::DeleteDenialResponse>& reply) {
  const auto stored = deps_.store.Resources()->Find(state::kDenialKind, request.name());
  if (stored == nullptr) {
    return reply(base::MakeError(base::Reason::kNotFound,
                                 absl::StrCat("no denial is named ", base::Shorten(request.name()),
                                              "; cdgate deny list shows them"),
                                 {{"name", request.name()}}));
  }
  state::Proposal proposal;
  proposal.resources.push_back({.kind = state::kDenialKind,
                                .name = request.name(),
                                .deleted = true,
                                .expected_version = stored->version,
                                .author = call.principal.id});
  deps_.gate.Admit(
      call, {absl::StrCat("denial ", request.name(), ": whom it denied may connect again")},
      std::move(proposal), [this, reply](absl::StatusOr<state::Proposal> admitted) {
        if (!admitted.ok()) return reply(admitted.status());
        const absl::Status queued =
            deps_.store.Propose(*std::move(admitted), [this, reply](const state::Outcome& outcome) {
              if (!outcome.status.ok()) return reply(outcome.status);
              deps_.applied();
              reply(admin::v1::DeleteDenialResponse());
            });
        if (!queued.ok()) reply(queued);
      });
}

absl::StatusOr<admin::v1::ListDenialsResponse> TrustApi::List(
    const admin::v1::ListDenialsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  admin::v1::ListDenialsResponse response;
  for (const auto& resource : deps_.store.Resources()->List(state::kDenialKind, after, size)) {
    CDGATE_ASSIGN_OR_RETURN(*response.add_denials(), resource->As<admin::v1::Denial>());
  }
  if (static_cast<size_t>(response.denials_size()) == size) {
    response.set_next_page_token(MakePageToken(kList, response.denials().rbegin()->name()));
  }
  return response;
}

}  // namespace cdgate::api
