#include "gateway/api/attestor_api.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

using admin::v1::AttestorStatus;
using session::AttestorFacts;

constexpr char kList[] = "/cdgate.admin.v1.TrustService/ListAttestors";
constexpr char kGet[] = "/cdgate.admin.v1.TrustService/GetAttestor";
constexpr size_t kLeastDigits = 8;
constexpr size_t kAllDigits = 64;

admin::v1::AttestorState StateOf(const AttestorFacts& facts, absl::Time now) {
  if (!facts.state.ok()) return admin::v1::ATTESTOR_STATE_REFUSED;
  if (now < facts.not_before) return admin::v1::ATTESTOR_STATE_EARLY;
  return now > facts.not_after ? admin::v1::ATTESTOR_STATE_ENDED : admin::v1::ATTESTOR_STATE_VALID;
}

AttestorStatus StatusOf(const AttestorFacts& facts, absl::Time now) {
  AttestorStatus out;
  out.set_key_id(base::HexEncode(facts.key_id));
  out.set_domain(facts.domain);
  out.set_spiffe_id(facts.id);
  out.set_serial(facts.serial);
  *out.mutable_start_time() = ToProto(facts.not_before);
  *out.mutable_expire_time() = ToProto(facts.not_after);
  *out.mutable_first_seen_time() = ToProto(facts.first_seen);
  out.set_received_from(facts.received_from);
  out.set_own(facts.own);
  out.set_state(StateOf(facts, now));
  if (facts.state.ok()) return out;
  const auto reason = base::ReasonOf(facts.state).value_or(base::Reason::kInternal);
  out.set_reason(std::string(base::ReasonText(reason)));
  out.set_message(std::string(facts.state.message()));
  return out;
}

// As the registry pages.
std::string PlaceOf(const AttestorStatus& attestor) {
  return absl::StrCat(attestor.domain(), " ", attestor.key_id());
}

absl::StatusOr<std::string> DigitsOf(absl::string_view key_id) {
  const std::string hex =
      absl::AsciiStrToLower(absl::StrReplaceAll(key_id, {{":", ""}, {" ", ""}}));
  if (hex.size() >= kLeastDigits && hex.size() <= kAllDigits &&
      hex.find_first_not_of("0123456789abcdef") == std::string::npos) {
    return hex;
  }
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("key_id: \"", base::Shorten(key_id),
                                      "\" is not a key id: it has 8 to 64 hexadecimal digits; "
                                      "cdgate attestor list shows them"),
                         {{"field", "key_id"}});
}

}  // namespace

absl::Status AttestorApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListAttestorsRequest, ListAttestorsResponse>(
      kList, pool_, [this](const rpc::Call&, const auto& request) { return List(request); })));
  return router.Register(OnPool<GetAttestorRequest, GetAttestorResponse>(
      kGet, pool_, [this](const rpc::Call&, const auto& request) { return Get(request); }));
}

absl::StatusOr<admin::v1::ListAttestorsResponse> AttestorApi::List(
    const admin::v1::ListAttestorsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  const absl::Time now = clock_.Now();
  admin::v1::ListAttestorsResponse response;
  for (const AttestorFacts& facts : registry_.List(after, size)) {
    *response.add_attestors() = StatusOf(facts, now);
  }
  if (static_cast<size_t>(response.attestors_size()) == size) {
    response.set_next_page_token(MakePageToken(kList, PlaceOf(*response.attestors().rbegin())));
  }
  return response;
}

absl::StatusOr<admin::v1::GetAttestorResponse> AttestorApi::Get(
    const admin::v1::GetAttestorRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const std::string digits, DigitsOf(request.key_id()));
  const std::vector<AttestorFacts> found = registry_.FindByPrefix(digits);
  if (found.empty()) {
    return base::MakeError(base::Reason::kNotFound,
                           absl::StrCat("no attestor's key id begins with ", digits,
                                        "; cdgate attestor list shows them"),
                           {{"keyId", digits}});
  }
  if (found.size() > 1) {
    return base::MakeError(
        base::Reason::kAmbiguousId,
        absl::StrCat(found.size(), " key ids begin with ", digits, ": give more digits"),
        {{"keyId", digits}});
  }
  admin::v1::GetAttestorResponse response;
  *response.mutable_attestor() = StatusOf(found.front(), clock_.Now());
  response.mutable_attestor()->set_chain_pem(found.front().chain_pem);
  return response;
}

}  // namespace cdgate::api
