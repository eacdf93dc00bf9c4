#include "gateway/cli/cli.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "auth/crypto/tls.h"
#include "gateway/base/logging.h"
#include "gateway/cli/backup_verbs.h"
#include "gateway/cli/invocation.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

void AddCommonFlags(CLI::App* verb, int flags, Invocation* invocation) {
  if ((flags & Verbs::kConnects) != 0) {
    const char* const group = "Gateway";
    verb->add_option("--gateway", invocation->target.gateway,
                     "Address of the api listener, HOST:PORT, or unix:PATH [CDGATE_GATEWAY]")
        ->group(group);
    verb->add_option("--identity", invocation->target.identity,
                     "Folder with tls.crt, tls.key and bundle.pem [CDGATE_IDENTITY]")
        ->group(group);
    verb->add_option("--token-file", invocation->target.token_file,
                     "File with the bearer token of an identity provider [CDGATE_TOKEN_FILE]")
        ->group(group)
        ->option_text("FILE");
    verb->add_option("--context", invocation->target.context,
                     "Name in ~/.config/cdgate/contexts.yaml [CDGATE_CONTEXT]")
        ->group(group);
  }
  if ((flags & Verbs::kPrints) != 0) {
    verb->add_option("-o,--output", invocation->output, "table, json or yaml")
        ->check(CLI::IsMember({"table", "json", "yaml"}))
        ->option_text("FORMAT");
  }
}

std::string Indented(const std::string& example) {
  return absl::StrCat("Example:\n  ", absl::StrReplaceAll(example, {{"\n", "\n  "}}));
}

void AddAllVerbs(Verbs& verbs, const Daemon& daemon) {
  AddServeVerb(verbs, daemon);
  AddCaVerbs(verbs);
  AddCertificateVerbs(verbs);
  AddBundleVerbs(verbs);
  AddPeerVerbs(verbs);
  AddExportVerbs(verbs);
  AddPolicyVerbs(verbs);
  AddGrantVerbs(verbs);
  AddAccessVerbs(verbs);
  AddAccessRequestVerbs(verbs);
  AddCatalogueVerb(verbs);
  AddGroupVerbs(verbs);
  AddSchemaVerbs(verbs);
  AddTokenVerbs(verbs);
  AddTrustVerbs(verbs);
  AddAttestorVerbs(verbs);
  AddAuditVerbs(verbs);
  AddBackupVerbs(verbs);
  AddRestoreVerbs(verbs);
  AddApplyVerb(verbs);
  AddPublishVerb(verbs);
  AddSubscribeVerb(verbs);
  AddSubscriptionVerbs(verbs);
  AddInspectVerbs(verbs);
  AddEventVerbs(verbs);
  AddTraceVerb(verbs);
  AddValidateVerb(verbs);
  AddVerifyVerb(verbs);
  AddFilterVerbs(verbs);
  AddCompletionVerb(verbs);
}

// The parser misses a verb before it minds the word that is none.
std::string MessageOf(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> rest = app.remaining(true);
  const bool no_verb = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  const auto word = std::find_if(rest.begin(), rest.end(), [](const std::string& argument) {
    return !absl::StartsWith(argument, "-");
  });
  if (!no_verb || word == rest.end()) return error.what();
  return absl::StrCat("there is no verb ", *word);
}

// Help goes to `out` and is done; anything else is a wrong command line.
int ReportParse(const CLI::App& app, const CLI::ParseError& error, const Invocation& invocation) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    std::ostringstream help;
    app.exit(error, help, help);
    invocation.out() << help.str();
    return kExitDone;
  }
  return invocation.Fail(UsageError(MessageOf(app, error)));
}

// The verb as far as the command line named one: "policy apply".
std::string VerbOf(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) return "";
  const std::string rest = VerbOf(*chosen.front());
  return rest.empty() ? chosen.front()->get_name()
                      : absl::StrCat(chosen.front()->get_name(), " ", rest);
}

}  // namespace

Streams Streams::OfProcess() {
  return {.in_fd = STDIN_FILENO,
          .out = std::cout,
          .err = std::cerr,
          .out_is_terminal = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr,
          .err_is_terminal = isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr,
          .environment =
              [](const char* name) {
                const char* const value = std::getenv(name);
                return std::string(value == nullptr ? "" : value);
              },
          .out_width =
              [] {
                winsize size = {};
                const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
                return known ? size_t{size.ws_col} : size_t{0};
              }};
}

CLI::App* Verbs::AddGroup(const std::string& name, const std::string& description) {
  CLI::App* const group = app_->add_subcommand(name, description);
  group->require_subcommand(1);
  return group;
}

CLI::App* Verbs::AddVerb(CLI::App* parent, const std::string& name, const std::string& description,
                         const std::string& example, int flags, Action action) {
  CLI::App* const verb = (parent == nullptr ? app_ : parent)->add_subcommand(name, description);
  verb->footer(Indented(example));
  AddCommonFlags(verb, flags, invocation_);
  verb->callback([this, action = std::move(action)] { chosen_ = action; });
  return verb;
}

int Run(int argc, const char* const* argv, const Streams& streams, const Daemon& daemon) {
  Invocation invocation(streams);
  CLI::App app("cdgate: a federation gateway for CDEvents", "cdgate");
  Verbs verbs(&app, &invocation);
  AddAllVerbs(verbs, daemon);
  app.require_subcommand(1);
  app.footer(Indented("cdgate publish --gateway localhost:7443 --identity me event.json") +
             "\ncdgate VERB --help says more of one verb.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    invocation.verb = VerbOf(app);
    return ReportParse(app, error, invocation);
  }
  invocation.verb = VerbOf(app);
  if (const absl::Status tls = crypto::ConfigureTlsProcessWide(); !tls.ok()) {
    return invocation.Fail(tls);
  }
  const absl::StatusOr<int> code = verbs.chosen()(invocation);
  return code.ok() ? *code : invocation.Fail(code.status());
}

}  // namespace cdgate::cli
