// Dead letters of shared subscriptions.
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cdgate/admin/v1/subscription.grpc.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Subscriptions = admin::v1::SubscriptionService::Stub;
using admin::v1::DeadLetterName;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;
constexpr int kNamesAtOnce = 1000;

// "1204/0": what people copy from the list.
std::string NameText(const DeadLetterName& name) {
  return absl::StrCat(name.commit(), "/", name.index());
}

absl::StatusOr<DeadLetterName> ParseName(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  uint64_t commit = 0;
  uint32_t index = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &commit) ||
      !absl::SimpleAtoi(parts[1], &index)) {
    return UsageError(absl::StrCat(base::Shorten(text),
                                   " is no dead letter; write it as cdgate subscription "
                                   "dead-letters shows it, 1204/0"));
  }
  DeadLetterName name;
  name.set_commit(commit);
  name.set_index(index);
  return name;
}

absl::StatusOr<admin::v1::ListDeadLettersResponse> AllLetters(const std::string& subscription,
                                                              Invocation& run) {
  admin::v1::ListDeadLettersResponse all;
  admin::v1::ListDeadLettersRequest request;
  request.set_subscription(subscription);
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Call(&Subscriptions::ListDeadLetters, request));
    request.set_page_token(page.next_page_token());
    all.mutable_dead_letters()->MergeFrom(page.dead_letters());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<int> ListLetters(const std::string& subscription, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto all, AllLetters(subscription, run));
  run.Print(all, [&] {
    Table table({{"NAME"},
                 {"SINCE"},
                 {"REASON"},
                 {"TYPE", Table::kShrinks},
                 {"ID", Table::kShrinks},
                 {"REDRIVE"}});
    for (const admin::v1::SubscriptionDeadLetter& letter : all.dead_letters()) {
      const admin::v1::EventSummary& event = letter.event();
      const std::string id =
          event.id().empty() ? absl::StrCat("sequence ", event.sequence()) : event.id();
      table.AddRow({NameText(letter.name()), TimeText(ToTime(letter.create_time())),
                    letter.reason(), event.type(), id, letter.redrivable() ? "yes" : "gone"});
    }
    run.Print(table, absl::StrCat("no dead letters of ", subscription));
  });
  return kExitDone;
}

struct LetterFlags {
  std::string subscription;
  std::vector<std::string> names;
  bool all = false;
};

// Requests for all that are meant, of kNamesAtOnce each.
template <typename Request>
absl::StatusOr<std::vector<Request>> RequestsOf(const LetterFlags& flags, Invocation& run) {
  if (flags.all != flags.names.empty()) return UsageError("name dead letters, or say --all");
  std::vector<DeadLetterName> names;
  if (flags.all) {
    CDGATE_ASSIGN_OR_RETURN(const auto all, AllLetters(flags.subscription, run));
    for (const auto& letter : all.dead_letters()) names.push_back(letter.name());
  }
  for (const std::string& text : flags.names) {
    CDGATE_ASSIGN_OR_RETURN(names.emplace_back(), ParseName(text));
  }
  std::vector<Request> requests;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i % kNamesAtOnce == 0) requests.emplace_back().set_subscription(flags.subscription);
    *requests.back().add_names() = names[i];
  }
  return requests;
}

absl::StatusOr<int> Redrive(const LetterFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto requests,
                          RequestsOf<admin::v1::RedriveDeadLettersRequest>(flags, run));
  admin::v1::RedriveDeadLettersResponse all;
  for (const auto& request : requests) {
    CDGATE_ASSIGN_OR_RETURN(const auto answer,
                            run.Call(&Subscriptions::RedriveDeadLetters, request));
    all.set_redriven(all.redriven() + answer.redriven());
    all.set_kept(all.kept() + answer.kept());
  }
  run.Print(all, [&] {
    run.out() << "redriven " << all.redriven() << " dead letters of " << flags.subscription;
    if (all.kept() > 0) run.out() << "; " << all.kept() << " stay, their events are gone";
    run.out() << "\n";
  });
  return all.kept() == 0 ? kExitDone : kExitNo;
}

absl::StatusOr<int> Drop(const LetterFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto requests,
                          RequestsOf<admin::v1::DropDeadLettersRequest>(flags, run));
  admin::v1::DropDeadLettersResponse all;
  for (const auto& request : requests) {
    CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Call(&Subscriptions::DropDeadLetters, request));
    all.set_dropped(all.dropped() + answer.dropped());
  }
  run.Print(all, [&] {
    run.out() << "dropped " << all.dropped() << " dead letters of " << flags.subscription << "\n";
  });
  return kExitDone;
}

void AddSubscription(CLI::App* verb, std::string* name) {
  verb->add_option("NAME", *name, "The subscription")->required();
}

}  // namespace

void AddSubscriptionLetterVerbs(Verbs& verbs, CLI::App* group) {
  const auto name = std::make_shared<std::string>();
  AddSubscription(verbs.AddVerb(group, "dead-letters", "List what a shared subscription gave up",
                                "cdgate subscription dead-letters workers", kBoth,
                                [name](Invocation& run) { return ListLetters(*name, run); }),
                  name.get());
  const auto add = [&](const char* verb_name, const char* description, const char* example,
                       absl::StatusOr<int> (*action)(const LetterFlags&, Invocation&)) {
    const auto flags = std::make_shared<LetterFlags>();
    CLI::App* const verb =
        verbs.AddVerb(group, verb_name, description, example, kBoth,
                      [flags, action](Invocation& run) { return action(*flags, run); });
    AddSubscription(verb, &flags->subscription);
    verb->add_option("LETTER", flags->names, "Dead letters, as dead-letters shows them");
    verb->add_flag("--all", flags->all, "All of them");
  };
  add("redrive", "Have dead letters tried anew", "cdgate subscription redrive workers --all",
      Redrive);
  add("drop", "Forget dead letters for good", "cdgate subscription drop workers 1204/0", Drop);
}

}  // namespace cdgate::cli
