#include <memory>

#include "gateway/cli/verbs.h"

namespace cdgate::cli {

void AddServeVerb(Verbs& verbs, const Daemon& daemon) {
  const auto config = std::make_shared<std::string>();
  CLI::App* const verb =
      verbs.AddVerb(nullptr, "serve", "Run a gateway until SIGTERM or SIGINT",
                    "cdgate serve --config /etc/cdgate/gateway.yaml", Verbs::kNone,
                    [config, serve = daemon.serve](Invocation&) { return serve(*config); });
  verb->add_option("--config", *config, "Configuration of the gateway, YAML")
      ->required()
      ->option_text("FILE");
}

}  // namespace cdgate::cli
