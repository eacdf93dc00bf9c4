// How long agreements hold, what ends with them, whether anything leaves, and why nothing does.
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/agreement.grpc.pb.h"
#include "gateway/base/status_macros.h"
#include "gateway/base/timestamp.h"
#include "gateway/cli/describe.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Agreements = admin::v1::AgreementService::Stub;
using admin::v1::Peer;

constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;
// The way to a peer is tested step by step, each with a limit of its own.
constexpr absl::Duration kDoctorTimeout = absl::Seconds(90);

// ------------------------------------------------------------------- renewing

struct RenewFlags {
  std::string domain;
  std::string until;
  std::string lifetime;
};

absl::StatusOr<google::protobuf::Timestamp> ParseUntil(const std::string& text) {
  google::protobuf::Timestamp out;
  int64_t seconds = 0;
  int32_t nanos = 0;
  // A day alone is its beginning.
  if (!base::ParseRfc3339(text, &seconds, &nanos) &&
      !base::ParseRfc3339(absl::StrCat(text, "T00:00:00Z"), &seconds, &nanos)) {
    return UsageError(
        absl::StrCat("--until ", text, " is no time; write 2027-06-30 or 2027-06-30T12:00:00Z"));
  }
  out.set_seconds(seconds);
  return out;
}

absl::StatusOr<int> Renew(const RenewFlags& flags, Invocation& run) {
  admin::v1::RenewPeerRequest request;
  request.set_domain(flags.domain);
  if (flags.until.empty() == flags.lifetime.empty()) {
    return UsageError("say until when: --until TIME or --for DURATION, one of them");
  }
  if (!flags.until.empty()) {
    CDGATE_ASSIGN_OR_RETURN(*request.mutable_expire_time(), ParseUntil(flags.until));
  } else {
    CDGATE_ASSIGN_OR_RETURN(const absl::Duration lifetime,
                            ParseDurationFlag("--for", flags.lifetime));
    *request.mutable_lifetime() = ToProto(lifetime);
  }
  CDGATE_ASSIGN_OR_RETURN(const Peer peer, run.Call(&Agreements::RenewPeer, request));
  run.Print(peer, [&] {
    run.out() << "the agreement with " << peer.domain() << " holds until "
              << TimeText(ToTime(peer.expire_time())) << " on our side\n";
    run.Note("next: the other side has an end of its own; the link stops at the earlier one");
  });
  return kExitDone;
}

// -------------------------------------------------------------------- noting

struct SetFlags {
  std::string domain;
  std::vector<std::string> contacts, sources;
  std::string purpose, endpoint, dial;
  bool any_source = false;
  CLI::Option* purpose_given = nullptr;
  CLI::Option* endpoint_given = nullptr;
};

absl::StatusOr<int> Set(const SetFlags& flags, Invocation& run) {
  admin::v1::UpdatePeerRequest request;
  request.set_domain(flags.domain);
  if (flags.purpose_given->count() > 0) request.set_purpose(flags.purpose);
  if (flags.endpoint_given->count() > 0) request.set_endpoint(flags.endpoint);
  for (const std::string& contact : flags.contacts) request.add_contacts(contact);
  if (!flags.dial.empty()) request.set_dial(flags.dial == "yes");
  for (const std::string& source : flags.sources) request.add_sources(source);
  request.set_any_source(flags.any_source);
  CDGATE_ASSIGN_OR_RETURN(const Peer peer, run.Call(&Agreements::UpdatePeer, request));
  run.Print(peer, [&] {
    run.out() << "noted of " << peer.domain() << "; "
              << (peer.dial() ? absl::StrCat("we dial it at ", peer.endpoint()) : "it dials us")
              << "\n";
  });
  return kExitDone;
}

// ------------------------------------------------------------------- removing

void PrintHeld(const char* who, uint64_t events, bool known,
               const google::protobuf::Timestamp& oldest, const google::protobuf::Timestamp& newest,
               const char* whose, std::ostream& out) {
  out << who << Count(events, "event") << " of " << whose;
  if (known) out << ", from " << TimeText(true, oldest) << " to " << TimeText(true, newest);
  out << "\n";
}

