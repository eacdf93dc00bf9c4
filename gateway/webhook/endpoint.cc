#include "gateway/webhook/endpoint.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/webhook/credential_files.h"

namespace cdgate::webhook {
namespace {

constexpr absl::Duration kAskTimeout = absl::Seconds(10);
constexpr absl::Duration kCredentialsHold = absl::Seconds(5);

TargetSettings SettingsOf(const EndpointDeps& deps, const AllowedUrl& allowed) {
  TargetSettings settings;
  settings.origin = deps.origin;
  settings.handshake = allowed.target->handshake;
  return settings;
}

}  // namespace

Endpoint::Endpoint(EndpointDeps deps, AllowedUrl allowed)
    : deps_(std::move(deps)), allowed_(std::move(allowed)), target_(SettingsOf(deps_, allowed_)) {}

Endpoint::~Endpoint() {
  if (asked_ != 0) deps_.client.Cancel(asked_);
  if (counted_open_) deps_.metrics.OnBreaker(false);
}

absl::Status Endpoint::ReadCredentials() {
  const absl::Duration now = deps_.clock.Monotonic();
  if (now - read_ < kCredentialsHold) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(token_, TokenOf(*allowed_.target));
  read_ = now;
  return absl::OkStatus();
}

absl::StatusOr<HttpRequest> Endpoint::MakeRequest(std::string method, absl::Duration timeout) {
  HttpRequest request;
  request.method = std::move(method);
  request.allowed = allowed_;
  request.timeout = timeout;
  request.fields.push_back(absl::StrCat("WebHook-Request-Origin: ", deps_.origin));
  request.fields.emplace_back("User-Agent: cdgate");
  CDGATE_RETURN_IF_ERROR(ReadCredentials());
  if (!token_.empty()) request.fields.push_back(absl::StrCat("Authorization: Bearer ", token_));
  return request;
}

// --- permission

void Endpoint::AskIfDue() {
  if (!target_.MayAsk(deps_.clock.Monotonic())) return;
  target_.OnAsked();
  auto done = [this](HttpClient::Id, const Answer& answer) { OnGrantAnswer(answer); };
  auto request = MakeRequest("OPTIONS", kAskTimeout);
  if (!request.ok()) {
    asked_ = deps_.client.Fail(request.status(), std::move(done));
    return;
  }
  if (!deps_.callback.empty()) {
    request->fields.push_back(absl::StrCat("WebHook-Request-Callback: ", deps_.callback));
  }
  asked_ = deps_.client.Start(*std::move(request), std::move(done));
}

void Endpoint::OnGrantAnswer(const Answer& answer) {
  asked_ = 0;
  const bool granted = target_.OnGrantAnswer(answer, deps_.clock.Monotonic());
  handshake_failure_ = absl::OkStatus();
  if (!granted && KindOf(answer) == AnswerKind::kTaken) {
    handshake_failure_ = CheckGrant(answer, deps_.origin);
  } else if (!granted) {
    // What it says of itself tells more than that the grant is missing.
    handshake_failure_ = FailureOf(answer);
  }
  deps_.metrics.OnHandshake(handshake_failure_);
  if (granted) {
    base::Log(base::LogLevel::kInfo, "webhook wants our events",
              {{"target", allowed_.target->name}, {"url", url()}});
  } else {
    base::LogError(base::LogLevel::kWarning, "webhook did not say that it wants our events",
                   handshake_failure_, {{"target", allowed_.target->name}, {"url", url()}});
  }
}

// --- events

HttpClient::Id Endpoint::Send(PushBody push, absl::Duration timeout, uint32_t attempt, Done done) {
  const absl::Duration now = deps_.clock.Monotonic();
  const bool probe = target_.OnSent(now);
  deps_.metrics.OnSent(attempt);
  auto answered = [self = shared_from_this(), done = std::move(done)](HttpClient::Id id,
                                                                      const Answer& answer) {
    self->OnPosted(id, answer, done);
  };
  HttpClient::Id id = 0;
  if (auto request = MakeRequest("POST", timeout); request.ok()) {
    request->fields.insert(request->fields.end(), std::make_move_iterator(push.fields.begin()),
                           std::make_move_iterator(push.fields.end()));
    request->body = std::move(push.body);
    id = deps_.client.Start(*std::move(request), std::move(answered));
  } else {
    id = deps_.client.Fail(request.status(), std::move(answered));
  }
  sent_[id] = {.probe = probe, .at = now};
  return id;
}

void Endpoint::Abandon(HttpClient::Id id) {
  const auto sent = sent_.find(id);
  if (sent == sent_.end()) return;
  target_.OnAbandoned(sent->second.probe);
  deps_.metrics.OnAbandoned();
  sent_.erase(sent);
  deps_.client.Cancel(id);  // drops what keeps this alive: last
}

void Endpoint::OnPosted(HttpClient::Id id, const Answer& answer, const Done& done) {
  const absl::Duration now = deps_.clock.Monotonic();
  const Sent sent = sent_.at(id);
  sent_.erase(id);
  const Outcome outcome{.ruling = target_.OnAnswer(answer, sent.probe, now),
                        .result = FailureOf(answer),
                        .status = answer.status};
  deps_.metrics.OnAnswer(outcome.result, now - sent.at);
  CountBreaker();
  done(id, outcome);
}

void Endpoint::CountBreaker() {
  const bool open = target_.breaker() != Target::Breaker::kClosed;
  if (open == counted_open_) return;
  counted_open_ = open;
  deps_.metrics.OnBreaker(open);
  base::Log(
      open ? base::LogLevel::kWarning : base::LogLevel::kInfo,
      open ? "webhook failed again and again and is left alone" : "webhook takes events again",
      {{"target", allowed_.target->name}, {"url", url()}});
}

}  // namespace cdgate::webhook
