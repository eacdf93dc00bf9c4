// Agreements with other domains.
#include <algorithm>
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/describe.h"
#include "gateway/cli/input.h"
#include "gateway/cli/verbs.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;

struct InviteFlags {
  std::string ttl;
  std::string purpose;
  std::string domain;
  std::string revoke;
  std::string agreement_for;
  std::vector<std::string> contacts;
  bool offline = false;
};

absl::StatusOr<int> Revoke(const std::string& id, Invocation& run) {
  admin::v1::RevokeInviteRequest request;
  request.set_invite_id(id);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::RevokeInvite, request));
  run.Print(answer, [&] { run.out() << "revoked " << id << "\n"; });
  return kExitDone;
}

std::string LifetimeText(const google::protobuf::Duration& lifetime) {
  return config::FormatDuration(ToDuration(lifetime));
}

std::string AfterInvite(const admin::v1::CreateInviteResponse& invite, bool offline) {
  return absl::StrCat(
      "invite ", invite.invite_id(), " works once, until ", TimeText(ToTime(invite.expire_time())),
      "; hand the token over on a channel you trust\n",
      // A gateway of an older release does not say.
      invite.has_agreement_lifetime()
          ? absl::StrCat("the agreement will hold for ", LifetimeText(invite.agreement_lifetime()),
                         "\n")
          : "",
      "our fingerprint ", invite.fingerprint(),
      offline
          ? "\nnext: the other domain runs cdgate peer accept --offline TOKEN and gives you its "
            "reply code; then here: cdgate peer approve CODE"
          : "\nnext: the other domain runs cdgate peer accept TOKEN");
}

absl::StatusOr<int> Invite(const InviteFlags& flags, Invocation& run) {
  if (!flags.revoke.empty()) return Revoke(flags.revoke, run);
  admin::v1::CreateInviteRequest request;
  if (!flags.ttl.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const absl::Duration ttl, ParseDurationFlag("--ttl", flags.ttl));
    *request.mutable_ttl() = ToProto(ttl);
  }
  if (!flags.agreement_for.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const absl::Duration lifetime,
                            ParseDurationFlag("--agreement-for", flags.agreement_for));
    *request.mutable_agreement_lifetime() = ToProto(lifetime);
  }
  request.set_purpose(flags.purpose);
  for (const std::string& contact : flags.contacts) request.add_contacts(contact);
  request.set_domain(flags.domain);
  request.set_offline(flags.offline);
  CDGATE_ASSIGN_OR_RETURN(const auto invite, run.Admin(&Admin::CreateInvite, request));
  run.Print(invite, [&] {
    run.out() << invite.token() << "\n";
    run.Note(AfterInvite(invite, flags.offline));
  });
  return kExitDone;
}

struct AcceptFlags {
  std::string token;
  std::string purpose;
  std::vector<std::string> contacts;
  bool offline = false;
  bool show = false;
};

std::string OrNone(absl::string_view text) { return text.empty() ? "-" : std::string(text); }

void PrintInvite(const admin::v1::CheckInviteResponse& invite, std::ostream& out) {
  out << "invited by        " << invite.domain() << "\n"
      << "its fingerprint   " << invite.fingerprint() << "\n"
      << "purpose           " << OrNone(invite.purpose()) << "\n"
      << "contacts          " << OrNone(absl::StrJoin(invite.contacts(), ", ")) << "\n"
      << "agreement         for " << LifetimeText(invite.agreement_lifetime())
      << " from when it is made\n"
      << "works until       " << TimeText(ToTime(invite.expire_time())) << "\n"
      << "for               "
      << (invite.accepter_domain().empty() ? "any domain" : invite.accepter_domain()) << "\n"
      << "enrolment at      " << OrNone(invite.endpoint())
      << (invite.offline() ? "; can be accepted with --offline" : "") << "\n";
  if (!invite.reason().empty()) out << "cannot be used    " << invite.message() << "\n";
}

// Whether it could be accepted is the answer.
absl::StatusOr<int> ShowInvite(const std::string& token, Invocation& run) {
  admin::v1::CheckInviteRequest request;
  request.set_token(token);
  CDGATE_ASSIGN_OR_RETURN(const auto invite, run.Admin(&Admin::CheckInvite, request));
  run.Print(invite, [&] {
    PrintInvite(invite, run.out());
    run.Note("nothing was accepted; what it says is as good as the channel that it came on");
  });
  return invite.reason().empty() ? kExitDone : kExitNo;
}

