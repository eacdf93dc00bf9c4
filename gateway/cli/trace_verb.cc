// trace: a chain, its events and their links, across what this domain holds.
#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/time_flag.h"
#include "gateway/cli/trace_tree.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Events = events::v1::EventsService::Stub;
using events::v1::TraceRequest;
using events::v1::TraceResponse;

struct TraceFlags {
  std::string chain;
  std::string event;
  std::string source;
  std::string origin;
  std::string since;
  std::string until;
  uint32_t depth = 8;
  size_t max = 1000;
};

absl::StatusOr<TraceRequest> RequestOf(const TraceFlags& flags) {
  TraceRequest request;
  if (flags.chain.empty() == flags.event.empty()) {
    return UsageError("say either the CHAIN or --event");
  }
  if (flags.event.empty()) {
    request.set_chain_id(flags.chain);
  } else {
    request.mutable_event()->set_id(flags.event);
    request.mutable_event()->set_source(flags.source);
    request.mutable_event()->set_origin(flags.origin);
  }
  request.set_max_depth(flags.depth);
  const absl::Time now = absl::Now();
  if (!flags.since.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const absl::Time time, ParseTimeFlag("--since", flags.since, now));
    *request.mutable_start_time() = ToProto(time);
  }
  if (!flags.until.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const absl::Time time, ParseTimeFlag("--until", flags.until, now));
    *request.mutable_end_time() = ToProto(time);
  }
  return request;
}

std::string Summary(const TraceTree& tree, const std::string& chain) {
  std::string text = chain.empty() ? "of no chain"
                                   : absl::StrCat("chain ", base::Shorten(chain), ": ",
                                                  Count(tree.in_chain(), "event"));
  if (tree.linked() > 0) {
    absl::StrAppend(&text, ", and in brackets ", tree.linked(), " that links lead to");
  }
  return text;
}

absl::StatusOr<int> Trace(const TraceFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(TraceRequest request, RequestOf(flags));
  TraceTree tree;
  TraceResponse page;
  uint64_t looked_at = 0;
  do {
    CDGATE_ASSIGN_OR_RETURN(page, run.Events(&Events::Trace, request));
    tree.Add(page);
    looked_at += page.looked_at();
    request.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty() && tree.in_chain() < flags.max);
  run.Print(tree.Response(), [&] {
    if (tree.empty()) return;
    run.out() << Summary(tree, page.chain_id()) << "\n"
              << tree.Text(run.streams().out_width ? run.streams().out_width() : kTableWidth);
  });
  if (!page.next_page_token().empty()) {
    run.Note(absl::StrCat("stopped after ", Count(tree.in_chain(), "event"),
                          "; --max takes more, --since and --until take a part"));
  }
  if (!tree.empty()) return kExitDone;
  run.Note(absl::StrCat("no event of chain ", base::Shorten(page.chain_id()),
                        " that your grants cover; looked at ", Count(looked_at, "event")));
  return kExitNo;
}

}  // namespace

void AddTraceVerb(Verbs& verbs) {
  const auto flags = std::make_shared<TraceFlags>();
  CLI::App* const verb = verbs.AddVerb(
      nullptr, "trace", "Show the events of a chain, and what links of them lead to",
      "cdgate trace 4c8cb7dd-3448-41de-8768-eec704e2829b --since 7d\n"
      "cdgate trace --event 271069a8-fc18-44f1-b38f-9d70a1695819 -o json",
      Verbs::kConnects | Verbs::kPrints, [flags](Invocation& run) { return Trace(*flags, run); });
  verb->add_option("CHAIN", flags->chain, "What its events have as their chainId");
  const auto add = [&](const char* option, std::string* value, const char* text, const char* help) {
    verb->add_option(option, *value, help)->option_text(text);
  };
  add("--event", &flags->event, "ID", "The chain of this event, and what its links lead to");
  add("--source", &flags->source, "SOURCE", "Of --event, where several have the id");
  add("--origin", &flags->origin, "DOMAIN", "Of --event, where several have the id");
  add("--since", &flags->since, "TIME",
      "Events of the chain committed at or after: RFC 3339, or how long ago, 24h");
  add("--until", &flags->until, "TIME", "Committed before, in the same way");
  verb->add_option("--depth", flags->depth, "How many links to follow from an event of the chain")
      ->check(CLI::Range(0, 32))
      ->option_text("N=8");
  verb->add_option("--max", flags->max, "Stop after so many events of the chain")
      ->check(CLI::Range(size_t{1}, size_t{100'000}))
      ->option_text("N=1000");
}

}  // namespace cdgate::cli
