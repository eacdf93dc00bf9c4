// The verbs, by group. Each Add function declares its verbs, their flags and their help;
// what a verb does is the action that it hands over, run after the command line is parsed.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/invocation.h"

namespace cdgate::cli {

// Returns an ExitCode, or the error to print.
using Action = std::function<absl::StatusOr<int>(Invocation&)>;

class Verbs {
 public:
  // What every verb has by itself.
  enum Flags {
    kNone = 0,
    kConnects = 1,  // --gateway, --identity, --context
    kPrints = 2,    // -o table|json|yaml
  };

  Verbs(CLI::App* app, Invocation* invocation) : app_(app), invocation_(invocation) {}

  // A group of verbs: "peer".
  CLI::App* AddGroup(const std::string& name, const std::string& description);
  // A verb of `parent`, or of the program where that is null. `example` is shown by
  // --help, one command a line.
  CLI::App* AddVerb(CLI::App* parent, const std::string& name, const std::string& description,
                    const std::string& example, int flags, Action action);

  CLI::App& app() { return *app_; }
  // The verb that was asked for; null: none.
  const Action& chosen() const { return chosen_; }

 private:
  CLI::App* const app_;
  Invocation* const invocation_;
  Action chosen_;
};

void AddServeVerb(Verbs& verbs, const Daemon& daemon);
void AddCaVerbs(Verbs& verbs);                           // ca …
void AddCertificateVerbs(Verbs& verbs);                  // cert …
void AddBundleVerbs(Verbs& verbs);                       // bundle show, bundle convert
void AddPeerVerbs(Verbs& verbs);                         // peer …
void AddDeadLetterVerbs(Verbs& verbs, CLI::App* group);  // of peer: dead-letters, redrive, drop
void AddCountVerb(Verbs& verbs, CLI::App* group);        // of peer: count
void AddLostVerb(Verbs& verbs, CLI::App* group);         // of peer: lost
void AddAgreementVerbs(Verbs& verbs, CLI::App* group);   // of peer: renew, set, remove, doctor
void AddExportVerbs(Verbs& verbs);                       // export …
void AddPolicyVerbs(Verbs& verbs);                       // policy …
void AddGrantVerbs(Verbs& verbs);                        // grant …
void AddAccessVerbs(Verbs& verbs);                       // can
void AddAccessRequestVerbs(Verbs& verbs);                // access …
void AddCatalogueVerb(Verbs& verbs);                     // catalogue
void AddGroupVerbs(Verbs& verbs);                        // group …
void AddSchemaVerbs(Verbs& verbs);                       // schema …
void AddTokenVerbs(Verbs& verbs);                        // token …
void AddTrustVerbs(Verbs& verbs);                        // trust …, deny …
void AddAttestorVerbs(Verbs& verbs);                     // attestor list, attestor show
void AddTrustSetVerb(Verbs& verbs, CLI::App* group);     // of trust: set
void AddAuditVerbs(Verbs& verbs);                        // audit verify, audit export
void AddApplyVerb(Verbs& verbs);                         // apply
void AddPublishVerb(Verbs& verbs);                       // publish
void AddSubscribeVerb(Verbs& verbs);                     // subscribe
void AddSubscriptionVerbs(Verbs& verbs);                 // subscription …
void AddInspectVerbs(Verbs& verbs);                      // who-got, status, version
void AddEventVerbs(Verbs& verbs);                        // get, types, event …
void AddEventListVerb(Verbs& verbs, CLI::App* group);    // of event: list
void AddTraceVerb(Verbs& verbs);                         // trace
void AddValidateVerb(Verbs& verbs);                      // validate
void AddVerifyVerb(Verbs& verbs);                        // verify
void AddFilterVerbs(Verbs& verbs);                       // filter check, filter eval
void AddCompletionVerb(Verbs& verbs);                    // completion

// Of subscription: dead-letters, redrive, drop.
void AddSubscriptionLetterVerbs(Verbs& verbs, CLI::App* group);

}  // namespace cdgate::cli
