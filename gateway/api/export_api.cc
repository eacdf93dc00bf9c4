#include "gateway/api/export_api.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/session/export_stop.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

using admin::v1::ExportSwitch;

constexpr size_t kMostReasonBytes = 500;

std::string Method(absl::string_view name) {
  return absl::StrCat("/cdgate.admin.v1.AgreementService/", name);
}

// Of the switch as it is to be, over the version that was looked at.
state::Proposal Turn(const state::ResourceSnapshot& resources, const ExportSwitch& to,
                     const std::string& author) {
  const state::ResourcePtr before = resources.Find(session::kExportsKind, session::kAllExports);
  state::Proposal proposal;
  proposal.resources.push_back({.kind = session::kExportsKind,
                                .name = session::kAllExports,
                                .value = to.SerializeAsString(),
                                .expected_version = before == nullptr ? 0 : before->version,
                                .author = author});
  return proposal;
}

}  // namespace

absl::StatusOr<ExportSwitch> ExportSwitchOf(const state::ResourceSnapshot& resources) {
  const state::ResourcePtr stored = resources.Find(session::kExportsKind, session::kAllExports);
  if (stored == nullptr) return ExportSwitch();
  CDGATE_ASSIGN_OR_RETURN(ExportSwitch exports, stored->As<ExportSwitch>());
  exports.set_changed_by(stored->author);
  *exports.mutable_change_time() = ToProto(stored->commit_time);
  return exports;
}

absl::Status ExportApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetExportsRequest, ExportSwitch>(
      Method("GetExports"), deps_.pool, [this](const rpc::Call&, const auto&) { return Get(); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<StopExportsRequest, ExportSwitch>(
      Method("StopExports"), deps_.pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Stop(call, request, reply);
      })));
  return router.Register(OnPoolAsync<ResumeExportsRequest, ExportSwitch>(
      Method("ResumeExports"), deps_.pool,
      [this](const rpc::Call& call, const auto&, const auto& reply) { Resume(call, reply); }));
}

absl::StatusOr<ExportSwitch> ExportApi::Get() const {
  CDGATE_ASSIGN_OR_RETURN(ExportSwitch exports, ExportSwitchOf(*deps_.store.Resources()));
  exports.set_started_frozen(deps_.started_frozen());
  return exports;
}

void ExportApi::Propose(state::Proposal proposal, std::function<void()> then,
                        const rpc::Reply<ExportSwitch>& reply) {
  const absl::Status queued = deps_.store.Propose(
      std::move(proposal), [this, then = std::move(then), reply](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        if (then) then();
        reply(Get());
      });
  if (!queued.ok()) reply(queued);
}

void ExportApi::Stop(const rpc::Call& call, const admin::v1::StopExportsRequest& request,
                     const rpc::Reply<ExportSwitch>& reply) {
  if (request.reason().size() > kMostReasonBytes) {
    return reply(base::MakeError(base::Reason::kInvalidArgument,
                                 absl::StrCat("reason: has ", request.reason().size(),
                                              " bytes, the most are ", kMostReasonBytes)));
  }
  const auto resources = deps_.store.Resources();
  const auto now = ExportSwitchOf(*resources);
  if (now.ok() && now->stopped()) return reply(Get());
  ExportSwitch stopped;
  stopped.set_stopped(true);
  stopped.set_reason(request.reason());
  Propose(Turn(*resources, stopped, call.principal.id), nullptr, reply);
}

void ExportApi::Resume(const rpc::Call& call, const rpc::Reply<ExportSwitch>& reply) {
  const auto resources = deps_.store.Resources();
  const auto now = ExportSwitchOf(*resources);
  const bool stopped = !now.ok() || now->stopped();
  const bool frozen = deps_.started_frozen();
  if (!stopped && !frozen) return reply(Get());
  WideningGate::Reasons reasons;
  if (stopped) reasons.push_back("stopped: what was held back while exports were stopped crosses");
  if (frozen) reasons.push_back("started_frozen: links are made, and events cross either way");
  // Also where only the run is frozen: then the history says who ended that.
  deps_.gate.Admit(call, reasons, Turn(*resources, ExportSwitch(), call.principal.id),
                   [this, reply](absl::StatusOr<state::Proposal> admitted) {
                     if (!admitted.ok()) return reply(admitted.status());
                     Propose(*std::move(admitted), deps_.unfreeze, reply);
                   });
}

}  // namespace cdgate::api
