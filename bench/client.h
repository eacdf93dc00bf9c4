// What both load generators need: a channel of their own over mutual TLS, and a reader
// of protobuf's wire format that copies nothing, because the generators share the
// machine's cores with the gateways they measure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include "absl/strings/string_view.h"
#include "common.hpp"

#include <grpcpp/grpcpp.h>

namespace cdgate::bench_client {

// A channel to --host:--port with the identity of --ca, --cert and --key, and a
// connection that it shares with no other `nonce`.
inline std::shared_ptr<grpc::Channel> Dial(const bench::Args& args, int nonce) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = bench::read_file(args.need("ca"));
  tls.pem_private_key = bench::read_file(args.need("key"));
  tls.pem_cert_chain = bench::read_file(args.need("cert"));
  grpc::ChannelArguments channel;
  channel.SetInt("cdgate.bench.nonce", nonce);
  channel.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  channel.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  channel.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000);  // an attempt's time
  channel.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 250);
  channel.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(args.s("host", "localhost") + ":" + args.need("port"),
                                   grpc::SslCredentials(tls), channel);
}

// One field of a message: `number`, and `bytes` or `value` by its wire type.
struct WireField {
  uint32_t number = 0;
  uint64_t value = 0;
  absl::string_view bytes;
};

// Reads the fields of one serialised message in their order. Views point into it.
//
//   WireReader reader(message);
//   for (WireField field; reader.Next(&field);) ...
//   if (!reader.ok()) ...  // malformed
class WireReader {
 public:
  explicit WireReader(absl::string_view message)
      : at_(message.data()), end_(message.data() + message.size()) {}

  // False at the end, and where the message is malformed.
  bool Next(WireField* field) {
    uint64_t tag = 0;
    if (at_ == end_ || !Varint(&tag)) return false;
    field->number = static_cast<uint32_t>(tag >> 3);
    field->bytes = {};
    switch (tag & 7) {
      case 0: return Varint(&field->value);
      case 1: return Bytes(8, field);
      case 2: return Varint(&field->value) && Bytes(field->value, field);
      case 5: return Bytes(4, field);
      default: return ok_ = false;
    }
  }
  bool ok() const { return ok_; }

 private:
  bool Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const uint64_t byte = static_cast<unsigned char>(*at_++);
      *value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return ok_ = false;
  }
  bool Bytes(uint64_t size, WireField* field) {
    if (size > static_cast<uint64_t>(end_ - at_)) return ok_ = false;
    field->bytes = absl::string_view(at_, size);
    at_ += size;
    return true;
  }

  const char* at_;
  const char* const end_;
  bool ok_ = true;
};

}  // namespace cdgate::bench_client
