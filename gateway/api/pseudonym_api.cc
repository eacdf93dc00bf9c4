#include "gateway/api/pseudonym_api.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::api {
namespace {

constexpr char kRotate[] = "/cdgate.admin.v1.AdminService/RotatePseudonyms";

}  // namespace

absl::Status PseudonymApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  return router.Register(OnPoolAsync<RotatePseudonymsRequest, RotatePseudonymsResponse>(
      kRotate, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Rotate(call, request, reply);
      }));
}

void PseudonymApi::Rotate(const rpc::Call& call, const admin::v1::RotatePseudonymsRequest& request,
                          const rpc::Reply<admin::v1::RotatePseudonymsResponse>& reply) {
  const state::ResourceSnapshotPtr resources = store_.Resources();
  if (resources->Find(state::kPeerKind, request.peer()) == nullptr) {
    return reply(
        base::MakeError(base::Reason::kNoAgreement,
                        absl::StrCat("there is no agreement with ", base::Shorten(request.peer()),
                                     "; cdgate peer list shows the peers"),
                        {{"peer", request.peer()}}));
  }
  uint32_t version = 0;
  absl::StatusOr<state::ResourceEdit> edit =
      keeper_.Rotate(*resources, request.peer(), call.principal.id, &version);
  if (!edit.ok()) return reply(edit.status());
  state::Proposal proposal;
  proposal.resources.push_back(*std::move(edit));
  const absl::Status queued =
      store_.Propose(std::move(proposal), [reply, version](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        admin::v1::RotatePseudonymsResponse response;
        response.set_version(version);
        response.set_effective_sequence(outcome.effective_sequence.value());
        reply(response);
      });
  if (!queued.ok()) reply(queued);
}

}  // namespace cdgate::api
