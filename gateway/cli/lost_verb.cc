// Which events a peer lost to retention.
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/agreement.grpc.pb.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/format.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using admin::v1::ForgottenEvents;
using admin::v1::ListLostEventsRequest;
using admin::v1::ListLostEventsResponse;
using admin::v1::LostEvent;

constexpr int kMostOfAPage = 1000;
// Ranges of forgotten events that people are shown.
constexpr int kShown = 20;

struct Flags {
  std::string peer;
  int limit = 0;  // none
};

// A page may end within a range.
void Append(const ListLostEventsResponse& page, ListLostEventsResponse* all) {
  all->mutable_events()->MergeFrom(page.events());
  for (const ForgottenEvents& range : page.forgotten()) {
    auto& known = *all->mutable_forgotten();
    if (!known.empty() && known.rbegin()->last_sequence() + 1 == range.first_sequence()) {
      known.rbegin()->set_last_sequence(range.last_sequence());
    } else {
      *known.Add() = range;
    }
  }
}

absl::StatusOr<ListLostEventsResponse> ListAll(const Flags& flags, Invocation& run) {
  ListLostEventsResponse all;
  ListLostEventsRequest request;
  request.set_domain(flags.peer);
  do {
    const int left = flags.limit - all.events_size();
    request.set_page_size(flags.limit == 0 ? kMostOfAPage : std::min(left, kMostOfAPage));
    CDGATE_ASSIGN_OR_RETURN(const auto page,
                            run.Call(&admin::v1::AgreementService::Stub::ListLostEvents, request));
    Append(page, &all);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && (flags.limit == 0 || all.events_size() < flags.limit));
  all.set_next_page_token(request.page_token());  // where --limit stopped it
  return all;
}

void PrintEvents(const ListLostEventsResponse& all, const Invocation& run) {
  Table table({{"SEQUENCE"},
               {"ORIGIN"},
               {"TYPE", Table::kShrinks},
               {"ID"},
               {"SOURCE", Table::kShrinks},
               {"ACCEPTED"},
               {"STATE"}});
  for (const LostEvent& lost : all.events()) {
    const admin::v1::EventSummary& event = lost.event();
    table.AddRow({absl::StrCat(event.sequence()), event.origin(), event.type(), event.id(),
                  event.source(), TimeText(event.has_accept_time(), event.accept_time()),
                  lost.state()});
  }
  if (!table.empty()) run.Print(table, "");
}

void PrintForgotten(const ListLostEventsResponse& all, std::ostream& out) {
  for (int i = 0; i < all.forgotten_size() && i < kShown; ++i) {
    const ForgottenEvents& range = all.forgotten(i);
    out << "sequences " << range.first_sequence() << " to " << range.last_sequence()
        << " were lost, too, and nothing is kept of them any more\n";
  }
  if (all.forgotten_size() > kShown) out << "… -o json has all such ranges\n";
}

void PrintLost(const Flags& flags, const ListLostEventsResponse& all, const Invocation& run) {
  const bool some = all.events_size() > 0 || all.forgotten_size() > 0;
  if (!some) return run.Note(absl::StrCat(flags.peer, " lost nothing to retention"));
  PrintEvents(all, run);
  PrintForgotten(all, run.out());
  run.Note(absl::StrCat("retention came before these were decided for ", flags.peer,
                        ": it could have been given these at most"));
  if (!all.next_page_token().empty()) run.Note("there may be more; leave out --limit for all");
}

absl::StatusOr<int> Lost(const Flags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const ListLostEventsResponse all, ListAll(flags, run));
  run.Print(all, [&] { PrintLost(flags, all, run); });
  return kExitDone;
}

}  // namespace

void AddLostVerb(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "lost",
      "List what retention removed before it was decided for a peer: the most that it lost",
      "cdgate peer lost beta.example\ncdgate peer lost beta.example -o json",
      Verbs::kConnects | Verbs::kPrints, [flags](Invocation& run) { return Lost(*flags, run); });
  verb->add_option("DOMAIN", flags->peer, "The peer")->required();
  verb->add_option("--limit", flags->limit, "At most so many events; default: all")
      ->option_text("N")
      ->check(CLI::PositiveNumber);
}

}  // namespace cdgate::cli