void PrintAccepted(const admin::v1::AcceptInviteResponse& answer, const Invocation& run) {
  std::ostream& out = run.out();
  out << "peer              " << answer.peer().domain() << "\n"
      << "its fingerprint   " << answer.peer_fingerprint() << "\n"
      << "our fingerprint   " << answer.our_fingerprint() << "\n"
      << "purpose           " << OrNone(answer.peer().purpose()) << "\n"
      << "contacts          " << OrNone(absl::StrJoin(answer.peer().contacts(), ", ")) << "\n"
      << "agreement until   " << TimeText(ToTime(answer.peer().expire_time())) << "\n";
  const std::string here =
      absl::StrCat("here: cdgate peer approve ", answer.peer().domain(),
                   ", or, to refuse, cdgate peer remove ", answer.peer().domain());
  if (answer.reply_code().empty()) {
    return run.Note(
        absl::StrCat("next: compare the fingerprints by voice, then both sides run "
                     "cdgate peer approve; ",
                     here));
  }
  out << "reply code        " << answer.reply_code() << "\n";
  run.Note(absl::StrCat("next: give the reply code to ", answer.peer().domain(),
                        " and compare the fingerprints by voice; there: cdgate peer approve CODE; ",
                        here));
}

absl::StatusOr<int> Accept(const AcceptFlags& flags, Invocation& run) {
  admin::v1::AcceptInviteRequest request;
  CDGATE_ASSIGN_OR_RETURN(*request.mutable_token(), ArgumentOrInput(flags.token, run.streams()));
  if (flags.show) return ShowInvite(request.token(), run);
  request.set_purpose(flags.purpose);
  for (const std::string& contact : flags.contacts) request.add_contacts(contact);
  request.set_offline(flags.offline);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::AcceptInvite, request));
  run.Print(answer, [&] { PrintAccepted(answer, run); });
  return kExitDone;
}

// A domain has no capital letter; base64 of any length has. So a code that lost its beginning
// is still told from a domain.
bool LooksLikeCode(absl::string_view text) {
  return absl::StartsWith(text, "cdgate-reply-") || absl::StartsWith(text, "cdgate-invite-") ||
         std::any_of(text.begin(), text.end(), [](char c) { return absl::ascii_isupper(c); });
}

struct ApproveFlags {
  std::string which;
  std::string fingerprint;
};

absl::StatusOr<int> Approve(const ApproveFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const std::string which, ArgumentOrInput(flags.which, run.streams()));
  admin::v1::ApprovePeerRequest request;
  if (LooksLikeCode(which)) {
    request.set_reply_code(which);
  } else {
    request.set_domain(which);
  }
  request.set_fingerprint(flags.fingerprint);
  CDGATE_ASSIGN_OR_RETURN(const auto peer, run.Admin(&Admin::ApprovePeer, request));
  run.Print(peer, [&] {
    run.out() << "approved " << peer.domain() << "\n";
    run.Note(
        absl::StrCat("next: nothing crosses without a policy: cdgate policy apply FILE "
                     "--unplanned, with peer: ",
                     peer.domain()));
  });
  return kExitDone;
}

absl::StatusOr<int> ListAll(Invocation& run) {
  admin::v1::ListPeersResponse all;
  admin::v1::ListPeersRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Admin(&Admin::ListPeers, request));
    request.set_page_token(page.next_page_token());
    all.mutable_peers()->MergeFrom(page.peers());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    run.Print(PeerTable(all.peers()), "no peers; invite one with cdgate peer invite");
  });
  return kExitDone;
}

absl::StatusOr<int> Show(const std::string& domain, Invocation& run) {
  admin::v1::GetPeerRequest request;
  request.set_domain(domain);
  CDGATE_ASSIGN_OR_RETURN(const auto peer, run.Admin(&Admin::GetPeer, request));
  run.Print(peer, [&] { PrintPeer(peer, run.out()); });
  return kExitDone;
}

absl::StatusOr<int> Freeze(const std::string& domain, const std::string& reason, Invocation& run) {
  admin::v1::FreezePeerRequest request;
  request.set_domain(domain);
  request.set_reason(reason);
  CDGATE_ASSIGN_OR_RETURN(const auto peer, run.Admin(&Admin::FreezePeer, request));
  run.Print(peer, [&] { run.out() << "frozen " << peer.domain() << "\n"; });
  return kExitDone;
}

absl::StatusOr<int> Resume(const std::string& domain, Invocation& run) {
  admin::v1::ResumePeerRequest request;
  request.set_domain(domain);
  CDGATE_ASSIGN_OR_RETURN(const auto peer, run.Admin(&Admin::ResumePeer, request));
  run.Print(peer, [&] { run.out() << "resumed " << peer.domain() << "\n"; });
  return kExitDone;
}

constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

