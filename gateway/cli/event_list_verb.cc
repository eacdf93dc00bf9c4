// event list: events of the log by type, source, subject, time.
#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/delivery_printer.h"
#include "gateway/cli/time_flag.h"
#include "gateway/cli/verbs.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

using Events = events::v1::EventsService::Stub;
using events::v1::ListEventsRequest;
using events::v1::ListEventsResponse;

constexpr uint64_t kMostAtOnce = 1000;

struct ListFlags {
  ListEventsRequest request;
  std::string since;
  std::string until;
  std::string format = "table";
  bool oldest_first = false;
  uint64_t max = 100;
};

absl::StatusOr<ListEventsRequest> RequestOf(const ListFlags& flags) {
  ListEventsRequest request = flags.request;
  request.set_newest_first(!flags.oldest_first);
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

// "looked at 120000 events, as far as 2026-11-22T15:30:52Z".
std::string Reach(uint64_t looked_at, const ListEventsResponse& page) {
  if (looked_at == 0) return "there is no event in that time";
  return absl::StrCat("looked at ", Count(looked_at, "event"), ", as far as ",
                      TimeText(page.has_reached_time(), page.reached_time()));
}

// A page token is of one query, and so of its times, which may have been relative.
std::string More(const ListEventsRequest& request) {
  std::string flags = absl::StrCat("--page-token ", request.page_token());
  if (request.has_start_time()) {
    absl::StrAppend(&flags, " --since ", config::FormatTimestamp(ToTime(request.start_time())));
  }
  if (request.has_end_time()) {
    absl::StrAppend(&flags, " --until ", config::FormatTimestamp(ToTime(request.end_time())));
  }
  return absl::StrCat("there may be more: go on with the same flags and ", flags);
}

absl::StatusOr<int> List(const ListFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(ListEventsRequest request, RequestOf(flags));
  DeliveryPrinter printer(run.streams(), flags.format);
  uint64_t looked_at = 0;
  uint64_t left = flags.max;
  ListEventsResponse page;
  do {
    request.set_page_size(static_cast<int32_t>(std::min(left, kMostAtOnce)));
    CDGATE_ASSIGN_OR_RETURN(page, run.Events(&Events::ListEvents, request));
    for (const events::v1::DeliveredEvent& event : page.events()) printer.Print(event);
    run.out().flush();
    left -= std::min<uint64_t>(left, static_cast<uint64_t>(page.events_size()));
    looked_at += page.looked_at();
    request.set_page_token(page.next_page_token());
  } while (left > 0 && !request.page_token().empty());
  if (!request.page_token().empty()) {
    run.Note(absl::StrCat(Reach(looked_at, page), "; ", More(request)));
  } else if (left == flags.max) {
    run.Note(absl::StrCat("no such event; ", Reach(looked_at, page)));
  }
  return left == flags.max ? kExitNo : kExitDone;
}

}  // namespace

void AddEventListVerb(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<ListFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "list", "List events, the newest first",
      "cdgate event list --type 'dev.cdevents.artifact.%' --since 24h\n"
      "cdgate event list --source /ci/builds --until 2026-11-22T15:30:52Z --max 20 -o json",
      Verbs::kConnects, [flags](Invocation& run) { return List(*flags, run); });
  ListEventsRequest& request = flags->request;
  const auto add = [&](const char* option, std::string* value, const char* text, const char* help) {
    verb->add_option(option, *value, help)->option_text(text);
  };
  add("--type", request.mutable_type(), "TYPE", "Of this type; % for any characters");
  add("--source", request.mutable_source(), "SOURCE", "Of this source; % for any characters");
  add("--subject", request.mutable_subject(), "ID",
      "About the subject with this id; % for any characters");
  add("--origin", request.mutable_origin(), "DOMAIN", "From this domain");
  add("--plane", request.mutable_plane(), "PLANE", "Published by a component of this plane");
  add("--filter", request.mutable_filter(), "EXPR", "CESQL, or JSON in the filter dialects");
  add("--since", &flags->since, "TIME", "Committed at or after: RFC 3339, or how long ago, 24h");
  add("--until", &flags->until, "TIME", "Committed before, in the same way");
  verb->add_flag("--oldest-first", flags->oldest_first, "The oldest first");
  verb->add_option("--max", flags->max, "At most so many")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 62))
      ->option_text("N=100");
  add("--page-token", request.mutable_page_token(), "TOKEN",
      "Go on where an earlier call with the same other flags ended");
  verb->add_option("-o,--output", flags->format,
                   "table, json (one line each: sequence, origin, attempt, event) or cloudevent")
      ->check(CLI::IsMember({"table", "json", "cloudevent"}))
      ->option_text("FORMAT");
}

}  // namespace cdgate::cli
