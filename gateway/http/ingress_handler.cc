#include "gateway/http/ingress_handler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "auth/credentials/verifier.h"
#include "gateway/base/encoding.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/bearer.h"

namespace cdgate::http {
namespace {

using base::MakeError;
using base::Reason;

constexpr size_t kMaxOriginBytes = 255;
constexpr absl::Duration kVerdictHolds = absl::Minutes(1);

bool IsServedPath(absl::string_view path) { return path == "/" || path == "/events"; }

// A DNS expression, as the webhook specification has it, and nothing that could end the
// header field it is sent back in.
bool IsOrigin(absl::string_view origin) {
  return !origin.empty() && origin.size() <= kMaxOriginBytes &&
         std::all_of(origin.begin(), origin.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  absl::StrContains(".-_*:/[]", c);
         });
}

// We say to any sender that it may deliver, at any rate: what it delivers still needs a
// certificate or token, and too much is answered with 429. WebHook-Request-Callback is not
// called: whoever can make us call an address of its choice can reach what only we can.
absl::StatusOr<HttpAnswer> Handshake(const HttpHead& head) {
  HttpAnswer answer;
  answer.fields.emplace_back("Allow", "POST, OPTIONS");
  if (head.Count("webhook-request-origin") == 0) {
    answer.status = 204;
    return answer;
  }
  const absl::string_view origin = head.Find("webhook-request-origin");
  if (!IsOrigin(origin)) {
    return MakeError(Reason::kHttpMalformed,
                     absl::StrCat("WebHook-Request-Origin is \"", base::Shorten(origin),
                                  "\", expected one DNS name"));
  }
  answer.status = 200;
  answer.fields.emplace_back("WebHook-Allowed-Origin", std::string(origin));
  answer.fields.emplace_back("WebHook-Allowed-Rate", "*");
  return answer;
}

absl::Status Unauthenticated() {
  return MakeError(Reason::kUnauthenticatedCall,
                   "the request has no identity: connect with a client certificate, or send "
                   "Authorization: Bearer with a token of cdgate token create");
}

}  // namespace

absl::StatusOr<ClientCertificate> VerifyClient(const trust::SnapshotSource& trust,
                                               absl::string_view domain, absl::string_view leaf_pem,
                                               absl::string_view chain_pem, absl::Time now,
                                               bool again) {
  auto snapshot = trust.Current();
  const auto verify = again ? trust::VerifyEstablished : trust::Verify;
  CDGATE_ASSIGN_OR_RETURN(trust::VerifiedPeer peer,
                          verify(*snapshot, leaf_pem, chain_pem, crypto::Purpose::kClient, now));
  CDGATE_RETURN_IF_ERROR(credentials::CheckCaller(credentials::ServerSide::kApi, domain, peer.id));
  return ClientCertificate{std::move(peer), std::move(snapshot), now};
}

IngressHandler::IngressHandler(IngressDeps deps) : deps_(std::move(deps)), lines_(deps_.clock) {
  for (const IngressMode mode :
       {IngressMode::kBinary, IngressMode::kStructured, IngressMode::kBatch, IngressMode::kRaw}) {
    for (const bool accepted : {true, false}) {
      requests_[{mode, accepted}] = &deps_.metrics.AddCounter(
          "cdgate_http_requests_total", "Requests with events on the HTTP ingress.",
          {{"mode", std::string(ModeName(mode))}, {"outcome", accepted ? "accepted" : "refused"}});
    }
  }
  for (const base::ReasonInfo& info : base::AllReasons()) {
    refusals_[info.reason] = &deps_.metrics.AddCounter(
        "cdgate_http_refusals_total", "Requests on the HTTP ingress refused as a whole, by reason.",
        {{"reason", base::ReasonLabel(info.reason)}});
  }
}

HttpAnswer IngressHandler::Refuse(const absl::Status& status) const {
  refusals_.at(base::ReasonOf(status).value_or(Reason::kInternal))->Add();
  return ProblemAnswer(status);
}

