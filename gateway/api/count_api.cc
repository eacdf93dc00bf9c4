#include "gateway/api/count_api.h"

#include <string>
#include <utility>

#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/event/digests.h"

namespace cdgate::api {
namespace {

using admin::v1::CountOriginRequest;
using admin::v1::CountOriginResponse;

manager::CountAsk AskOf(const CountOriginRequest& request) {
  manager::CountAsk ask{.origin = request.origin(), .through = request.through()};
  if (request.has_from_time()) ask.from = FromProto(request.from_time());
  if (request.has_until_time()) ask.until = FromProto(request.until_time());
  return ask;
}

CountOriginResponse ResponseOf(const manager::CountReport& report) {
  CountOriginResponse out;
  out.set_origin(report.origin);
  out.set_through(report.through);
  *out.mutable_from_time() = ToProto(report.from);
  *out.mutable_until_time() = ToProto(report.until);
  out.set_unanswered(report.unanswered);
  if (!report.unanswered.empty()) return out;
  *out.mutable_sign_time() = ToProto(report.sign_time);
  out.set_count(report.count);
  out.set_held(report.here.held);
  out.set_refused(report.here.refused);
  out.set_missing(report.here.missing.size());
  out.set_uncounted(report.here.uncounted);
  for (const attestation::Digest& commitment : report.here.missing) {
    if (static_cast<size_t>(out.missing_commitments_size()) == kMaxMissingShown) break;
    out.add_missing_commitments(base::HexEncode(event::AsBytes(commitment)));
  }
  return out;
}

}  // namespace

absl::Status CountApi::Register(rpc::Router& router) {
  return router.Register(OnPoolAsync<CountOriginRequest, CountOriginResponse>(
      "/cdgate.admin.v1.CountService/CountOrigin", pool_,
      [this](const rpc::Call&, const CountOriginRequest& request,
             const rpc::Reply<CountOriginResponse>& reply) {
        exchange_.Ask(AskOf(request), [reply](absl::StatusOr<manager::CountReport> report) {
          if (!report.ok()) return reply(report.status());
          reply(ResponseOf(*report));
        });
      }));
}

}  // namespace cdgate::api
