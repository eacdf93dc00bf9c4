#include "gateway/api/publish_api.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/api/publish_stream.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/wire_reader.h"
#include "gateway/rpc/bytes.h"
#include "gateway/rpc/status.h"

namespace cdgate::api {
namespace {

constexpr char kPublish[] = "/cdgate.events.v1.EventsService/Publish";
constexpr char kPublishBatch[] = "/cdgate.events.v1.EventsService/PublishBatch";
constexpr char kPublishStream[] = "/cdgate.events.v1.EventsService/PublishStream";

// The same in all three requests, which differ in nothing else.
constexpr uint32_t kEvents = events::v1::PublishStreamRequest::kEventsFieldNumber;
static_assert(kEvents == events::v1::PublishBatchRequest::kEventsFieldNumber);
static_assert(kEvents == events::v1::PublishRequest::kEventFieldNumber);

absl::Status CheckCount(size_t events, size_t most) {
  if (events >= 1 && events <= most) return absl::OkStatus();
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("the request has ", events, " events; send 1 to ", most),
                         {{"field", "events"}});
}

}  // namespace

absl::StatusOr<std::vector<absl::string_view>> ReadEvents(absl::string_view request) {
  std::vector<absl::string_view> events;
  event::WireReader reader(request);
  while (reader.Next()) {
    if (reader.field() == kEvents && reader.is_bytes()) events.push_back(reader.bytes());
  }
  if (reader.ok()) return events;
  return base::MakeError(base::Reason::kProtocolError, "the message is no publish request");
}

events::v1::PublishResult ToProto(const admission::Result& result) {
  events::v1::PublishResult out;
  out.set_sequence(result.sequence.value());
  out.set_duplicate(result.duplicate);
  if (!result.status.ok()) *out.mutable_error() = rpc::ToProto(result.status);
  return out;
}

absl::Status PublishApi::Register(rpc::Router& router) {
  const auto on_pool = [this](void (PublishApi::*work)(const rpc::CallPtr&, const grpc::ByteBuffer&,
                                                       const rpc::Reply<grpc::ByteBuffer>&)) {
    return [this, work](rpc::CallPtr call, grpc::ByteBuffer request,
                        rpc::Reply<grpc::ByteBuffer> reply) {
      const bool taken =
          pool_.TryPost([this, work, call = std::move(call), request = std::move(request), reply] {
            (this->*work)(call, request, reply);
          });
      if (!taken) reply(Overloaded());
    };
  };
  CDGATE_RETURN_IF_ERROR(
      router.Register(rpc::Guarded::UnaryBytes(kPublish, on_pool(&PublishApi::Publish))));
  CDGATE_RETURN_IF_ERROR(
      router.Register(rpc::Guarded::UnaryBytes(kPublishBatch, on_pool(&PublishApi::PublishBatch))));
  return router.Register(rpc::Guarded::Bidi(kPublishStream, [this](rpc::ServerStreamPtr stream) {
    PublishStream::Run(std::move(stream), admission_, pool_);
  }));
}

void PublishApi::Publish(const rpc::CallPtr& call, const grpc::ByteBuffer& request,
                         const rpc::Reply<grpc::ByteBuffer>& reply) {
  const rpc::FlatBytes bytes(request);
  const auto events = ReadEvents(bytes.view());
  if (!events.ok()) return reply(events.status());
  if (absl::Status counted = CheckCount(events->size(), 1); !counted.ok()) return reply(counted);
  admission_.Publish(call->principal, *events,
                     [this, reply](std::vector<admission::Result> results) {
                       if (!results[0].status.ok()) return reply(results[0].status);
                       events::v1::PublishResponse response;
                       *response.mutable_result() = ToProto(results[0]);
                       response.set_epoch(store_.head().epoch.value());
                       reply(rpc::Serialise(response));
                     });
}

void PublishApi::PublishBatch(const rpc::CallPtr& call, const grpc::ByteBuffer& request,
                              const rpc::Reply<grpc::ByteBuffer>& reply) {
  const rpc::FlatBytes bytes(request);
  const auto events = ReadEvents(bytes.view());
  if (!events.ok()) return reply(events.status());
  if (absl::Status counted = CheckCount(events->size(), kMaxBatchEvents); !counted.ok()) {
    return reply(counted);
  }
  admission_.Publish(call->principal, *events,
                     [this, reply](std::vector<admission::Result> results) {
                       events::v1::PublishBatchResponse response;
                       for (const auto& result : results) *response.add_results() = ToProto(result);
                       response.set_epoch(store_.head().epoch.value());
                       reply(rpc::Serialise(response));
                     });
}

}  // namespace cdgate::api
