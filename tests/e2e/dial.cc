#include "tests/e2e/dial.h"

#include <unistd.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "google/rpc/error_details.pb.h"

namespace cdgate::e2e {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

namespace {

std::shared_ptr<grpc::Channel> DialWith(grpc::ChannelArguments channel, const std::string& gateway,
                                        const std::string& identity, const std::string& trusting) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ReadFile((trusting.empty() ? identity : trusting) + "/bundle.pem");
  tls.pem_private_key = ReadFile(identity + "/tls.key");
  tls.pem_cert_chain = ReadFile(identity + "/tls.crt");
  channel.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  channel.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // How long an attempt may take: on a busy machine handshakes take their time.
  channel.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000);
  channel.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  channel.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(gateway, grpc::SslCredentials(tls), channel);
}

}  // namespace

std::shared_ptr<grpc::Channel> Dial(const std::string& gateway, const std::string& identity,
                                    const std::string& trusting) {
  return DialWith(grpc::ChannelArguments(), gateway, identity, trusting);
}

std::shared_ptr<grpc::Channel> DialAlone(const std::string& gateway, const std::string& identity) {
  grpc::ChannelArguments channel;
  channel.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return DialWith(std::move(channel), gateway, identity, "");
}

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  return details.ParseFromString(status.error_details()) ? ReasonOf(details) : "";
}

std::string ReasonOf(const google::rpc::Status& status) {
  google::rpc::ErrorInfo info;
  for (const auto& detail : status.details()) {
    if (detail.UnpackTo(&info)) return info.reason();
  }
  return "";
}

void GiveUp(const std::string& why) {
  std::cerr << why << std::endl;
  _exit(1);
}

}  // namespace cdgate::e2e
