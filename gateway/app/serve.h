// The daemon: `cdgate serve --config gateway.yaml`.
#pragma once

#include <string>

namespace cdgate::app {

// Runs a gateway until SIGTERM or SIGINT, and drains it. SIGHUP reloads certificates and
// the log level. Returns the process's exit code: 0 after an orderly stop, 1 where the
// gateway could not start or its log failed (the reason is in the log), 2 for a
// configuration that is wrong.
int Serve(const std::string& config_path);

}  // namespace cdgate::app