void AddInvite(Verbs& verbs, CLI::App* group) {
  const auto invite = std::make_shared<InviteFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "invite", "Make a token that lets one other domain peer with ours",
                    "cdgate peer invite --domain beta.example --purpose 'joint releases' "
                    "--agreement-for 90d",
                    kBoth, [invite](Invocation& run) { return Invite(*invite, run); });
  CLI::Option* const revoke =
      verb->add_option("--revoke", invite->revoke, "Make none: revoke the invite of this id")
          ->option_text("ID");
  verb->add_option("--ttl", invite->ttl, "How long it works")
      ->option_text("DURATION=24h")
      ->excludes(revoke);
  verb->add_option("--purpose", invite->purpose, "What the agreement is for")
      ->option_text("TEXT")
      ->excludes(revoke);
  verb->add_option("--contact", invite->contacts, "Whom to call here; may be repeated")
      ->option_text("TEXT")
      ->expected(1)
      ->take_all()
      ->excludes(revoke);
  verb->add_option("--agreement-for", invite->agreement_for,
                   "How long the agreement holds from when it is made, unless renewed")
      ->option_text("DURATION=365d")
      ->excludes(revoke);
  verb->add_option("--domain", invite->domain, "Only this domain may use it")
      ->option_text("DOMAIN")
      ->excludes(revoke);
  verb->add_flag("--offline", invite->offline,
                 "Put our whole bundle into the token, for a domain that cannot dial us")
      ->excludes(revoke);
}

void AddAccept(Verbs& verbs, CLI::App* group) {
  const auto accept = std::make_shared<AcceptFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "accept", "Use another domain's token",
                    "cdgate peer accept cdgate-invite-… --show\n"
                    "cdgate peer accept cdgate-invite-…\n"
                    "cdgate peer accept - < token",
                    kBoth, [accept](Invocation& run) { return Accept(*accept, run); });
  verb->add_option("TOKEN", accept->token, "The token; - reads it from standard input")->required();
  verb->add_option("--purpose", accept->purpose, "What the agreement is for, in our words")
      ->option_text("TEXT");
  verb->add_option("--contact", accept->contacts, "Whom to call here; may be repeated")
      ->option_text("TEXT")
      ->expected(1)
      ->take_all();
  CLI::Option* const offline = verb->add_flag("--offline", accept->offline,
                                              "Do not dial: print a reply code for its operator");
  verb->add_flag("--show", accept->show,
                 "Accept nothing: show what the token says of the agreement")
      ->excludes(offline);
}

void AddApprove(Verbs& verbs, CLI::App* group) {
  const auto approve = std::make_shared<ApproveFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "approve", "Approve an agreement for our side",
                    "cdgate peer approve beta.example --fingerprint 5F:03:…", kBoth,
                    [approve](Invocation& run) { return Approve(*approve, run); });
  verb->add_option("DOMAIN|CODE", approve->which,
                   "A pending peer, or the other side's reply code; - reads it")
      ->required();
  verb->add_option("--fingerprint", approve->fingerprint,
                   "The peer's fingerprint as compared; fails where it differs")
      ->option_text("SHA256");
}

// A verb that takes a domain and nothing else.
void AddDomainVerb(Verbs& verbs, CLI::App* group, const std::string& name,
                   const std::string& description,
                   absl::StatusOr<int> (*action)(const std::string&, Invocation&)) {
  const auto domain = std::make_shared<std::string>();
  verbs
      .AddVerb(group, name, description, absl::StrCat("cdgate peer ", name, " beta.example"),
               Verbs::kConnects | Verbs::kPrints,
               [domain, action](Invocation& run) { return action(*domain, run); })
      ->add_option("DOMAIN", *domain, "The peer")
      ->required();
}

}  // namespace

void AddPeerVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("peer", "Agreements with other domains");
  AddInvite(verbs, group);
  AddAccept(verbs, group);
  AddApprove(verbs, group);
  verbs.AddVerb(group, "list", "List the peers and their links", "cdgate peer list",
                Verbs::kConnects | Verbs::kPrints, ListAll);
  AddDomainVerb(verbs, group, "show", "Show one peer and its link", Show);
  const auto domain = std::make_shared<std::string>();
  const auto reason = std::make_shared<std::string>();
  CLI::App* const freeze = verbs.AddVerb(
      group, "freeze", "Let nothing cross, either way, within a second",
      "cdgate peer freeze beta.example --reason 'key lost'", Verbs::kConnects | Verbs::kPrints,
      [domain, reason](Invocation& run) { return Freeze(*domain, *reason, run); });
  freeze->add_option("DOMAIN", *domain, "The peer")->required();
  freeze->add_option("--reason", *reason, "Why, for the record")->option_text("TEXT");
  AddDomainVerb(verbs, group, "resume", "End a freeze", Resume);
  AddAgreementVerbs(verbs, group);
  AddCountVerb(verbs, group);
  AddLostVerb(verbs, group);
  AddDeadLetterVerbs(verbs, group);
}

}  // namespace cdgate::cli
