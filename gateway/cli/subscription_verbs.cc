// Named subscriptions.
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cdgate/admin/v1/subscription.grpc.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/push_flags.h"
#include "gateway/cli/start_flag.h"
#include "gateway/cli/verbs.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

using Subscriptions = admin::v1::SubscriptionService::Stub;
using admin::v1::Subscription;
using admin::v1::SubscriptionStatus;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

// What create and update have in common, as it was written; empty: not at all.
struct SettingFlags {
  std::string filter;
  std::string convert_to;
  std::string description;
  std::vector<std::string> labels;
  std::string ack_deadline;
  uint32_t max_attempts = 0;
  std::string min_backoff;
  std::string max_backoff;
  std::string letter_retention;
  bool keep_subject_order = false;
  PushFlags push;
};

bool NamesShared(const SettingFlags& flags) {
  return !flags.ack_deadline.empty() || flags.max_attempts != 0 || !flags.min_backoff.empty() ||
         !flags.max_backoff.empty() || !flags.letter_retention.empty() || flags.keep_subject_order;
}

absl::Status ReadDuration(absl::string_view flag, const std::string& text,
                          google::protobuf::Duration* out) {
  CDGATE_ASSIGN_OR_RETURN(const absl::Duration duration, ParseDurationFlag(flag, text));
  *out = ToProto(duration);
  return absl::OkStatus();
}

absl::Status ReadShared(const SettingFlags& flags, admin::v1::SharedDelivery* shared) {
  if (!flags.ack_deadline.empty()) {
    CDGATE_RETURN_IF_ERROR(
        ReadDuration("--ack-deadline", flags.ack_deadline, shared->mutable_ack_deadline()));
  }
  if (!flags.min_backoff.empty()) {
    CDGATE_RETURN_IF_ERROR(
        ReadDuration("--min-backoff", flags.min_backoff, shared->mutable_min_backoff()));
  }
  if (!flags.max_backoff.empty()) {
    CDGATE_RETURN_IF_ERROR(
        ReadDuration("--max-backoff", flags.max_backoff, shared->mutable_max_backoff()));
  }
  if (!flags.letter_retention.empty()) {
    CDGATE_RETURN_IF_ERROR(ReadDuration("--dead-letter-retention", flags.letter_retention,
                                        shared->mutable_dead_letter_retention()));
  }
  if (flags.max_attempts != 0) shared->set_max_attempts(flags.max_attempts);
  if (flags.keep_subject_order) shared->set_keep_subject_order(true);
  return absl::OkStatus();
}

