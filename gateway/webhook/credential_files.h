// The files by which a target knows us.
//
//   CDGATE_RETURN_IF_ERROR(CheckFiles(target));                       // at the start
//   CDGATE_ASSIGN_OR_RETURN(std::string token, TokenOf(target));      // now and then
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/webhook/allow_list.h"

namespace cdgate::webhook {

// Its token: the first line of its file, visible ASCII; empty where it has none. FILE_UNREADABLE,
// naming the file, where that is not so, or where the file of the token or of the key can be read
// by everybody. Blocks for as long as a small file takes.
absl::StatusOr<std::string> TokenOf(const AllowedTarget& target);

// INVALID_CONFIG naming the target and the key of its configuration where a file cannot be read, or
// TokenOf() fails.
absl::Status CheckFiles(const AllowedTarget& target);

}  // namespace cdgate::webhook
