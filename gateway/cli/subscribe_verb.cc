#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/interrupt.h"
#include "gateway/cli/start_flag.h"
#include "gateway/cli/subscriber.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

struct SubscribeFlags {
  SubscriberOptions options;
  std::string from;
  std::string format = "table";
};

absl::StatusOr<int> Subscribe(const SubscribeFlags& flags, Invocation& run) {
  SubscriberOptions options = flags.options;
  CDGATE_ASSIGN_OR_RETURN(options.from, ParseStartFlag(flags.from));
  const BlockedInterrupts blocked;  // before the threads of the connection
  CDGATE_ASSIGN_OR_RETURN(Connection* const connection, run.Connect());
  DeliveryPrinter printer(run.streams(), flags.format);
  Subscriber subscriber(options, *connection, printer, run);
  absl::Status status;
  {
    const InterruptWatch watch([&subscriber] { subscriber.Stop(); });
    status = subscriber.Run();
  }
  if (!subscriber.position().empty()) {
    run.Note(absl::StrCat("position ", subscriber.position(),
                          options.name.empty()
                              ? absl::StrCat("; go on with --from ", subscriber.position())
                              : absl::StrCat("; go on with --name ", options.name)));
  }
  CDGATE_RETURN_IF_ERROR(status);
  return kExitDone;
}

}  // namespace

void AddSubscribeVerb(Verbs& verbs) {
  const auto flags = std::make_shared<SubscribeFlags>();
  CLI::App* const verb = verbs.AddVerb(
      nullptr, "subscribe", "Print events as they are committed, in order, each once",
      "cdgate subscribe --from earliest --filter \"type LIKE 'dev.cdevents.artifact.%'\"\n"
      "cdgate subscribe --name deployer -o json",
      Verbs::kConnects, [flags](Invocation& run) { return Subscribe(*flags, run); });
  SubscriberOptions& options = flags->options;
  CLI::Option* const name =
      verb->add_option("--name", options.name,
                       "Durable subscription: the gateway keeps its position, moved by what was "
                       "printed")
          ->option_text("NAME");
  verb->add_flag("--wait", options.wait,
                 "Where another reads by --name in order: wait until it has left, rather than take "
                 "over")
      ->needs(name);
  verb->add_option("--filter", options.filter, "CESQL, or JSON in the filter dialects")
      ->option_text("EXPR");
  verb->add_option("--from", flags->from,
                   "earliest, latest, the sequence of the first event, a time (RFC 3339), or a "
                   "position EPOCH:SEQ to go on after")
      ->option_text("START=latest");
  verb->add_option("--convert-to", options.convert_to,
                   "CDEvents release to convert events to, where that is possible: 0.4.1 or 0.5.1")
      ->option_text("RELEASE");
  verb->add_option("--max", options.max_events, "End after so many events")->option_text("N");
  verb->add_flag("--no-resume", options.no_resume, "End where the connection ends");
  verb->add_option("-o,--output", flags->format,
                   "table, json (one line each: sequence, origin, attempt, event) or cloudevent")
      ->check(CLI::IsMember({"table", "json", "cloudevent"}))
      ->option_text("FORMAT");
}

}  // namespace cdgate::cli
