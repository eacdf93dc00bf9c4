// Which gateway a verb talks to, and as whom: flags, environment, contexts.yaml.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace cdgate::cli {

struct TargetFlags {
  std::string gateway;          // --gateway
  std::string identity;         // --identity
  std::string context;          // --context
  std::string token_file = {};  // --token-file
};

struct Target {
  std::string gateway;          // "host:port" or "unix:PATH"
  std::string identity;         // directory; empty for a Unix socket
  std::string token_file = {};  // file with a bearer token; empty: the identity calls
  // File with the passphrase of the identity's key; empty: it is not encrypted.
  std::string key_passphrase_file = {};

  bool is_local() const { return gateway.rfind("unix:", 0) == 0; }
};

// Each part from the first that has it: its flag; the context named by --context; its
// variable CDGATE_GATEWAY or CDGATE_IDENTITY; the context named by CDGATE_CONTEXT; the one
// named by `current` in contexts.yaml. That file is in $XDG_CONFIG_HOME/cdgate, else in
// ~/.config/cdgate:
//
//   current: alpha
//   contexts:
//     alpha: {gateway: "gw.alpha.example:7443", identity: ~/cdgate/admin}
//
// A context may name a key_passphrase_file; without one, or outside of contexts, the variable
// CDGATE_KEY_PASSPHRASE_FILE does.
//
// The token file is that of --token-file, else of CDGATE_TOKEN_FILE; the identity is needed
// all the same, for the connection.
//
// INVALID_ARGUMENT where no gateway, or no identity for a remote one, is named anywhere, or a
// token file with a Unix socket, which knows who its users are;
// INVALID_CONFIG where the file is wrong or does not have the context.
absl::StatusOr<Target> ResolveTarget(const TargetFlags& flags,
                                     const std::function<std::string(const char*)>& environment);

}  // namespace cdgate::cli
