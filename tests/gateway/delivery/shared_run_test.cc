// SharedQueue against many schedules.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>

#include "gateway/delivery/shared_queue.h"
#include "tests/support/status_matchers.h"

namespace cdgate::delivery {
namespace {

using base::Sequence;

constexpr SharedSettings kSettings{.ack_deadline = absl::Seconds(10),
                                   .min_backoff = absl::Seconds(1),
                                   .max_backoff = absl::Seconds(8),
                                   .max_attempts = 3};

// Consumers that come, go, acknowledge, reject and sleep, and restarts, at random: every event is
// done or lost in the end, none is with two at once, none again after its ack, and the order of a
// key is kept.
class SharedRun {
 public:
  static constexpr uint64_t kEvents = 300;

  explicit SharedRun(int seed) : random_(static_cast<unsigned>(seed)) {
    settings_.keep_key_order = seed % 2 == 0;
    settings_.max_pending = 50;
    queue_.emplace(settings_, SharedProgress());
  }

  void Step() {
    if (held_.empty()) Come();
    const auto who = std::next(held_.begin(), Below(held_.size()));
    const uint64_t what = Below(12);
    if (what < 3) Offer(who->first);
    if (what >= 3 && what < 6) Take(who->first, queue_->TakeDue(who->first, now_));
    if (what >= 6 && what < 9) Acknowledge(who->second);
    if (what == 9) Reject(who->first, who->second);
    if (what == 10) Change(who->first);
    if (what == 11) Pass();
    for (const SharedQueue::Lost& lost : queue_->TakeLost()) {
      EXPECT_FALSE(done_.contains(lost.sequence.value()));
      lost_.insert(lost.sequence.value());
    }
    EXPECT_LE(queue_->pending(), settings_.max_pending);
  }
  bool over() const { return done_.size() + lost_.size() == kEvents; }
  const SharedQueue& queue() const { return *queue_; }
  size_t done() const { return done_.size(); }

 private:
  using Held = std::set<uint64_t>;
  // Four events in five have a key.
  static uint64_t KeyOf(uint64_t sequence) { return sequence % 5; }
  long Below(size_t n) { return static_cast<long>(random_() % n); }
  uint64_t OneOf(const Held& held) { return *std::next(held.begin(), Below(held.size())); }

  void Come() {
    held_[++last_consumer_];
    queue_->Join(last_consumer_, {.max_events = 1 + random_() % 10});
  }
  void Change(uint64_t consumer) {
    if (Below(10) != 0) {
      if (held_.size() < 4) Come();
      return;
    }
    using Leaving = SharedQueue::Leaving;
    queue_->Leave(consumer, Below(2) == 0 ? Leaving::kFailed : Leaving::kSentAway, now_);
    held_.erase(consumer);
  }
  void Offer(uint64_t consumer) {
    if (next_ > kEvents || queue_->full() || !queue_->HasRoom(consumer, 10)) return;
    const auto lease = queue_->Offer(
        consumer, {.sequence = Sequence(next_), .bytes = 10, .key = KeyOf(next_)}, now_);
    queue_->Scanned(Sequence(next_++));
    Take(consumer, lease);
  }
  void Take(uint64_t consumer, const std::optional<SharedQueue::Lease>& lease) {
    if (!lease) return;
    const uint64_t sequence = lease->sequence.value();
    EXPECT_FALSE(done_.contains(sequence) || lost_.contains(sequence)) << sequence;
    const bool ordered = settings_.keep_key_order && KeyOf(sequence) != 0;
    for (const auto& [other, held] : held_) {
      EXPECT_FALSE(held.contains(sequence)) << sequence << " is with " << other;
      for (const uint64_t beside : held) {
        EXPECT_FALSE(ordered && KeyOf(beside) == KeyOf(sequence))
            << sequence << " beside " << beside;
      }
    }
    if (ordered) {
      EXPECT_GE(sequence, last_of_key_[KeyOf(sequence)]);
      last_of_key_[KeyOf(sequence)] = sequence;
    }
    held_[consumer].insert(sequence);
  }
  void Acknowledge(Held& held) {
    if (held.empty()) return;
    const uint64_t sequence = OneOf(held);
    CDGATE_EXPECT_OK(queue_->Acknowledge(Sequence(sequence)));
    done_.insert(sequence);
    held.erase(sequence);
  }
  void Reject(uint64_t consumer, Held& held) {
    if (held.empty()) return;
    const uint64_t sequence = OneOf(held);
    CDGATE_EXPECT_OK(queue_->Reject(consumer, Sequence(sequence), std::nullopt, now_));
    held.erase(sequence);
  }
  void Pass() {
    now_ += absl::Milliseconds(Below(500));
    if (Below(50) == 0) now_ += absl::Seconds(11);
    const size_t before = queue_->leased();
    queue_->Expire(now_);
    if (queue_->leased() != before || Below(200) == 0) Restart();
  }
  // Nobody has anything any more.
  void Restart() {
    for (const SharedQueue::Lost& lost : queue_->TakeLost()) lost_.insert(lost.sequence.value());
    const SharedProgress progress = queue_->Progress();
    queue_.emplace(settings_, progress, Sequence(next_ - 1));
    held_.clear();
  }

  std::mt19937 random_;
  SharedSettings settings_ = kSettings;
  std::optional<SharedQueue> queue_;
  std::map<uint64_t, Held> held_;  // by consumer
  std::set<uint64_t> done_, lost_;
  std::map<uint64_t, uint64_t> last_of_key_;
  uint64_t next_ = 1;
  uint64_t last_consumer_ = 0;
  absl::Duration now_;
};

class SharedRunTest : public testing::TestWithParam<int> {};

TEST_P(SharedRunTest, EveryEventEndsOnce) {
  SharedRun run(GetParam());
  for (int step = 0; step < 200000 && !run.over() && !HasFailure(); ++step) run.Step();
  EXPECT_TRUE(run.over());
  EXPECT_EQ(run.queue().pending(), 0U);
  EXPECT_EQ(run.queue().floor(), Sequence(SharedRun::kEvents));
  EXPECT_GT(run.done(), SharedRun::kEvents / 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SharedRunTest, testing::Range(0, 40));

}  // namespace
}  // namespace cdgate::delivery
