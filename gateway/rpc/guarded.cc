#include "gateway/rpc/guarded.h"

namespace cdgate::rpc {

Guarded Guarded::UnaryBytes(absl::string_view method,
                            UnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer> handler) {
  OnFirst first;
  first.unary = std::move(handler);
  return Guarded(method, std::move(first));
}

Guarded Guarded::ServerStreamingBytes(absl::string_view method,
                                      ServerStreamHandler<grpc::ByteBuffer> handler) {
  OnFirst first;
  first.server_stream = [handler = std::move(handler)](ServerStreamPtr stream,
                                                       grpc::ByteBuffer bytes) {
    handler(std::move(stream), std::move(bytes));
    return absl::OkStatus();
  };
  return Guarded(method, std::move(first));
}

Guarded Guarded::Bidi(absl::string_view method, BidiHandler handler) {
  OnFirst first;
  first.bidi = std::move(handler);
  return Guarded(method, std::move(first));
}

}  // namespace cdgate::rpc