std::optional<HttpAnswer> IngressHandler::BeforeBody(const HttpHead& head, IngressClient& client,
                                                     authz::Principal* principal) const {
  if (deps_.on_grant && absl::StartsWith(head.path, deps_.grant_path)) return Grant(head);
  const bool any_path = head.method == "OPTIONS" && head.path == "*";
  if (!IsServedPath(head.path) && !any_path) {
    return Refuse(MakeError(Reason::kPathUnknown,
                            absl::StrCat("nothing is served at ", base::Shorten(head.path),
                                         ": send events to / or /events")));
  }
  if (head.method == "OPTIONS") {
    auto answer = Handshake(head);
    return answer.ok() ? *std::move(answer) : Refuse(answer.status());
  }
  if (head.method != "POST") {
    return Refuse(MakeError(
        Reason::kHttpMethodRefused,
        absl::StrCat("events are sent with POST, not with ", base::Shorten(head.method))));
  }
  auto caller = Authenticate(head, client);
  absl::Status refused = caller.status();
  if (refused.ok() && deps_.deny) refused = deps_.deny(*caller);
  if (!refused.ok()) {
    if (deps_.on_refused) deps_.on_refused(client.address, caller.ok() ? caller->id : "", refused);
    if (const auto left_out = lines_.Next(client.address)) {
      base::LogError(base::LogLevel::kWarning, "request refused", refused,
                     {{"listener", "ingress"},
                      {"address", client.address},
                      {"left_out", absl::StrCat(*left_out)}});
    }
    // So that who goes on trying is slowed down by the limit on new connections.
    HttpAnswer answer = Refuse(refused);
    answer.close = true;
    return answer;
  }
  if (deps_.rates != nullptr) {
    if (const absl::Status rate = deps_.rates->TakeCall(*caller); !rate.ok()) return Refuse(rate);
  }
  *principal = *std::move(caller);
  return std::nullopt;
}

HttpAnswer IngressHandler::Grant(const HttpHead& head) const {
  if (head.method != "GET" && head.method != "POST") {
    return Refuse(MakeError(Reason::kHttpMethodRefused,
                            absl::StrCat("permission is granted with GET or POST, not with ",
                                         base::Shorten(head.method))));
  }
  const absl::string_view key = absl::StripPrefix(head.path, deps_.grant_path);
  if (absl::Status granted = deps_.on_grant(key, head.Find("webhook-allowed-rate"));
      !granted.ok()) {
    return Refuse(granted);
  }
  HttpAnswer answer;
  answer.status = 204;
  return answer;
}

absl::StatusOr<authz::Principal> IngressHandler::Authenticate(const HttpHead& head,
                                                              IngressClient& client) const {
  const size_t tokens = head.Count("authorization");
  if (tokens > 1) return MakeError(Reason::kHttpMalformed, "there are two Authorizations");
  if (tokens == 1) return ByToken(head.Find("authorization"));
  return ByCertificate(client);
}

absl::StatusOr<authz::Principal> IngressHandler::ByToken(absl::string_view authorization) const {
  CDGATE_ASSIGN_OR_RETURN(const absl::string_view token, rpc::BearerTokenOf(authorization));
  // Ours begin with cdgate_; those of an identity provider have three parts with dots between.
  if (deps_.identity_token && absl::StrContains(token, '.')) return deps_.identity_token(token);
  return deps_.tokens()->Authenticate(token, deps_.clock.Now());
}

absl::StatusOr<authz::Principal> IngressHandler::ByCertificate(IngressClient& client) const {
  if (!client.certificate) return Unauthenticated();
  ClientCertificate& shown = *client.certificate;
  const absl::Time now = deps_.clock.Now();
  // What the handshake verified stays true until trust changes or something expires: the
  // certificate, which is known exactly, or what it was verified by.
  const bool old = now < shown.verified_at || now - shown.verified_at >= kVerdictHolds;
  if (shown.verified_under != deps_.trust->Current() || now >= shown.peer.not_after || old) {
    CDGATE_ASSIGN_OR_RETURN(shown, VerifyClient(*deps_.trust, deps_.domain, shown.peer.leaf_pem,
                                                shown.peer.chain_pem, now, true));
  }
  return authz::Principal::Spiffe(shown.peer.id);
}

void IngressHandler::CountAnswer(IngressMode mode, const HttpAnswer& answer) const {
  requests_.at({mode, answer.status == 202})->Add();
}

void IngressHandler::Publish(const authz::Principal& principal, const HttpHead& head,
                             absl::string_view body, RequestReader& reader, Done done) const {
  auto read = reader.Read(head, body);
  if (!read.ok()) return done(Refuse(read.status()));
  const auto events = std::make_shared<const IngressEvents>(*std::move(read));
  std::vector<absl::string_view> admissible;
  for (const IngressEvent& event : events->events) {
    if (event.status.ok()) admissible.push_back(event.cloud_event);
  }
  if (deps_.rates != nullptr) {
    const absl::Status rate = deps_.rates->TakeEvents(principal, admissible.size());
    if (!rate.ok()) return done(Refuse(rate));
  }
  const auto answer = [this, events,
                       done = std::move(done)](const std::vector<admission::Result>& results) {
    HttpAnswer made = ResultsAnswer(*events, results, deps_.epoch());
    CountAnswer(events->mode, made);
    done(std::move(made));
  };
  if (admissible.empty()) return answer({});
  deps_.admission.Publish(principal, admissible, answer);
}

}  // namespace cdgate::http