absl::Status ReadLabels(const std::vector<std::string>& labels, Subscription* subscription) {
  for (const std::string& label : labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageError(absl::StrCat("--label '", base::Shorten(label), "' is no KEY=VALUE"));
    }
    (*subscription->mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return absl::OkStatus();
}

std::string ModeText(const Subscription& subscription) {
  return subscription.mode() == admin::v1::SUBSCRIPTION_MODE_SHARED ? "shared" : "ordered";
}

void PrintStatus(const SubscriptionStatus& status, Invocation& run) {
  const Subscription& subscription = status.subscription();
  std::ostream& out = run.out();
  out << "name        " << subscription.name() << "\n"
      << "mode        " << ModeText(subscription) << "\n"
      << "owner       " << subscription.owner() << "\n"
      << "filter      " << (subscription.filter().empty() ? "everything" : subscription.filter())
      << "\n"
      << "position    " << status.position() << ", " << status.lag() << " behind the head\n"
      << "streams     " << status.streams() << "\n";
  if (subscription.mode() == admin::v1::SUBSCRIPTION_MODE_SHARED) {
    const auto& shared = subscription.shared();
    out << "pending     " << status.pending() << "\n"
        << "dead        kept for "
        << (shared.has_dead_letter_retention()
                ? config::FormatDuration(ToDuration(shared.dead_letter_retention()))
                : "30d")
        << "\n";
  }
  if (status.waiting() > 0) out << "waiting     " << status.waiting() << "\n";
  if (subscription.has_push()) PrintPush(status, run.out());
  if (!subscription.convert_to().empty()) {
    out << "convert to  " << subscription.convert_to() << "\n";
  }
  if (!subscription.description().empty()) {
    out << "description " << subscription.description() << "\n";
  }
  for (const auto& [key, value] : subscription.labels()) {
    out << "label       " << key << "=" << value << "\n";
  }
  out << "etag        " << status.etag() << "\n";
}

// --- create, show, list, update, seek, delete

struct CreateFlags {
  std::string name;
  std::string from;
  bool shared = false;
  bool dry_run = false;
  SettingFlags settings;
};

// A sequence, which only the gateway can place, is sought once the subscription is there.
absl::StatusOr<int> Create(const CreateFlags& flags, Invocation& run) {
  admin::v1::CreateSubscriptionRequest request;
  Subscription& subscription = *request.mutable_subscription();
  subscription.set_name(flags.name);
  subscription.set_filter(flags.settings.filter);
  subscription.set_convert_to(flags.settings.convert_to);
  subscription.set_description(flags.settings.description);
  CDGATE_RETURN_IF_ERROR(ReadLabels(flags.settings.labels, &subscription));
  if (flags.shared || NamesPush(flags.settings.push)) {
    subscription.set_mode(admin::v1::SUBSCRIPTION_MODE_SHARED);
  }
  if (NamesPush(flags.settings.push)) {
    CDGATE_RETURN_IF_ERROR(ReadPush(flags.settings.push, subscription.mutable_push()));
  }
  if (NamesShared(flags.settings)) {
    CDGATE_RETURN_IF_ERROR(ReadShared(flags.settings, subscription.mutable_shared()));
  }
  CDGATE_ASSIGN_OR_RETURN(const StartFlag from, ParseStartFlag(flags.from));
  if (from.sequence == 0) *request.mutable_from() = from.position;
  request.set_validate_only(flags.dry_run);
  CDGATE_ASSIGN_OR_RETURN(auto status, run.Call(&Subscriptions::CreateSubscription, request));
  if (from.sequence != 0 && !flags.dry_run) {
    admin::v1::SeekSubscriptionRequest seek;
    seek.set_name(flags.name);
    seek.set_sequence(from.sequence);
    CDGATE_ASSIGN_OR_RETURN(status, run.Call(&Subscriptions::SeekSubscription, seek));
  }
  run.Print(status, [&] {
    run.out() << (flags.dry_run ? "would make " : "made ") << ModeText(status.subscription())
              << " subscription " << flags.name << ", owned by " << status.subscription().owner()
              << ", after " << status.position() << "\n";
  });
  return kExitDone;
}

absl::StatusOr<int> Show(const std::string& name, Invocation& run) {
  admin::v1::GetSubscriptionRequest request;
  request.set_name(name);
  CDGATE_ASSIGN_OR_RETURN(const auto status, run.Call(&Subscriptions::GetSubscription, request));
  run.Print(status, [&] { PrintStatus(status, run); });
  return kExitDone;
}

absl::StatusOr<int> List(Invocation& run) {
  admin::v1::ListSubscriptionsResponse all;
  admin::v1::ListSubscriptionsRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Call(&Subscriptions::ListSubscriptions, request));
    request.set_page_token(page.next_page_token());
    all.mutable_subscriptions()->MergeFrom(page.subscriptions());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    Table table({{"NAME"},
                 {"MODE"},
                 {"OWNER", Table::kShrinks},
                 {"POSITION"},
                 {"LAG"},
                 {"STREAMS"},
                 {"PUSH"},
                 {"FILTER", Table::kShrinks}});
    for (const SubscriptionStatus& status : all.subscriptions()) {
      table.AddRow({status.subscription().name(), ModeText(status.subscription()),
                    status.subscription().owner(), absl::StrCat(status.position()),
                    absl::StrCat(status.lag()), absl::StrCat(status.streams()), PushText(status),
                    status.subscription().filter()});
    }
    run.Print(table, "no subscriptions; cdgate subscription create or subscribe --name makes one");
  });
  return kExitDone;
}

struct UpdateFlags {
  std::string name;
  std::string etag;
  bool dry_run = false;
  bool no_push = false;
  SettingFlags settings;
  // Whether a flag was given, since an empty value is one as well.
  std::vector<std::pair<const CLI::Option*, std::string>> given;  // with its path of the mask
};

// What is not named stays, as long as nobody else changes it meanwhile.
absl::Status MergePush(const UpdateFlags& flags, Invocation& run,
                       admin::v1::UpdateSubscriptionRequest* request) {
  admin::v1::GetSubscriptionRequest get;
  get.set_name(flags.name);
  CDGATE_ASSIGN_OR_RETURN(const auto before, run.Call(&Subscriptions::GetSubscription, get));
  admin::v1::PushDelivery& push = *request->mutable_subscription()->mutable_push();
  push = before.subscription().push();
  CDGATE_RETURN_IF_ERROR(ReadPush(flags.settings.push, &push));
  request->mutable_update_mask()->add_paths("push");
  if (request->etag().empty()) request->set_etag(before.etag());
  return absl::OkStatus();
}

