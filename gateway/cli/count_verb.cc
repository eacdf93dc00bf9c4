// What never arrived of another domain's events.
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/count.grpc.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/format.h"
#include "gateway/cli/verbs.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

using admin::v1::CountOriginResponse;

// Both sides read their logs, and a long list comes in many parts.
constexpr absl::Duration kTimeout = absl::Minutes(5);
// Commitments that a table shows.
constexpr int kShown = 20;

struct Flags {
  std::string origin, through, from, until;
};

absl::Status ReadTime(absl::string_view flag, const std::string& text,
                      google::protobuf::Timestamp* out) {
  const auto time = config::ParseTimestamp(text);
  if (!time) {
    return UsageError(
        absl::StrCat(flag, " '", base::Shorten(text), "' is not a time as 2026-11-27T00:00:00Z"));
  }
  *out = ToProto(*time);
  return absl::OkStatus();
}

std::string WhoText(const CountOriginResponse& answer) {
  return answer.through().empty() ? answer.origin()
                                  : absl::StrCat(answer.origin(), " through ", answer.through());
}

void PrintCounts(const CountOriginResponse& answer, Invocation& run) {
  Table table({{"ORIGIN"}, {"THROUGH"}, {"GIVEN"}, {"HERE"}, {"REFUSED HERE"}, {"MISSING"}});
  table.AddRow({answer.origin(), answer.through(), absl::StrCat(answer.count()),
                absl::StrCat(answer.held()), absl::StrCat(answer.refused()),
                absl::StrCat(answer.missing())});
  run.Print(table, "");
  for (int i = 0; i < answer.missing_commitments_size() && i < kShown; ++i) {
    run.out() << "missing " << answer.missing_commitments(i) << "\n";
  }
  if (answer.missing() > kShown) run.out() << "… -o json has more of them\n";
}

void PrintNotes(const Flags& flags, const CountOriginResponse& answer, Invocation& run) {
  run.Note(absl::StrCat("events that ", answer.origin(), " accepted from ",
                        TimeText(ToTime(answer.from_time())), " until ",
                        TimeText(ToTime(answer.until_time())), ", signed at ",
                        TimeText(ToTime(answer.sign_time()))));
  if (answer.missing() > 0 && !answer.through().empty()) {
    run.Note(absl::StrCat(answer.through(), " has them and passed none of them on, be it by its ",
                          "policy; ask its operator, or ", answer.origin(), "'s"));
  }
  std::optional<absl::Time> until;
  if (!flags.until.empty()) until = config::ParseTimestamp(flags.until);
  if (until && ToTime(answer.until_time()) < *until) {
    run.Note(absl::StrCat("next: the rest, with --from ", TimeText(ToTime(answer.until_time()))));
  }
}

absl::StatusOr<int> CountOrigin(const Flags& flags, Invocation& run) {
  admin::v1::CountOriginRequest request;
  request.set_origin(flags.origin);
  request.set_through(flags.through);
  if (!flags.from.empty()) {
    CDGATE_RETURN_IF_ERROR(ReadTime("--from", flags.from, request.mutable_from_time()));
  }
  if (!flags.until.empty()) {
    CDGATE_RETURN_IF_ERROR(ReadTime("--until", flags.until, request.mutable_until_time()));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto answer,
                          run.Call(&admin::v1::CountService::Stub::CountOrigin, request, kTimeout));
  run.Print(answer, [&] {
    if (answer.unanswered().empty()) {
      PrintCounts(answer, run);
      PrintNotes(flags, answer, run);
      return;
    }
    run.out() << "no count of " << WhoText(answer) << ": " << answer.unanswered() << "\n";
    run.Note("what is missing is not known; who keeps the question or the answer back is heard so");
  });
  return answer.unanswered().empty() && answer.missing() == 0 ? kExitDone : kExitNo;
}

}  // namespace

void AddCountVerb(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "count",
      "Ask an origin what it gave away for us, and list what never came; exit 1: some",
      "cdgate peer count alpha.example\n"
      "cdgate peer count alpha.example --through beta.example --from 2026-11-27T00:00:00Z",
      Verbs::kConnects | Verbs::kPrints,
      [flags](Invocation& run) { return CountOrigin(*flags, run); });
  verb->add_option("ORIGIN", flags->origin, "Whose events")->required();
  verb->add_option("--through", flags->through,
                   "Ask through this peer, and about what it was given alone")
      ->option_text("PEER");
  verb->add_option("--from", flags->from, "Events accepted from this time on; default: an hour")
      ->option_text("TIME");
  verb->add_option("--until", flags->until, "And before this; default: a minute ago")
      ->option_text("TIME");
}

}  // namespace cdgate::cli
