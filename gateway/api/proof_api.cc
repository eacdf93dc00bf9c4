#include "gateway/api/proof_api.h"

#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "cdgate/events/v1/events.pb.h"
#include "federation/attestation/event_file.h"
#include "federation/session/statement_source.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/shown_event.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/read_scope.h"

namespace cdgate::api {
namespace {

using federation::v1::EventFile;

constexpr char kGet[] = "/cdgate.events.v1.ProofService/GetEventProof";

events::v1::GetEventRequest KeyOf(const events::v1::GetEventProofRequest& request) {
  events::v1::GetEventRequest key;
  if (request.has_sequence()) key.set_sequence(request.sequence());
  if (request.has_id()) key.set_id(request.id());
  key.set_source(request.source());
  key.set_origin(request.origin());
  return key;
}

}  // namespace

absl::Status ProofApi::Register(rpc::Router& router) {
  using namespace events::v1;  // request and response names, here only
  return router.Register(OnPool<GetEventProofRequest, GetEventProofResponse>(
      kGet, pool_,
      [this](const rpc::Call& call, const auto& request) { return Get(call, request); }));
}

absl::StatusOr<events::v1::GetEventProofResponse> ProofApi::Get(
    const rpc::Call& call, const events::v1::GetEventProofRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(delivery::ReadScope scope,
                          delivery::ReadScope::Make(*grants_.Current(), call.principal, ""));
  CDGATE_ASSIGN_OR_RETURN(const EventQuery query, QueryOf(KeyOf(request)));
  CDGATE_ASSIGN_OR_RETURN(const state::EventRef ref, FindCovered(store_, query, scope));
  events::v1::GetEventProofResponse response;
  EventFile& file = *response.mutable_file();
  file.set_version(attestation::kEventFileVersion);
  file.set_receiver(domain_);
  *file.mutable_event() = ShownEvent(ref.record->stored());
  SetStatements(ref, &file);
  AddAttestors(&file);
  return response;
}

void ProofApi::SetStatements(const state::EventRef& ref, EventFile* file) const {
  session::StatementSource source(domain_, sign_origin_);
  source.SetCommit(*ref.commit);
  const absl::Span<const std::string> found = source.Of(*ref.record);
  std::vector<std::string> all(found.begin(), found.end());
  const event::StoredView& stored = ref.record->stored();
  if (!stored.received_from().empty() && !all.empty()) {
    file->set_sender_statement(all.back());
    all.pop_back();
  } else if (all.empty()) {
    stored.ForEachStatement([&](absl::string_view one) { all.emplace_back(one); });
  }
  for (std::string& statement : all) file->mutable_event()->add_statements(std::move(statement));
}

void ProofApi::AddAttestors(EventFile* file) const {
  std::set<std::string> key_ids;
  const auto add = [&](const std::string& bytes) {
    federation::v1::Statement statement;
    if (statement.ParseFromString(bytes)) key_ids.insert(statement.key_id());
  };
  for (const std::string& statement : file->event().statements()) add(statement);
  add(file->sender_statement());
  for (const std::string& key_id : key_ids) {
    const auto chain = attestors_.ChainOf(key_id);
    if (!chain) continue;
    std::string pem;
    for (const std::string& der : chain->certificates()) {
      const auto certificate = crypto::Certificate::FromDer(der);
      if (certificate.ok()) pem += certificate->ToPem();
    }
    file->add_attestors(std::move(pem));
  }
}

}  // namespace cdgate::api