void PrintHoldings(const admin::v1::GetHoldingsResponse& held, std::ostream& out) {
  if (held.dead_letters() > 0) {
    out << "dead letters   " << held.dead_letters() << " that nobody redrove or dropped\n";
  }
  if (held.open_backfills() > 0) {
    out << "backfills      " << held.open_backfills() << " not over, and ended by this\n";
  }
}

absl::StatusOr<int> Remove(const std::string& domain, Invocation& run) {
  admin::v1::GetHoldingsRequest about;
  about.set_domain(domain);
  const auto held = run.Call(&Agreements::GetHoldings, about);
  admin::v1::RemovePeerRequest request;
  request.set_domain(domain);
  CDGATE_ASSIGN_OR_RETURN(const auto answer,
                          run.Admin(&admin::v1::AdminService::Stub::RemovePeer, request));
  run.Print(answer, [&] {
    std::ostream& out = run.out();
    out << "removed " << domain << "\n";
    // A gateway of an older release counts, and knows no times.
    const admin::v1::GetHoldingsResponse more = held.value_or(admin::v1::GetHoldingsResponse());
    PrintHeld("it holds       ", answer.events_given(),
              more.has_oldest_given() && more.has_newest_given(), more.oldest_given(),
              more.newest_given(), "ours", out);
    PrintHeld("we hold        ", answer.events_received(),
              more.has_oldest_received() && more.has_newest_received(), more.oldest_received(),
              more.newest_received(), "its", out);
    PrintHoldings(more, out);
    run.Note(absl::StrCat("events stay where they are; ", domain,
                          " is told, where the link is up, that we ended the agreement"));
  });
  return kExitDone;
}

// -------------------------------------------------------------------- doctor

std::string StateText(admin::v1::FindingState state) {
  switch (state) {
    case admin::v1::FINDING_STATE_GOOD: return "good";
    case admin::v1::FINDING_STATE_FAILED: return "FAILED";
    default: return "not tested";
  }
}

void PrintFinding(const admin::v1::Finding& finding, std::ostream& out) {
  const auto padded = [](std::string text, size_t width) {
    text.resize(std::max(width, text.size() + 1), ' ');
    return text;
  };
  out << padded(finding.layer(), 13) << padded(StateText(finding.state()), 12) << finding.detail();
  if (!finding.reason().empty()) out << " (" << finding.reason() << ")";
  out << "\n";
  if (!finding.remedy().empty()) out << padded("", 25) << "next: " << finding.remedy() << "\n";
}

absl::StatusOr<int> Doctor(const std::string& domain, Invocation& run) {
  admin::v1::DoctorPeerRequest request;
  request.set_domain(domain);
  CDGATE_ASSIGN_OR_RETURN(const auto answer,
                          run.Call(&Agreements::DoctorPeer, request, kDoctorTimeout));
  run.Print(answer, [&] {
    for (const admin::v1::Finding& finding : answer.findings()) PrintFinding(finding, run.out());
  });
  return answer.first_failure().empty() ? kExitDone : kExitNo;
}

// -------------------------------------------------------------------- exports

void PrintSwitch(const admin::v1::ExportSwitch& exports, std::ostream& out) {
  out << "exports   " << (exports.stopped() ? "stopped" : "not stopped") << "\n";
  if (exports.has_change_time()) {
    out << "since     " << TimeText(true, exports.change_time()) << ", by " << exports.changed_by()
        << "\n";
  }
  if (!exports.reason().empty()) out << "reason    " << exports.reason() << "\n";
  if (exports.started_frozen()) {
    out << "links     none: the gateway was started with --frozen\n";
  }
}

struct ExportFlags {
  bool all = false;
  std::string reason;
};

absl::StatusOr<int> Stop(const ExportFlags& flags, Invocation& run) {
  admin::v1::StopExportsRequest request;
  request.set_reason(flags.reason);
  CDGATE_ASSIGN_OR_RETURN(const auto exports, run.Call(&Agreements::StopExports, request));
  run.Print(exports, [&] {
    PrintSwitch(exports, run.out());
    run.Note("imports go on; next: cdgate export resume --all lets events leave again");
  });
  return kExitDone;
}

absl::StatusOr<int> Resume(Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto exports,
                          run.Call(&Agreements::ResumeExports, admin::v1::ResumeExportsRequest()));
  run.Print(exports, [&] { PrintSwitch(exports, run.out()); });
  return kExitDone;
}

