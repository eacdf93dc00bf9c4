#include "gateway/api/diagnosis.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "federation/manager/lifetime.h"
#include "gateway/base/errors.h"
#include "gateway/base/timestamp.h"

namespace cdgate::api {
namespace {

using admin::v1::Finding;
using base::Reason;

std::string TimeText(absl::Time time) {
  if (time == absl::InfiniteFuture()) return "it is ended";
  return base::FormatRfc3339(absl::ToUnixSeconds(time), 0);
}

Finding Good(std::string detail) {
  Finding out;
  out.set_state(admin::v1::FINDING_STATE_GOOD);
  out.set_detail(std::move(detail));
  return out;
}

Finding NotTested(std::string detail) {
  Finding out;
  out.set_state(admin::v1::FINDING_STATE_NOT_TESTED);
  out.set_detail(std::move(detail));
  return out;
}

Finding Failed(const std::string& reason, std::string detail, std::string remedy) {
  Finding out;
  out.set_state(admin::v1::FINDING_STATE_FAILED);
  out.set_reason(reason);
  out.set_detail(std::move(detail));
  out.set_remedy(std::move(remedy));
  return out;
}

Finding Failed(Reason reason, std::string detail, std::string remedy) {
  return Failed(base::ReasonLabel(reason), std::move(detail), std::move(remedy));
}

Finding Failed(const absl::Status& why, std::string remedy) {
  return Failed(base::ReasonOf(why).value_or(Reason::kInternal), std::string(why.message()),
                std::move(remedy));
}

bool IsUp(const PeerPathFacts& facts) { return facts.link.state() == admin::v1::LINK_STATE_UP; }

// What a layer of the way there says where the peer dials us.
Finding Dialled(const PeerPathFacts& facts) {
  return IsUp(facts) ? Good("it dials us, and the link is up")
                     : NotTested("it dials us, so this side cannot see the way");
}

Finding Name(const PeerPathFacts& facts) {
  if (!facts.dial) return Dialled(facts);
  const std::string& endpoint = facts.peer.endpoint();
  if (facts.dial->name.ok()) {
    return Good(absl::StrCat(endpoint, " is ", absl::StrJoin(facts.dial->addresses, ", ")));
  }
  return Failed(facts.dial->name,
                absl::StrCat("correct the name with cdgate peer set ", facts.peer.domain(),
                             " --endpoint HOST:PORT, or the resolver of this machine"));
}

Finding Route(const PeerPathFacts& facts) {
  if (!facts.dial) return Dialled(facts);
  if (facts.dial->route.ok()) return Good("this machine has a route there");
  return Failed(facts.dial->route,
                "correct the routes of this machine, or the address with cdgate peer set "
                "--endpoint");
}

Finding Tcp(const PeerPathFacts& facts) {
  if (!facts.dial) return Dialled(facts);
  if (facts.dial->tcp.ok()) return Good(absl::StrCat("connected to ", facts.dial->address));
  return Failed(facts.dial->tcp,
                "see whether its gateway runs and listens there, and what firewalls on the way "
                "let through");
}

Finding Tls(const PeerPathFacts& facts) {
  if (!facts.dial) return Dialled(facts);
  if (facts.dial->tls.ok()) return Good("it speaks TLS 1.3");
  return Failed(facts.dial->tls,
                "what answers there is no gateway's peers listener; correct the port, or what "
                "ends TLS on the way");
}

// Of our own certificate, which whoever is there will refuse.
bool OwnHasEnded(const PeerPathFacts& facts) { return facts.now >= facts.own_until; }

std::string WhoIsThere(const PeerPathFacts& facts) {
  return absl::StrCat(facts.dial->shown_id.empty() ? "somebody without a SPIFFE ID"
                                                   : facts.dial->shown_id);
}

Finding CertificateThere(const PeerPathFacts& facts) {
  const absl::Status& why = facts.dial->certificate;
  const Reason reason = base::ReasonOf(why).value_or(Reason::kInternal);
  const std::string remedy =
      reason == Reason::kCertificateExpired || reason == Reason::kCertificateNotYetValid
          ? "its operator renews the certificate; where that is good, one of the clocks is wrong"
      : reason == Reason::kWrongPeer || reason == Reason::kUnknownTrustDomain
          ? "another gateway answers there; correct the endpoint"
          : absl::StrCat(
                "compare fingerprints with its operator; where its CA is a new one that "
                "no old one vouches for, cdgate trust set ",
                facts.peer.domain(), " --bundle FILE");
  return Failed(base::ReasonLabel(reason),
                absl::StrCat("there is ", WhoIsThere(facts), ": ", why.message()), remedy);
}

Finding Certificate(const PeerPathFacts& facts) {
  if (!facts.dial) {
    if (IsUp(facts) || !facts.refused) return Dialled(facts);
    return Failed(facts.refused->reason,
                  absl::StrCat("it dialled us at ", TimeText(facts.refused->when),
                               " and was refused: ", facts.refused->detail),
                  absl::StrCat("see cdgate peer doctor ", facts.own_domain, " on its side"));
  }
  if (!facts.dial->certificate.ok()) return CertificateThere(facts);
  if (OwnHasEnded(facts)) {
    return Failed(Reason::kCertificateExpired,
                  absl::StrCat("our own certificate ended at ", TimeText(facts.own_until)),
                  "renew it with cdgate cert issue");
  }
  const auto reason = base::ReasonOf(facts.dial->call);
  if (reason == Reason::kUnreachable || reason == Reason::kPeerClosedHandshake) {
    return Failed(Reason::kPeerClosedHandshake,
                  absl::StrCat(WhoIsThere(facts),
                               " ended the handshake after it saw our "
                               "certificate; its log has the reason"),
                  absl::StrCat("its operator looks whether it still has the agreement with ",
                               facts.own_domain, ", and our present bundle"));
  }
  return Good(absl::StrCat("there is ", WhoIsThere(facts), " under the bundle of ",
                           facts.peer.domain(), ", until ", TimeText(facts.dial->shown_until),
                           "; ours until ", TimeText(facts.own_until)));
}

Finding Clock(const PeerPathFacts& facts) {
  if (!facts.dial || !facts.dial->theirs) return NotTested("the other side did not tell its time");
  const absl::Duration apart = absl::AbsDuration(facts.dial->skew);
  const std::string text =
      absl::StrCat("its clock is ", absl::FormatDuration(absl::Trunc(apart, absl::Milliseconds(1))),
                   facts.dial->skew < absl::ZeroDuration() ? " behind" : " ahead of", " ours");
  if (apart <= kGreatestSkew) return Good(text);
  return Failed("", text, "set both clocks by NTP");
}

std::optional<Finding> AgreementHere(const PeerPathFacts& facts) {
  const std::string& domain = facts.peer.domain();
  if (facts.started_frozen) {
    return Failed(Reason::kFrozen, "this gateway was started frozen", "cdgate export resume --all");
  }
  if (facts.peer.frozen()) {
    return Failed(Reason::kFrozen, absl::StrCat(domain, " is frozen here"),
                  absl::StrCat("cdgate peer resume ", domain, ", when it may be trusted again"));
  }
  if (facts.peer.state() != admin::v1::PEER_STATE_APPROVED) {
    return Failed(Reason::kAgreementPending, "the agreement is not approved on this side",
                  absl::StrCat("compare the fingerprints, then cdgate peer approve ", domain));
  }
  const absl::Time end = manager::EndOf(facts.peer);
  if (facts.now < end) return std::nullopt;
  return Failed(Reason::kAgreementExpired,
                absl::StrCat("the agreement ended here at ", TimeText(end)),
                absl::StrCat("cdgate peer renew ", domain));
}

// What a link, or the call about the agreement, was told by the other side.
bool IsAboutAgreement(std::optional<Reason> reason) {
  return reason == Reason::kFrozen || reason == Reason::kAgreementPending ||
         reason == Reason::kAgreementExpired || reason == Reason::kNoAgreement;
}

std::string AgreementRemedy(Reason reason, const std::string& own) {
  switch (reason) {
    case Reason::kFrozen: return absl::StrCat("its operator runs cdgate peer resume ", own);
    case Reason::kAgreementPending:
      return absl::StrCat("its operator compares the fingerprints and runs cdgate peer approve ",
                          own);
    case Reason::kAgreementExpired:
      return absl::StrCat("its operator runs cdgate peer renew ", own);
    default: return "remove the peer here, and peer anew by invite and accept";
  }
}

Finding ToldThere(Reason reason, absl::string_view text, const std::string& own) {
  return Failed(base::ReasonLabel(reason), absl::StrCat("the other side says: ", text),
                AgreementRemedy(reason, own));
}

std::optional<Finding> AgreementThere(const PeerPathFacts& facts) {
  const auto told = facts.dial ? base::ReasonOf(facts.dial->call) : std::nullopt;
  if (IsAboutAgreement(told)) {
    return ToldThere(*told, facts.dial->call.message(), facts.own_domain);
  }
  const auto link = base::ReasonFromText(facts.link.reason());
  if (facts.link.state() == admin::v1::LINK_STATE_DOWN && IsAboutAgreement(link)) {
    return ToldThere(*link, facts.link.message(), facts.own_domain);
  }
  if (!facts.dial || !facts.dial->theirs) return std::nullopt;
  const federation::v1::GetAgreementResponse& theirs = *facts.dial->theirs;
  if (!theirs.same_agreement()) {
    return ToldThere(Reason::kNoAgreement, "it holds another agreement than ours",
                     facts.own_domain);
  }
  if (!theirs.approved()) {
    return ToldThere(Reason::kAgreementPending, "not approved yet", facts.own_domain);
  }
  if (theirs.started_frozen()) {
    return Failed(Reason::kFrozen, "the other gateway was started frozen",
                  "its operator runs cdgate export resume --all");
  }
  if (!theirs.has_expire_time()) return std::nullopt;
  const absl::Time end = absl::FromUnixSeconds(theirs.expire_time().seconds());
  if (facts.now + facts.dial->skew < end) return std::nullopt;
  return ToldThere(Reason::kAgreementExpired, absl::StrCat("it ended at ", TimeText(end)),
                   facts.own_domain);
}

Finding Agreement(const PeerPathFacts& facts) {
  if (auto here = AgreementHere(facts)) return *std::move(here);
  if (auto there = AgreementThere(facts)) return *std::move(there);
  const std::string here =
      absl::StrCat("approved here until ", TimeText(manager::EndOf(facts.peer)));
  const bool known = facts.dial && facts.dial->theirs;
  if (known && facts.dial->theirs->has_expire_time()) {
    return Good(
        absl::StrCat(here, ", there until ",
                     TimeText(absl::FromUnixSeconds(facts.dial->theirs->expire_time().seconds())),
                     ", the same agreement"));
  }
  return Good(
      absl::StrCat(here, known || IsUp(facts) ? ", and there" : "; the other side is not known"));
}

// Whether a direction is open, as far as both sides are known.
struct Directions {
  bool out = false, in = false;
  std::string why_not_out, why_not_in;
};

Directions DirectionsOf(const PeerPathFacts& facts) {
  Directions open;
  const auto& theirs = facts.dial ? facts.dial->theirs : std::nullopt;
  const auto first = [](std::initializer_list<std::pair<bool, const char*>> causes) -> std::string {
    for (const auto& [is, text] : causes) {
      if (is) return text;
    }
    return "";
  };
  open.why_not_out =
      first({{facts.exports_stopped, "all exports are stopped here"},
             {!facts.exports_something, "no export rule here allows anything"},
             {theirs && !theirs->imports_something(), "no import rule there allows anything"}});
  open.why_not_in =
      first({{!facts.imports_something, "no import rule here allows anything"},
             {theirs && theirs->exports_stopped(), "all exports are stopped there"},
             {theirs && !theirs->exports_something(), "no export rule there allows anything"}});
  open.out = open.why_not_out.empty();
  open.in = open.why_not_in.empty();
  return open;
}

Finding Policy(const PeerPathFacts& facts) {
  const Directions open = DirectionsOf(facts);
  const std::string text = absl::StrCat("out: ", open.out ? "open" : open.why_not_out,
                                        "; in: ", open.in ? "open" : open.why_not_in);
  if (facts.exports_stopped && facts.exports_something) {
    return Failed(Reason::kExportsStopped, text,
                  "cdgate export resume --all, when events may leave again");
  }
  if (open.out || open.in) return Good(text);
  if (!facts.has_policy) {
    return Failed(Reason::kNoPolicy, absl::StrCat("no policy is in force here; ", text),
                  "apply one with cdgate policy apply");
  }
  return Failed(Reason::kNoRule, text,
                "both sides need a rule that allows something: cdgate policy apply here or there");
}

Finding Link(const PeerPathFacts& facts) {
  if (IsUp(facts))
    return Good(
        absl::StrCat("up since ", TimeText(absl::FromUnixSeconds(facts.link.since().seconds()))));
  const std::string text =
      absl::StrCat("the link is not up: ",
                   facts.link.message().empty() ? "not connected yet" : facts.link.message());
  const std::string& reason = facts.link.reason();
  if (facts.dial) {
    return Failed(reason, text, "it is dialled again by itself; see both logs for the reason");
  }
  return Failed(
      reason.empty() ? base::ReasonLabel(Reason::kLinkDown) : reason, text,
      absl::StrCat("it dials us: run cdgate peer doctor ", facts.own_domain, " on its side"));
}

std::string LagCause(const PeerPathFacts& facts) {
  if (!facts.dial || !facts.dial->theirs || facts.dial->theirs->import_stall().empty()) {
    return "";
  }
  return absl::StrCat("; it cannot take anything in: ", facts.dial->theirs->import_stall());
}

Finding Lag(const PeerPathFacts& facts) {
  if (!facts.import_stall.ok()) {
    return Failed(facts.import_stall, "what came from it waits until this is over here");
  }
  const bool late = facts.lag_events > 0 && facts.lag_age > kLateAfter;
  if (!late) {
    return Good(facts.lag_events == 0 ? "nothing waits"
                                      : absl::StrCat(facts.lag_events, " events on their way"));
  }
  return Failed("",
                absl::StrCat(facts.lag_events, " events wait, the oldest for ",
                             absl::FormatDuration(absl::Trunc(facts.lag_age, absl::Seconds(1))),
                             LagCause(facts)),
                "see the limits of both policies, and whether the other side takes anything in: "
                "its cdgate status and free disk space");
}

struct Layer {
  const char* name;
  Finding (*judge)(const PeerPathFacts&);
};
constexpr Layer kLayers[] = {{"name", Name},
                             {"route", Route},
                             {"tcp", Tcp},
                             {"tls", Tls},
                             {"certificate", Certificate},
                             {"clock", Clock},
                             {"agreement", Agreement},
                             {"policy", Policy},
                             {"link", Link},
                             {"lag", Lag}};

}  // namespace

admin::v1::DoctorPeerResponse Diagnose(const PeerPathFacts& facts) {
  admin::v1::DoctorPeerResponse out;
  for (const Layer& layer : kLayers) {
    Finding finding = out.first_failure().empty()
                          ? layer.judge(facts)
                          : NotTested(absl::StrCat(out.first_failure(), " fails before it"));
    finding.set_layer(layer.name);
    if (finding.state() == admin::v1::FINDING_STATE_FAILED) out.set_first_failure(layer.name);
    *out.add_findings() = std::move(finding);
  }
  return out;
}

}  // namespace cdgate::api
