#include "gateway/delivery/letter_expiry.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/subscription_settings.h"
#include "gateway/delivery/subscriptions.h"

namespace cdgate::delivery {

LetterExpiry::LetterExpiry(state::Store& store, base::Clock& clock, base::Metrics& metrics)
    : store_(store),
      clock_(clock),
      expired_(metrics.AddCounter("cdgate_subscription_dead_letters_expired_total",
                                  "Dead letters of subscriptions that were forgotten because they "
                                  "were as old as they are kept.")),
      due_(clock.Monotonic()) {}

bool LetterExpiry::IsDue() {
  if (in_round_) return true;
  if (clock_.Monotonic() < due_) return false;
  due_ = clock_.Monotonic() + kInterval;
  in_round_ = true;
  after_.clear();
  return true;
}

void LetterExpiry::Tick() {
  if (!turn_->Take()) return;
  if (!IsDue()) return turn_->GiveBack();
  Step step;
  if (const absl::Status collected = Collect(&step); !collected.ok()) {
    base::LogError(base::LogLevel::kWarning, "dead letters were not looked at; it is tried again",
                   collected);
    in_round_ = false;
    return turn_->GiveBack();
  }
  if (step.forgotten.empty()) return turn_->GiveBack();
  Propose(std::move(step));
}

absl::Status LetterExpiry::Collect(Step* step) {
  const auto resources =
      store_.Resources()->List(state::kSubscriptionKind, after_, kMostSubscriptions);
  auto& keys = step->proposal.removed_dead_letters;
  for (const state::ResourcePtr& resource : resources) {
    CDGATE_ASSIGN_OR_RETURN(const auto subscription, resource->As<admin::v1::Subscription>());
    const absl::Time before = clock_.Now() - LetterRetentionOf(subscription);
    const size_t room = kMostLetters - keys.size();
    CDGATE_ASSIGN_OR_RETURN(const auto letters,
                            store_.DeadLetters(ReaderOf(resource->name), nullptr, room));
    uint64_t old = 0;
    for (const storage::v1::DeadLetterRow& letter : letters) {
      if (absl::FromUnixNanos(letter.commit_time_nanos()) > before) break;
      keys.push_back(letter.key());
      ++old;
    }
    if (old > 0) step->forgotten[resource->name] = old;
    // There may be more of this one's.
    if (keys.size() >= kMostLetters) return absl::OkStatus();
    after_ = resource->name;
  }
  in_round_ = resources.size() == kMostSubscriptions;
  return absl::OkStatus();
}

void LetterExpiry::Propose(Step step) {
  const auto done = [turn = turn_, &expired = expired_,
                     forgotten = std::move(step.forgotten)](const state::Outcome& outcome) {
    if (outcome.status.ok()) {
      for (const auto& [name, count] : forgotten) {
        expired.Add(static_cast<double>(count));
        base::Log(base::LogLevel::kInfo, "dead letters were as old as they are kept, and forgotten",
                  {{"subscription", name}, {"count", absl::StrCat(count)}});
      }
    } else {
      base::LogError(base::LogLevel::kWarning, "old dead letters were not forgotten",
                     outcome.status);
    }
    turn->GiveBack();
  };
  const absl::Status queued = store_.Propose(std::move(step.proposal), done);
  if (queued.ok()) return;
  base::LogError(base::LogLevel::kWarning, "old dead letters were not forgotten", queued);
  in_round_ = false;
  turn_->GiveBack();
}

}  // namespace cdgate::delivery
