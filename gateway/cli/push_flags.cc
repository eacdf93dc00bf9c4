#include "gateway/cli/push_flags.h"

#include "gateway/base/status_macros.h"
#include "gateway/cli/format.h"
#include "gateway/cli/input.h"
#include "gateway/cli/node.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

std::string StateText(admin::v1::PushState state) {
  switch (state) {
    case admin::v1::PUSH_STATE_SENDING: return "sending";
    case admin::v1::PUSH_STATE_HANDSHAKE: return "waiting for the target to grant permission";
    case admin::v1::PUSH_STATE_PAUSED: return "paused, as the target asked";
    case admin::v1::PUSH_STATE_BREAKER_OPEN: return "breaker open";
    case admin::v1::PUSH_STATE_STOPPED: return "stopped";
    case admin::v1::PUSH_STATE_ENDED: return "ended by the target";
    default: return "not begun";
  }
}

}  // namespace

void AddPushFlags(CLI::App* verb, PushFlags* flags) {
  verb->add_option("--push-url", flags->url,
                   "Send the events to this webhook, within one that the operator allows")
      ->option_text("URL");
  verb->add_option("--push-format", flags->format,
                   "Webhook: binary (attributes as header fields) or structured (one JSON)")
      ->check(CLI::IsMember({"binary", "structured"}))
      ->option_text("FORMAT=binary");
  verb->add_option("--push-concurrency", flags->concurrency,
                   "Webhook: how many requests are under way at once")
      ->check(CLI::Range(1, 64))
      ->option_text("N=8");
  verb->add_option("--push-timeout", flags->timeout,
                   "Webhook: how long one request may take; 1s to 1m")
      ->option_text("DURATION=10s");
}

bool NamesPush(const PushFlags& flags) {
  return !flags.url.empty() || !flags.format.empty() || flags.concurrency != 0 ||
         !flags.timeout.empty();
}

absl::Status ReadPush(const PushFlags& flags, admin::v1::PushDelivery* push) {
  if (!flags.url.empty()) push->set_url(flags.url);
  if (flags.format == "binary") push->set_format(admin::v1::PUSH_FORMAT_BINARY);
  if (flags.format == "structured") push->set_format(admin::v1::PUSH_FORMAT_STRUCTURED);
  if (flags.concurrency != 0) push->set_max_concurrency(flags.concurrency);
  if (flags.timeout.empty()) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(const absl::Duration timeout,
                          ParseDurationFlag("--push-timeout", flags.timeout));
  *push->mutable_timeout() = ToProto(timeout);
  return absl::OkStatus();
}

void PrintPush(const admin::v1::SubscriptionStatus& status, std::ostream& out) {
  const admin::v1::PushStatus& push = status.push();
  out << "push        " << status.subscription().push().url() << "\n"
      << "  state     " << StateText(push.state());
  if (push.has_next_try_time()) out << ", tried again at " << TimeText(true, push.next_try_time());
  out << "\n";
  if (!push.reason().empty()) {
    out << "  reason    " << push.reason() << ": " << push.message() << "\n";
  }
  if (push.has_last_answer_time()) {
    out << "  answered  ";
    if (push.last_status() != 0) out << push.last_status() << ", ";
    out << TimeText(true, push.last_answer_time()) << "\n";
  }
  out << "  requests  " << push.delivered() << " taken, " << push.failed() << " failed, "
      << push.in_flight() << " under way\n";
  if (push.allowed_rate() != 0) out << "  rate      " << push.allowed_rate() << " a minute\n";
}

std::string PushText(const admin::v1::SubscriptionStatus& status) {
  if (!status.subscription().has_push()) return "";
  return ShortEnumName(*admin::v1::PushState_descriptor(), status.push().state());
}

}  // namespace cdgate::cli
