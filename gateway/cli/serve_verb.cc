#include <memory>

#include "gateway/cli/verbs.h"

namespace cdgate::cli {

void AddServeVerb(Verbs& verbs, const Daemon& daemon) {
  const auto config = std::make_shared<std::string>();
  const auto frozen = std::make_shared<bool>(false);
  CLI::App* const verb = verbs.AddVerb(
      nullptr, "serve", "Run a gateway until SIGTERM or SIGINT",
      "cdgate serve --config /etc/cdgate/gateway.yaml", Verbs::kNone,
      [config, frozen, serve = daemon.serve](Invocation&) { return serve(*config, *frozen); });
  verb->add_option("--config", *config, "Configuration of the gateway, YAML")
      ->required()
      ->option_text("FILE");
  verb->add_flag("--frozen", *frozen,
                 "Make no link until cdgate export resume --all; holds for this run");
}

}  // namespace cdgate::cli