absl::StatusOr<int> Update(const UpdateFlags& flags, Invocation& run) {
  admin::v1::UpdateSubscriptionRequest request;
  Subscription& subscription = *request.mutable_subscription();
  subscription.set_name(flags.name);
  for (const auto& [option, path] : flags.given) {
    if (option->count() > 0) request.mutable_update_mask()->add_paths(path);
  }
  subscription.set_filter(flags.settings.filter);
  subscription.set_convert_to(flags.settings.convert_to);
  subscription.set_description(flags.settings.description);
  CDGATE_RETURN_IF_ERROR(ReadLabels(flags.settings.labels, &subscription));
  request.set_etag(flags.etag);
  request.set_validate_only(flags.dry_run);
  if (NamesShared(flags.settings)) {
    // What is not named stays, as long as nobody else changes it meanwhile.
    admin::v1::GetSubscriptionRequest get;
    get.set_name(flags.name);
    CDGATE_ASSIGN_OR_RETURN(const auto before, run.Call(&Subscriptions::GetSubscription, get));
    *subscription.mutable_shared() = before.subscription().shared();
    CDGATE_RETURN_IF_ERROR(ReadShared(flags.settings, subscription.mutable_shared()));
    request.mutable_update_mask()->add_paths("shared");
    if (flags.etag.empty()) request.set_etag(before.etag());
  }
  if (flags.no_push && NamesPush(flags.settings.push)) {
    return UsageError("--no-push takes the webhook away; leave out the other --push flags");
  }
  if (flags.no_push) request.mutable_update_mask()->add_paths("push");
  if (NamesPush(flags.settings.push)) {
    CDGATE_RETURN_IF_ERROR(MergePush(flags, run, &request));
  }
  if (request.update_mask().paths().empty()) {
    return UsageError(
        "say what to change: --filter, --description, --label, --convert-to or how "
        "it delivers");
  }
  CDGATE_ASSIGN_OR_RETURN(const auto status, run.Call(&Subscriptions::UpdateSubscription, request));
  run.Print(status, [&] {
    run.out() << (flags.dry_run ? "would change " : "changed ")
              << absl::StrJoin(request.update_mask().paths(), ", ") << " of subscription "
              << flags.name << "\n";
  });
  return kExitDone;
}

struct SeekFlags {
  std::string name;
  std::string to;
  std::string event;
};

absl::StatusOr<int> Seek(const SeekFlags& flags, Invocation& run) {
  admin::v1::SeekSubscriptionRequest request;
  request.set_name(flags.name);
  if (flags.to.empty() == flags.event.empty()) return UsageError("say either --to or --event");
  if (!flags.event.empty()) {
    request.mutable_event()->set_id(flags.event);
  } else {
    CDGATE_ASSIGN_OR_RETURN(const StartFlag to, ParseStartFlag(flags.to));
    if (to.sequence != 0) {
      request.set_sequence(to.sequence);
    } else {
      *request.mutable_to() = to.position;
    }
  }
  CDGATE_ASSIGN_OR_RETURN(const auto status, run.Call(&Subscriptions::SeekSubscription, request));
  run.Print(status, [&] {
    run.out() << "subscription " << flags.name << " goes on after " << status.position() << ", "
              << status.lag() << " events before the head\n";
  });
  return kExitDone;
}

absl::StatusOr<int> Delete(const std::string& name, Invocation& run) {
  admin::v1::DeleteSubscriptionRequest request;
  request.set_name(name);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Call(&Subscriptions::DeleteSubscription, request));
  run.Print(answer, [&] { run.out() << "deleted subscription " << name << "\n"; });
  return kExitDone;
}

// --- the command line

void AddName(CLI::App* verb, std::string* name) {
  verb->add_option("NAME", *name, "The subscription")->required();
}

void AddSharedFlags(CLI::App* verb, SettingFlags& settings) {
  verb->add_option("--ack-deadline", settings.ack_deadline,
                   "Shared: how long a stream has for an event")
      ->option_text("DURATION=30s");
  verb->add_option("--max-attempts", settings.max_attempts,
                   "Shared: how often an event may fail before it is a dead letter")
      ->check(CLI::Range(1, 100))
      ->option_text("N=5");
  verb->add_option("--min-backoff", settings.min_backoff,
                   "Shared: before an event that failed once comes again; doubles each time")
      ->option_text("DURATION=1s");
  verb->add_option("--max-backoff", settings.max_backoff, "Shared: the longest of it")
      ->option_text("DURATION=5m");
  verb->add_option("--dead-letter-retention", settings.letter_retention,
                   "Shared: how long dead letters are kept; 1h to 400d")
      ->option_text("DURATION=30d");
  verb->add_flag("--keep-subject-order", settings.keep_subject_order,
                 "Shared: events of one subject one after the other");
}

