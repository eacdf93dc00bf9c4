// The daemon: `cdgate serve --config gateway.yaml`.
#pragma once

#include <string>

namespace cdgate::app {

// Runs a gateway until SIGTERM or SIGINT, and drains it. SIGHUP reloads certificates and
// the log level. Returns the process's exit code: 0 after an orderly stop, 2 where the
// configuration is wrong (the message names file, line and key), 1 where the gateway
// could not start or had to end; why is in the log. `frozen`: no link is made until an operator
// resumes.
int Serve(const std::string& config_path, bool frozen);

}  // namespace cdgate::app
