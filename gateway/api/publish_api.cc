#include "gateway/api/publish_api.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/api/publish_stream.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/wire_reader.h"
#include "gateway/event/wire_writer.h"
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

using events::v1::PublishResult;

// The same in all three responses, and the epoch in the two that have it.
constexpr uint32_t kResults = events::v1::PublishStreamResponse::kResultsFieldNumber;
static_assert(kResults == events::v1::PublishBatchResponse::kResultsFieldNumber);
static_assert(kResults == events::v1::PublishResponse::kResultFieldNumber);
constexpr uint32_t kEpoch = events::v1::PublishBatchResponse::kEpochFieldNumber;
static_assert(kEpoch == events::v1::PublishResponse::kEpochFieldNumber);

// The answer of a call, as a whole.
grpc::ByteBuffer Response(const std::vector<admission::Result>& results, const base::Epoch& epoch) {
  std::string response;
  for (const admission::Result& result : results) AppendResult(result, &response);
  if (!epoch.value().empty()) event::AppendBytesField(kEpoch, epoch.value(), &response);
  return rpc::ToBytes(std::move(response));
}

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

// As protobuf writes it, without a message for each result.
void AppendResult(const admission::Result& result, std::string* response) {
  const uint64_t sequence = result.sequence.value();
  std::string error;
  if (!result.status.ok()) error = rpc::ToProto(result.status).SerializeAsString();
  const size_t size =
      (sequence == 0 ? 0 : event::VarintFieldSize(PublishResult::kSequenceFieldNumber, sequence)) +
      (result.duplicate ? event::VarintFieldSize(PublishResult::kDuplicateFieldNumber, 1) : 0) +
      (error.empty() ? 0 : event::BytesFieldSize(PublishResult::kErrorFieldNumber, error.size()));
  event::AppendBytesHeader(kResults, size, response);
  if (sequence != 0) {
    event::AppendVarintField(PublishResult::kSequenceFieldNumber, sequence, response);
  }
  if (result.duplicate) event::AppendVarintField(PublishResult::kDuplicateFieldNumber, 1, response);
  if (!error.empty()) event::AppendBytesField(PublishResult::kErrorFieldNumber, error, response);
}

absl::Status PublishApi::Register(rpc::Router& router) {
  const auto on_pool = [this](void (PublishApi::*work)(const rpc::CallPtr&, const grpc::ByteBuffer&,
                                                       const rpc::Reply<grpc::ByteBuffer>&)) {
    return [this, work](rpc::CallPtr call, grpc::ByteBuffer request,
                        rpc::Reply<grpc::ByteBuffer> reply) {
      const bool taken =
          deps_.pool.TryPost([this, work, call = std::move(call), request = std::move(request),
                              reply] { (this->*work)(call, request, reply); });
      if (!taken) reply(Overloaded());
    };
  };
  CDGATE_RETURN_IF_ERROR(
      router.Register(rpc::Guarded::UnaryBytes(kPublish, on_pool(&PublishApi::Publish))));
  CDGATE_RETURN_IF_ERROR(
      router.Register(rpc::Guarded::UnaryBytes(kPublishBatch, on_pool(&PublishApi::PublishBatch))));
  return router.Register(rpc::Guarded::Bidi(kPublishStream, [this](rpc::ServerStreamPtr stream) {
    PublishStream::Run(std::move(stream), deps_);
  }));
}

void PublishApi::Publish(const rpc::CallPtr& call, const grpc::ByteBuffer& request,
                         const rpc::Reply<grpc::ByteBuffer>& reply) {
  const rpc::FlatBytes bytes(request);
  const auto events = ReadEvents(bytes.view());
  if (!events.ok()) return reply(events.status());
  if (absl::Status counted = CheckCount(events->size(), 1); !counted.ok()) return reply(counted);
  const absl::Status rate = deps_.rates.TakeEvents(call->principal, 1);
  if (!rate.ok()) return reply(rate);
  deps_.admission.Publish(call->principal, *events,
                          [this, reply](std::vector<admission::Result> results) {
                            if (!results[0].status.ok()) return reply(results[0].status);
                            reply(Response(results, deps_.store.head().epoch));
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
  const absl::Status rate = deps_.rates.TakeEvents(call->principal, events->size());
  if (!rate.ok()) return reply(rate);
  deps_.admission.Publish(call->principal, *events,
                          [this, reply](std::vector<admission::Result> results) {
                            reply(Response(results, deps_.store.head().epoch));
                          });
}

}  // namespace cdgate::api
