// How a method gets a handler: Guarded, the only thing a Router takes.
//
//   router.Register(rpc::Guarded::Unary<GetEventRequest, DeliveredEvent>(
//       "/cdgate.events.v1.EventsService/GetEvent",
//       [this](rpc::CallPtr call, GetEventRequest request, rpc::Reply<DeliveredEvent> reply) {
//         pool_.Post([=] { reply(Find(request)); });
//       }));
//   router.Register(rpc::Guarded::Bidi("/cdgate.federation.v1.FederationService/Link",
//       [this](rpc::ServerStreamPtr stream) { sessions_.Accept(std::move(stream)); }));
//
// Before a handler runs, this call's principal is resolved (certificate, token or Unix
// socket), the method table and the grants are asked, what its request names is held against
// the principal's scope, and a refused call ends with full ErrorInfo: a handler never sees a
// call that may not be made. Handlers run on gRPC's threads and
// must not block.
//
// A Reply is called once, from any thread, at any time; later calls do nothing. A Reply
// that is dropped without being called ends the call with INTERNAL. The caller may have
// gone meanwhile: then the answer is dropped.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/rpc/bytes.h"
#include "gateway/rpc/call.h"
#include "gateway/rpc/request_peers.h"

namespace cdgate::rpc {

template <typename Response>
using Reply = std::function<void(absl::StatusOr<Response>)>;

template <typename Request, typename Response>
using UnaryHandler = std::function<void(CallPtr, Request, Reply<Response>)>;
template <typename Request>
using ServerStreamHandler = std::function<void(ServerStreamPtr, Request)>;
using BidiHandler = std::function<void(ServerStreamPtr)>;

class Guarded {
 public:
  // What a method does with its first message, or with its stream.
  struct OnFirst {
    // Takes a unary call's whole request and answers with the serialised response.
    std::function<void(CallPtr, grpc::ByteBuffer, Reply<grpc::ByteBuffer>)> unary;
    // Takes the only request of a server stream. Not OK: the call ends so.
    std::function<absl::Status(ServerStreamPtr, grpc::ByteBuffer)> server_stream;
    // Takes the stream before any message.
    BidiHandler bidi;
  };

  // One request, one response. A request that does not parse ends the call with
  // PROTOCOL_ERROR before the handler runs.
  template <typename Request, typename Response>
  static Guarded Unary(absl::string_view method, UnaryHandler<Request, Response> handler);
  // The same over bytes, for methods that pass messages through.
  static Guarded UnaryBytes(absl::string_view method,
                            UnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer> handler);
  // One request, many responses: the handler Start()s the stream and sends.
  template <typename Request>
  static Guarded ServerStreaming(absl::string_view method, ServerStreamHandler<Request> handler);
  static Guarded ServerStreamingBytes(absl::string_view method,
                                      ServerStreamHandler<grpc::ByteBuffer> handler);
  // Many both ways: the handler Start()s the stream.
  static Guarded Bidi(absl::string_view method, BidiHandler handler);

  const std::string& method() const { return method_; }
  const OnFirst& handler() const { return handler_; }
  // Whether the peers that a request names are checked before the handler sees it; not so of
  // what passes bytes or a stream through.
  bool reads_request() const { return reads_request_; }

 private:
  Guarded(absl::string_view method, OnFirst handler)
      : method_(method), handler_(std::move(handler)) {}
  static Guarded Reading(absl::string_view method, OnFirst handler) {
    Guarded guarded(method, std::move(handler));
    guarded.reads_request_ = true;
    return guarded;
  }

  std::string method_;
  OnFirst handler_;
  bool reads_request_ = false;
};

template <typename Request, typename Response>
Guarded Guarded::Unary(absl::string_view method, UnaryHandler<Request, Response> handler) {
  OnFirst first;
  first.unary = [handler = std::move(handler)](CallPtr call, grpc::ByteBuffer bytes,
                                               Reply<grpc::ByteBuffer> reply) {
    Request request;
    if (absl::Status parsed = Parse(bytes, &request); !parsed.ok()) return reply(parsed);
    if (absl::Status reached = CheckScope(*call, request); !reached.ok()) return reply(reached);
    handler(std::move(call), std::move(request),
            [reply = std::move(reply)](absl::StatusOr<Response> response) {
              if (!response.ok()) return reply(std::move(response).status());
              reply(Serialise(*response));
            });
  };
  return Reading(method, std::move(first));
}

template <typename Request>
Guarded Guarded::ServerStreaming(absl::string_view method, ServerStreamHandler<Request> handler) {
  OnFirst first;
  first.server_stream = [handler = std::move(handler)](ServerStreamPtr stream,
                                                       grpc::ByteBuffer bytes) -> absl::Status {
    Request request;
    if (absl::Status parsed = Parse(bytes, &request); !parsed.ok()) return parsed;
    if (absl::Status reached = CheckScope(stream->call(), request); !reached.ok()) return reached;
    handler(std::move(stream), std::move(request));
    return absl::OkStatus();
  };
  return Reading(method, std::move(first));
}

}  // namespace cdgate::rpc
