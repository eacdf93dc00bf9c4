#include "gateway/eventlog/memory/memory_log.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gateway/base/random.h"
#include "tests/gateway/eventlog/event_log_contract.h"
#include "tests/support/fake_clock.h"

namespace cdgate::test {
namespace {

using eventlog::MemoryLog;
using eventlog::MemoryLogStorage;

class MemoryHarness final : public LogHarness {
 public:
  explicit MemoryHarness(MemoryLog::Mode mode) : mode_(mode) { Reopen(); }
  EventLog& log() override { return *log_; }
  void Reopen() override {
    log_ = std::make_unique<MemoryLog>(storage_, clock_, base::SystemRandom(), mode_);
  }
  void Settle() override { log_->Complete(log_->outstanding()); }

 private:
  const MemoryLog::Mode mode_;
  FakeClock clock_;
  std::shared_ptr<MemoryLogStorage> storage_ = std::make_shared<MemoryLogStorage>();
  std::unique_ptr<MemoryLog> log_;
};

std::unique_ptr<LogHarness> MakeLocal() {
  return std::make_unique<MemoryHarness>(MemoryLog::Mode::kLocal);
}
std::unique_ptr<LogHarness> MakeRemote() {
  return std::make_unique<MemoryHarness>(MemoryLog::Mode::kRemote);
}

INSTANTIATE_TEST_SUITE_P(Local, EventLogContractTest, testing::Values(&MakeLocal));
INSTANTIATE_TEST_SUITE_P(Remote, EventLogContractTest, testing::Values(&MakeRemote));

class RemoteMemoryLogTest : public testing::Test {
 protected:
  // Appends commit `number`, whose events follow `head`, and records how it ends.
  eventlog::Head Append(const eventlog::Head& head) {
    const auto commit = NextEvents(head, 1);
    log_.Append(commit, [this, number = commit->number](const absl::Status& status) {
      done_.push_back(absl::StrCat(number, status.ok() ? " ok" : " refused"));
    });
    return {.epoch = head.epoch,
            .commit = commit->number,
            .sequence = commit->last_sequence,
            .commit_time = commit->commit_time};
  }

  FakeClock clock_;
  MemoryLog log_{std::make_shared<MemoryLogStorage>(), clock_, base::SystemRandom(),
                 MemoryLog::Mode::kRemote};
  std::vector<std::string> done_;
};

TEST_F(RemoteMemoryLogTest, AnAppendIsNotThereBeforeItCompletes) {
  RecordingObserver observer;
  log_.AddObserver(&observer);
  Append(log_.head());
  EXPECT_EQ(log_.head().commit, 1u);
  EXPECT_TRUE(done_.empty());
  EXPECT_TRUE(observer.numbers.empty());
  log_.Complete(1);
  EXPECT_EQ(log_.head().commit, 2u);
  EXPECT_EQ(done_, std::vector<std::string>{"2 ok"});
}

TEST_F(RemoteMemoryLogTest, CompletionsComeInAnotherOrderThanCommits) {
  RecordingObserver observer;
  log_.AddObserver(&observer);
  eventlog::Head head = log_.head();
  for (int i = 0; i < 3; ++i) head = Append(head);
  log_.Complete(3);
  EXPECT_EQ(observer.numbers, (std::vector<uint64_t>{2, 3, 4}));
  EXPECT_EQ(done_, (std::vector<std::string>{"4 ok", "3 ok", "2 ok"}));
}

TEST_F(RemoteMemoryLogTest, LosingLeadershipRefusesWhatIsOutstanding) {
  eventlog::Head head = log_.head();
  for (int i = 0; i < 2; ++i) head = Append(head);
  log_.LoseLeadership();
  EXPECT_EQ(done_, (std::vector<std::string>{"3 refused", "2 refused"}));
  EXPECT_EQ(log_.head().commit, 1u);
  log_.AppendAsOther(NextEvents(log_.head(), 5));
  EXPECT_EQ(log_.head().sequence, Sequence(5));
  log_.GainLeadership();
  Append(log_.head());
  log_.Complete(1);
  EXPECT_EQ(log_.head().sequence, Sequence(6));
}

TEST(MemoryLogTest, ABrokenDiskRefusesEveryAppend) {
  FakeClock clock;
  MemoryLog log(std::make_shared<MemoryLogStorage>(), clock, base::SystemRandom());
  log.FailWrites();
  EXPECT_THAT(AppendEvents(log, 1), HasReason(Reason::kLogWriteFailed));
  EXPECT_THAT(AppendEvents(log, 1), HasReason(Reason::kLogWriteFailed));
}

}  // namespace
}  // namespace cdgate::test
