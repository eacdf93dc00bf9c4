// A connection of the end-to-end tests' clients to a gateway, as the principal whose
// certificate is in a folder: tls.crt, tls.key and bundle.pem.
//
//   const auto channel = Dial("127.0.0.1:7400", "alpha/identity/admin");
//   const auto stub = admin::v1::AdminService::NewStub(channel);
//
// Thread-safe.
#pragma once

#include <memory>
#include <string>
#include "google/rpc/status.pb.h"

#include <grpcpp/grpcpp.h>

namespace cdgate::e2e {

// Empty where it cannot be read.
std::string ReadFile(const std::string& path);

// Tries again within half a second where the gateway is not there. `trusting`: the identity
// whose bundle the gateway is verified by; empty: its own.
std::shared_ptr<grpc::Channel> Dial(const std::string& gateway, const std::string& identity,
                                    const std::string& trusting = "");
// With a connection that it shares with no other channel.
std::shared_ptr<grpc::Channel> DialAlone(const std::string& gateway, const std::string& identity);

// The registered reason of a refusal, UPPER_SNAKE_CASE; empty: it has none.
std::string ReasonOf(const grpc::Status& status);
std::string ReasonOf(const google::rpc::Status& status);

// The test is wrong or the gateway is: says why and ends the program with status 1.
[[noreturn]] void GiveUp(const std::string& why);

}  // namespace cdgate::e2e
