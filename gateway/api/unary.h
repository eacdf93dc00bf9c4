// How most methods are served: the call's work runs on an executor, because it may read
// the disk, and its result is the answer.
//
//   router.Register(api::OnPool<GetPolicyRequest, PolicyVersion>(
//       "/cdgate.admin.v1.AdminService/GetPolicy", pool,
//       [this](const rpc::Call& call, const GetPolicyRequest& request) { return Get(request); }));
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/errors.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/guarded.h"

namespace cdgate::api {

// The answer when the executor takes no more work.
inline absl::Status Overloaded() {
  return base::MakeError(base::Reason::kOverloaded,
                         "the gateway has more calls waiting than it accepts; try again");
}

// A method whose work may block and returns its answer. `pool` outlives the router.
template <typename Request, typename Response>
rpc::Guarded OnPool(
    absl::string_view method, base::Executor& pool,
    std::function<absl::StatusOr<Response>(const rpc::Call&, const Request&)> work) {
  return rpc::Guarded::Unary<Request, Response>(
      method, [&pool, work = std::move(work)](rpc::CallPtr call, Request request,
                                              rpc::Reply<Response> reply) {
        const bool taken = pool.TryPost([work, call = std::move(call), request = std::move(request),
                                         reply] { reply(work(*call, request)); });
        if (!taken) reply(Overloaded());
      });
}

// A method whose work may block and answers later, by its reply.
template <typename Request, typename Response>
rpc::Guarded OnPoolAsync(
    absl::string_view method, base::Executor& pool,
    std::function<void(const rpc::Call&, const Request&, rpc::Reply<Response>)> work) {
  return rpc::Guarded::Unary<Request, Response>(
      method, [&pool, work = std::move(work)](rpc::CallPtr call, Request request,
                                              rpc::Reply<Response> reply) {
        const bool taken = pool.TryPost([work, call = std::move(call), request = std::move(request),
                                         reply] { work(*call, request, reply); });
        if (!taken) reply(Overloaded());
      });
}

}  // namespace cdgate::api
