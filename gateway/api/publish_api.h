// Publishing over gRPC: one event, several, or a stream of them.
//
// An event's bytes reach admission as they came: requests are not parsed further. The events of one
// stream are admitted in their order; results go back in that order, as many in one message as are
// ready.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/admission/admission.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/timer_queue.h"
#include "gateway/rpc/principal_rates.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// One call of PublishBatch, or one message of PublishStream, has at most so many events.
inline constexpr size_t kMaxBatchEvents = 10'000;

// A stream has at most so many messages being admitted or committed; beyond, it is not
// read, and the client's own flow control holds it.
inline constexpr size_t kMaxStreamMessages = 32;

// All outlive it.
struct PublishApiDeps {
  admission::Admission& admission;
  const state::Store& store;
  base::Executor& pool;
  // How many events one principal may publish: beyond, a call is refused with RATE_EXCEEDED, and a
  // stream is read more slowly.
  rpc::PrincipalRates& rates;
  const base::Clock& clock;
  base::TimerQueue& timers;
};

// Thread-safe; outlives the router's server.
class PublishApi {
 public:
  explicit PublishApi(PublishApiDeps deps) : deps_(deps) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  void Publish(const rpc::CallPtr& call, const grpc::ByteBuffer& request,
               const rpc::Reply<grpc::ByteBuffer>& reply);
  void PublishBatch(const rpc::CallPtr& call, const grpc::ByteBuffer& request,
                    const rpc::Reply<grpc::ByteBuffer>& reply);

  const PublishApiDeps deps_;
};

// The events of a serialised PublishBatchRequest, PublishRequest or PublishStreamRequest,
// which are alike on the wire: views into `request`. PROTOCOL_ERROR where it is none.
absl::StatusOr<std::vector<absl::string_view>> ReadEvents(absl::string_view request);

// Appends a result to a serialised PublishBatchResponse, PublishResponse or
// PublishStreamResponse, which are alike on the wire.
void AppendResult(const admission::Result& result, std::string* response);

}  // namespace cdgate::api