absl::StatusOr<int> Status(Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto exports,
                          run.Call(&Agreements::GetExports, admin::v1::GetExportsRequest()));
  run.Print(exports, [&] { PrintSwitch(exports, run.out()); });
  return kExitDone;
}

// ------------------------------------------------------------------ the verbs

void AddRenew(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<RenewFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "renew", "Say until when an agreement holds",
                    "cdgate peer renew beta.example --for 365d\n"
                    "cdgate peer renew beta.example --until 2027-06-30",
                    kBoth, [flags](Invocation& run) { return Renew(*flags, run); });
  verb->add_option("DOMAIN", flags->domain, "The peer")->required();
  verb->add_option("--until", flags->until, "When it ends on our side, RFC 3339 or a day (UTC)")
      ->option_text("TIME");
  verb->add_option("--for", flags->lifetime,
                   "How long it holds from now on; from 1d on until the next midnight (UTC)")
      ->option_text("DURATION");
}

void AddSet(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<SetFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "set", "Change what is noted of a peer; what is not named stays",
                    "cdgate peer set beta.example --endpoint gw.beta.example:7444 --dial yes",
                    kBoth, [flags](Invocation& run) { return Set(*flags, run); });
  verb->add_option("DOMAIN", flags->domain, "The peer")->required();
  flags->purpose_given = verb->add_option("--purpose", flags->purpose, "What the agreement is for")
                             ->option_text("TEXT");
  verb->add_option("--contact", flags->contacts,
                   "Whom to call there; replaces all; may be repeated")
      ->option_text("TEXT")
      ->expected(1)
      ->take_all();
  flags->endpoint_given = verb->add_option("--endpoint", flags->endpoint,
                                           "Address of its peers listener; empty: it dials us")
                              ->option_text("HOST:PORT");
  verb->add_option("--dial", flags->dial, "Whether we dial it")
      ->check(CLI::IsMember({"yes", "no"}))
      ->option_text("yes|no");
  verb->add_option("--source", flags->sources,
                   "A source that its events may have, with '%' for any text; replaces all; may be "
                   "repeated")
      ->option_text("PATTERN")
      ->expected(1)
      ->take_all();
  verb->add_flag("--any-source", flags->any_source, "Its events may have any source");
}

void AddOfDomain(Verbs& verbs, CLI::App* group, const std::string& name,
                 const std::string& description,
                 absl::StatusOr<int> (*action)(const std::string&, Invocation&)) {
  const auto domain = std::make_shared<std::string>();
  verbs
      .AddVerb(group, name, description, absl::StrCat("cdgate peer ", name, " beta.example"), kBoth,
               [domain, action](Invocation& run) { return action(*domain, run); })
      ->add_option("DOMAIN", *domain, "The peer")
      ->required();
}

}  // namespace

void AddAgreementVerbs(Verbs& verbs, CLI::App* group) {
  AddRenew(verbs, group);
  AddSet(verbs, group);
  AddOfDomain(verbs, group, "remove", "End the agreement and forget the peer's bundle", Remove);
  AddOfDomain(verbs, group, "doctor", "Test the way to a peer, layer by layer", Doctor);
}

void AddExportVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("export", "Whether anything leaves this gateway");
  const auto flags = std::make_shared<ExportFlags>();
  CLI::App* const stop = verbs.AddVerb(group, "stop", "Let nothing leave, within a second",
                                       "cdgate export stop --all --reason 'leak suspected'", kBoth,
                                       [flags](Invocation& run) { return Stop(*flags, run); });
  stop->add_flag("--all", flags->all, "To every peer; a single one is stopped by its policy")
      ->required();
  stop->add_option("--reason", flags->reason, "Why, for the record")->option_text("TEXT");
  CLI::App* const resume =
      verbs.AddVerb(group, "resume", "Let events leave again; also ends a start with --frozen",
                    "cdgate export resume --all", kBoth, Resume);
  resume->add_flag("--all", flags->all, "To every peer")->required();
  verbs.AddVerb(group, "status", "Say whether exports are stopped, and by whom",
                "cdgate export status", kBoth, Status);
}

}  // namespace cdgate::cli
