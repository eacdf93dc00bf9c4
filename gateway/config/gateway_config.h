// gateway.yaml.
//
//   CDGATE_ASSIGN_OR_RETURN(config::v1::GatewayConfig config,
//                           config::LoadGatewayConfig("/etc/cdgate/gateway.yaml"));
//
// The file is the YAML rendering of cdgate.config.v1.GatewayConfig, whose comments say
// what each key means and what its default is. What is returned is complete and checked:
// defaults are filled in, every value is in its range, paths of files are absolute or
// relative to the working directory (a relative one is taken from the folder of the
// file).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/config/v1/config.pb.h"

namespace cdgate::config {

// FILE_UNREADABLE, or INVALID_CONFIG "file:line: key: what; expected …".
absl::StatusOr<v1::GatewayConfig> LoadGatewayConfig(const std::string& path);

// The same of a text; `file` is its path, for messages and relative paths.
absl::StatusOr<v1::GatewayConfig> ParseGatewayConfig(absl::string_view text,
                                                     absl::string_view file);

}  // namespace cdgate::config