void AddCreate(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<CreateFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "create", "Make a subscription of yours",
                    "cdgate subscription create deployer --filter \"type LIKE "
                    "'dev.cdevents.artifact.%'\"\ncdgate subscription create workers --shared "
                    "--ack-deadline 1m --max-attempts 10\ncdgate subscription create hook "
                    "--push-url https://hooks.alpha.example/ci --keep-subject-order",
                    kBoth, [flags](Invocation& run) { return Create(*flags, run); });
  AddName(verb, &flags->name);
  verb->add_option("--filter", flags->settings.filter, "CESQL, or JSON in the filter dialects")
      ->option_text("EXPR");
  verb->add_option("--from", flags->from,
                   "earliest, latest, the sequence of the first event, a time (RFC 3339), or a "
                   "position EPOCH:SEQ to go on after")
      ->option_text("START=latest");
  verb->add_flag("--shared", flags->shared, "Each event to one of many streams");
  AddSharedFlags(verb, flags->settings);
  AddPushFlags(verb, &flags->settings.push);
  verb->add_option("--convert-to", flags->settings.convert_to,
                   "CDEvents release to convert events to: 0.4.1 or 0.5.1")
      ->option_text("RELEASE");
  verb->add_option("--description", flags->settings.description, "For people")->option_text("TEXT");
  verb->add_option("--label", flags->settings.labels, "For tools; may be repeated")
      ->option_text("KEY=VALUE")
      ->expected(1)
      ->take_all();
  verb->add_flag("--dry-run", flags->dry_run, "Check only");
}

void AddUpdate(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<UpdateFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "update", "Change a subscription; what reads by it begins anew",
                    "cdgate subscription update deployer --filter \"source = '/ci'\"", kBoth,
                    [flags](Invocation& run) { return Update(*flags, run); });
  AddName(verb, &flags->name);
  const auto add = [&](const char* option, auto& value, const char* help, const char* path) {
    CLI::Option* const added = verb->add_option(option, value, help);
    flags->given.emplace_back(added, path);
    return added;
  };
  add("--filter", flags->settings.filter, "CESQL; '' for everything", "filter")
      ->option_text("EXPR");
  add("--convert-to", flags->settings.convert_to, "CDEvents release; '' for none", "convert_to")
      ->option_text("RELEASE");
  add("--description", flags->settings.description, "For people", "description")
      ->option_text("TEXT");
  add("--label", flags->settings.labels, "All labels from now on; may be repeated", "labels")
      ->option_text("KEY=VALUE")
      ->expected(1)
      ->take_all();
  AddSharedFlags(verb, flags->settings);
  AddPushFlags(verb, &flags->settings.push);
  verb->add_flag("--no-push", flags->no_push, "Streams read by it from now on, no webhook");
  verb->add_option("--etag", flags->etag, "Only where it is still as it was shown")
      ->option_text("ETAG");
  verb->add_flag("--dry-run", flags->dry_run, "Check only");
}

void AddSeek(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<SeekFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "seek", "Move a subscription: what it delivers next",
      "cdgate subscription seek deployer --to 2026-11-22T15:30:52Z\n"
      "cdgate subscription seek deployer --event 271069a8-fc18-44f1-b38f-9d70a1695819",
      kBoth, [flags](Invocation& run) { return Seek(*flags, run); });
  AddName(verb, &flags->name);
  verb->add_option("--to", flags->to,
                   "earliest, latest, the sequence of the first event, a time (RFC 3339), or a "
                   "position EPOCH:SEQ to go on after")
      ->option_text("START");
  verb->add_option("--event", flags->event, "The first event, by id")->option_text("ID");
}

}  // namespace

void AddSubscriptionVerbs(Verbs& verbs) {
  CLI::App* const group =
      verbs.AddGroup("subscription", "Durable subscriptions, their positions and dead letters");
  AddCreate(verbs, group);
  verbs.AddVerb(group, "list", "List the subscriptions, their positions and lags",
                "cdgate subscription list", kBoth, List);
  const auto shown = std::make_shared<std::string>();
  AddName(verbs.AddVerb(group, "show", "Show a subscription and where it stands",
                        "cdgate subscription show deployer", kBoth,
                        [shown](Invocation& run) { return Show(*shown, run); }),
          shown.get());
  AddUpdate(verbs, group);
  AddSeek(verbs, group);
  const auto deleted = std::make_shared<std::string>();
  AddName(verbs.AddVerb(group, "delete", "Delete a subscription, its position and dead letters",
                        "cdgate subscription delete deployer", kBoth,
                        [deleted](Invocation& run) { return Delete(*deleted, run); }),
          deleted.get());
  AddSubscriptionLetterVerbs(verbs, group);
}

}  // namespace cdgate::cli
