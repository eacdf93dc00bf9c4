// Which gateway a verb talks to, and as whom: flags, environment, contexts.yaml.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace cdgate::cli {

struct TargetFlags {
  std::string gateway;   // --gateway
  std::string identity;  // --identity
  std::string context;   // --context
};

struct Target {
  std::string gateway;   // "host:port" or "unix:PATH"
  std::string identity;  // directory; empty for a Unix socket
  // File with the passphrase of the identity's key; empty: it is not encrypted.
  std::string key_passphrase_file;

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
// INVALID_ARGUMENT where no gateway, or no identity for a remote one, is named anywhere;
// INVALID_CONFIG where the file is wrong or does not have the context.
absl::StatusOr<Target> ResolveTarget(const TargetFlags& flags,
                                     const std::function<std::string(const char*)>& environment);

}  // namespace cdgate::cli
