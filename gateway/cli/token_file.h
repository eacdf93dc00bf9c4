// The bearer token of an identity provider, from a file: never from an argument, which every
// user of the machine can read.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace grpc {
class ChannelCredentials;
}

namespace cdgate::cli {

// The token in the file, without the space around it. FILE_UNREADABLE; CREDENTIALS_INVALID where
// it holds none or more than one, or other users may read it.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

// `channel`, with the token of the file, as it is then, on each call.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> WithToken(
    std::shared_ptr<grpc::ChannelCredentials> channel, const std::string& path);

}  // namespace cdgate::cli
