#include "gateway/delivery/subscription_settings.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/converter.h"
#include "gateway/delivery/subscriptions.h"
#include "gateway/filter/program.h"

namespace cdgate::delivery {
namespace {

using admin::v1::SharedDelivery;
using admin::v1::Subscription;

constexpr size_t kMaxDescription = 1024;
constexpr int kMaxLabels = 64;
constexpr size_t kMaxLabelKey = 63;
constexpr size_t kMaxLabelValue = 256;
constexpr uint32_t kMostAttempts = 100;
constexpr absl::Duration kLetterRetention = absl::Hours(30 * 24);
constexpr uint32_t kMostRequests = 64;
constexpr uint32_t kUsualRequests = 8;
constexpr absl::Duration kUsualTimeout = absl::Seconds(10);

absl::Status Invalid(absl::string_view field, absl::string_view why) {
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("subscription: ", field, " ", why),
                         {{"field", absl::StrCat("subscription.", field)}});
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Status CheckBetween(absl::string_view field, absl::Duration value, absl::Duration least,
                          absl::Duration most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Invalid(field,
                 absl::StrCat("is ", absl::FormatDuration(value), "; it may be ",
                              absl::FormatDuration(least), " to ", absl::FormatDuration(most)));
}

absl::Status CheckShared(const SharedDelivery& shared) {
  const SharedSettings defaults;
  if (shared.has_ack_deadline()) {
    CDGATE_RETURN_IF_ERROR(CheckBetween("shared.ack_deadline", ToDuration(shared.ack_deadline()),
                                        absl::Seconds(1), absl::Hours(1)));
  }
  absl::Duration least = defaults.min_backoff;
  if (shared.has_min_backoff()) {
    least = ToDuration(shared.min_backoff());
    CDGATE_RETURN_IF_ERROR(
        CheckBetween("shared.min_backoff", least, absl::ZeroDuration(), absl::Hours(1)));
  }
  if (shared.has_max_backoff()) {
    CDGATE_RETURN_IF_ERROR(CheckBetween("shared.max_backoff", ToDuration(shared.max_backoff()),
                                        least, absl::Hours(24)));
  }
  if (shared.has_dead_letter_retention()) {
    CDGATE_RETURN_IF_ERROR(CheckBetween("shared.dead_letter_retention",
                                        ToDuration(shared.dead_letter_retention()), absl::Hours(1),
                                        absl::Hours(400 * 24)));
  }
  if (shared.max_attempts() <= kMostAttempts) return absl::OkStatus();
  return Invalid("shared.max_attempts",
                 absl::StrCat("is ", shared.max_attempts(), "; it may be 1 to ", kMostAttempts));
}

absl::Status CheckPush(const Subscription& subscription) {
  if (!subscription.has_push()) return absl::OkStatus();
  const admin::v1::PushDelivery& push = subscription.push();
  if (!IsShared(subscription)) {
    return Invalid("push", "is of mode SHARED only; make the subscription with that mode");
  }
  if (subscription.shared().has_ack_deadline()) {
    return Invalid("shared.ack_deadline",
                   "is of streams; what is pushed has push.timeout, so leave it out");
  }
  if (push.url().empty()) {
    return Invalid("push.url", "is missing; say where to, https://host[:port]/path");
  }
  if (!admin::v1::PushFormat_IsValid(push.format())) {
    return Invalid("push.format", "is none that this gateway knows; say BINARY or STRUCTURED");
  }
  if (push.max_concurrency() > kMostRequests) {
    return Invalid("push.max_concurrency",
                   absl::StrCat("is ", push.max_concurrency(), "; it may be 1 to ", kMostRequests));
  }
  if (!push.has_timeout()) return absl::OkStatus();
  return CheckBetween("push.timeout", ToDuration(push.timeout()), absl::Seconds(1),
                      absl::Minutes(1));
}

absl::Status CheckLabels(const Subscription& subscription) {
  if (subscription.labels_size() > kMaxLabels) {
    return Invalid("labels",
                   absl::StrCat("are ", subscription.labels_size(), "; they may be ", kMaxLabels));
  }
  for (const auto& [key, value] : subscription.labels()) {
    if (!key.empty() && key.size() <= kMaxLabelKey && value.size() <= kMaxLabelValue) continue;
    return Invalid("labels", absl::StrCat("has \"", base::Shorten(key), "\"; keys have 1 to ",
                                          kMaxLabelKey, " bytes, values at most ", kMaxLabelValue));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsShared(const Subscription& subscription) {
  return subscription.mode() == admin::v1::SUBSCRIPTION_MODE_SHARED;
}

absl::Status CheckSubscription(const Subscription& subscription) {
  CDGATE_RETURN_IF_ERROR(CheckName(subscription.name()));
  if (!admin::v1::SubscriptionMode_IsValid(subscription.mode())) {
    return Invalid("mode", "is none that this gateway knows; say ORDERED or SHARED");
  }
  if (subscription.has_shared() && !IsShared(subscription)) {
    return Invalid("shared", "is of mode SHARED only; leave it out, or set the mode");
  }
  if (subscription.description().size() > kMaxDescription) {
    return Invalid("description", absl::StrCat("may have ", kMaxDescription, " bytes"));
  }
  CDGATE_RETURN_IF_ERROR(CheckLabels(subscription));
  CDGATE_RETURN_IF_ERROR(CheckShared(subscription.shared()));
  CDGATE_RETURN_IF_ERROR(CheckPush(subscription));
  CDGATE_RETURN_IF_ERROR(Converter::Make(subscription.convert_to()).status());
  if (subscription.filter().empty()) return absl::OkStatus();
  return filter::Program::Compile(subscription.filter()).status();
}

SharedSettings SharedSettingsOf(const Subscription& subscription) {
  const SharedDelivery& shared = subscription.shared();
  SharedSettings settings;
  if (shared.has_ack_deadline()) settings.ack_deadline = ToDuration(shared.ack_deadline());
  if (shared.has_min_backoff()) settings.min_backoff = ToDuration(shared.min_backoff());
  if (shared.has_max_backoff()) settings.max_backoff = ToDuration(shared.max_backoff());
  settings.max_backoff = std::max(settings.max_backoff, settings.min_backoff);
  if (shared.max_attempts() != 0) settings.max_attempts = shared.max_attempts();
  settings.keep_key_order = shared.keep_subject_order();
  // Who pushes is ours: it says what became of each event, or that it ends.
  if (subscription.has_push()) settings.ack_deadline = absl::InfiniteDuration();
  return settings;
}

PushSettings PushSettingsOf(const Subscription& subscription) {
  const admin::v1::PushDelivery& push = subscription.push();
  PushSettings settings{.max_concurrency = kUsualRequests, .timeout = kUsualTimeout};
  if (push.max_concurrency() != 0) settings.max_concurrency = push.max_concurrency();
  if (push.has_timeout()) settings.timeout = ToDuration(push.timeout());
  return settings;
}

absl::Duration LetterRetentionOf(const Subscription& subscription) {
  const SharedDelivery& shared = subscription.shared();
  return shared.has_dead_letter_retention() ? ToDuration(shared.dead_letter_retention())
                                            : kLetterRetention;
}

storage::v1::SharedProgress ToProto(const SharedProgress& progress, base::Sequence reserved) {
  storage::v1::SharedProgress out;
  out.set_scanned(progress.scanned.value());
  out.set_reserved(reserved.value());
  for (const PendingEvent& event : progress.pending) {
    storage::v1::SharedPending& pending = *out.add_pending();
    pending.set_sequence(event.sequence.value());
    pending.set_deliveries(event.deliveries);
    pending.set_failures(event.failures);
    pending.set_key(event.key);
    pending.set_redriven(event.redriven);
  }
  return out;
}

SharedProgress FromProto(const storage::v1::SharedProgress& progress) {
  SharedProgress out{.scanned = base::Sequence(progress.scanned()), .pending = {}};
  out.pending.reserve(static_cast<size_t>(progress.pending_size()));
  for (const storage::v1::SharedPending& event : progress.pending()) {
    out.pending.push_back({.sequence = base::Sequence(event.sequence()),
                           .deliveries = event.deliveries(),
                           .failures = event.failures(),
                           .key = event.key(),
                           .redriven = event.redriven()});
  }
  return out;
}

}  // namespace cdgate::delivery
