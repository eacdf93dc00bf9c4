#include "auth/audit/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "gateway/base/mutex.h"
#include "tests/auth/audit/audit_testing.h"

namespace cdgate::audit {
namespace {

using base::Reason;
using testing::HasSubstr;

// What one waiter was told.
class Told {
 public:
  AuditLog::Done done() {
    return [this](const absl::Status& status) {
      base::MutexLock lock(mu_);
      status_ = status;
      told_ = true;
      cv_.SignalAll();
    };
  }
  absl::Status Wait() {
    base::MutexLock lock(mu_);
    while (!told_) cv_.Wait(mu_);
    return status_;
  }

 private:
  base::Mutex mu_;
  base::CondVar cv_;
  bool told_ CDGATE_GUARDED_BY(mu_) = false;
  absl::Status status_ CDGATE_GUARDED_BY(mu_);
};

class AuditLogTest : public testing::Test {
 protected:
  std::unique_ptr<AuditLog> Open() {
    auto log =
        AuditLog::Open({.journal = options_},
                       {.clock = world_.clock, .metrics = metrics_, .signer = world_.Source()});
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }
  absl::Status Record(AuditLog& log) {
    Told told;
    log.Append(Act("/Service/Do"), told.done());
    return told.Wait();
  }
  double Metric(const std::string& name) {
    const std::string text = metrics_.Text();
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }

  AuditWorld world_;
  base::Metrics metrics_;
  JournalOptions options_ = world_.Options();
};

TEST_F(AuditLogTest, AnEntryIsOnDiskWhenItIsSaidToBe) {
  std::atomic<int> synced{0};
  options_.calls.sync = [&synced](int fd) {
    ++synced;
    return fdatasync(fd);
  };
  auto log = Open();
  const int before = synced;
  CDGATE_EXPECT_OK(Record(*log));
  EXPECT_GT(synced, before);
  EXPECT_THAT(world_.Lines().back(), HasSubstr("/Service/Do"));
  EXPECT_EQ(Metric("cdgate_audit_entries_total{kind=\"act\"}"), 1);
  EXPECT_EQ(Metric("cdgate_audit_writable"), 1);
}

TEST_F(AuditLogTest, AStopSignsWhatIsThere) {
  auto log = Open();
  for (int i = 0; i < 100; ++i) log->Append(Act("/Service/Do"));
  log->Shutdown();
  const Report report = world_.Verify();
  EXPECT_FALSE(report.fault.has_value());
  EXPECT_EQ(report.summary.entries, 102u);
  EXPECT_TRUE(report.summary.closed);
  EXPECT_THAT(Record(*log), test::HasReason(Reason::kDraining));
}

TEST_F(AuditLogTest, AnIntervalIsSignedWhereThereIsSomethingNew) {
  auto log = Open();
  CDGATE_EXPECT_OK(Record(*log));
  log->Tick();
  world_.clock.Advance(absl::Seconds(61));
  log->Tick();
  CDGATE_EXPECT_OK(Record(*log));  // behind the tick
  log->Tick();
  log->Shutdown();
  std::vector<std::string> reasons;
  for (const std::string& line : world_.Lines()) {
    if (ReadLine(line)->kind == kCheckpoint)
      reasons.push_back(std::string(TextMember(line, "reason")));
  }
  EXPECT_THAT(reasons, testing::ElementsAre("file", "interval", "stop"));
}

TEST_F(AuditLogTest, AFullDiskRefusesAndIsTriedAgain) {
  std::atomic<bool> full{false};
  options_.calls.write = [&full](int fd, const void* bytes, size_t size) -> ssize_t {
    if (!full) return write(fd, bytes, size);
    errno = ENOSPC;
    return -1;
  };
  auto log = Open();
  CDGATE_EXPECT_OK(log->health());
  full = true;
  EXPECT_THAT(Record(*log), test::HasReason(Reason::kDiskFull));
  EXPECT_THAT(log->health(), test::HasReason(Reason::kDiskFull));
  EXPECT_THAT(log->problems(), testing::ElementsAre(HasSubstr("administrative changes are")));
  EXPECT_EQ(Metric("cdgate_audit_writable"), 0);
  log->Append({.kind = kRefusal});  // nobody waits for it
  EXPECT_THAT(Record(*log), test::HasReason(Reason::kDiskFull));
  full = false;
  world_.clock.Advance(absl::Seconds(2));
  CDGATE_EXPECT_OK(Record(*log));
  CDGATE_EXPECT_OK(log->health());
  log->Shutdown();
  EXPECT_FALSE(world_.Verify().fault.has_value());
  EXPECT_THAT(Contents(world_.File()), HasSubstr("\"event\":\"written again\""));
  EXPECT_THAT(Contents(world_.File()), HasSubstr("\"lost\":1"));
}

TEST_F(AuditLogTest, AStopWithAFullDiskIsAnOrderlyEnd) {
  std::atomic<bool> full{false};
  options_.calls.write = [&full](int fd, const void* bytes, size_t size) -> ssize_t {
    if (!full) return write(fd, bytes, size);
    errno = ENOSPC;
    return -1;
  };
  auto log = Open();
  CDGATE_EXPECT_OK(Record(*log));
  full = true;
  log->Shutdown();
  EXPECT_THAT(log->health(), test::HasReason(Reason::kDiskFull));
}

TEST_F(AuditLogTest, AFailedSyncIsAFailure) {
  std::atomic<bool> broken{false};
  options_.calls.sync = [&broken](int fd) {
    if (!broken) return fdatasync(fd);
    errno = EIO;
    return -1;
  };
  auto log = Open();
  broken = true;
  EXPECT_THAT(Record(*log), test::HasReason(Reason::kFileUnwritable));
  broken = false;
  world_.clock.Advance(absl::Seconds(2));
  log->Tick();
  CDGATE_EXPECT_OK(Record(*log));
}

TEST_F(AuditLogTest, AFullQueueRefusesWhoWaitsAndCountsTheRest) {
  base::Mutex gate;
  gate.Lock();
  options_.calls.write = [&gate, first = true](int fd, const void* bytes, size_t size) mutable {
    if (!std::exchange(first, false)) base::MutexLock lock(gate);
    return write(fd, bytes, size);
  };
  AuditOptions options{.journal = options_, .max_queued = 4};
  auto opened = AuditLog::Open(
      options, {.clock = world_.clock, .metrics = metrics_, .signer = world_.Source()});
  CDGATE_ASSERT_OK(opened);
  Told told;
  // Whatever the thread took, more than the queue holds.
  for (int i = 0; i < 1000; ++i) (*opened)->Append({.kind = kRefusal});
  (*opened)->Append(Act("/Service/Do"), told.done());
  EXPECT_THAT(told.Wait(), test::HasReason(Reason::kOverloaded));
  gate.Unlock();
  (*opened)->Shutdown();
  const std::string text = Contents(world_.File());
  const auto report = world_.Verify();
  EXPECT_FALSE(report.fault.has_value());
  EXPECT_LT(report.summary.entries, 300u);
}

TEST_F(AuditLogTest, WhatWasLostInAFullQueueBecomesAnEntry) {
  base::Mutex gate;
  gate.Lock();
  options_.calls.write = [&gate, first = true](int fd, const void* bytes, size_t size) mutable {
    if (!std::exchange(first, false)) base::MutexLock lock(gate);
    return write(fd, bytes, size);
  };
  AuditOptions options{.journal = options_, .max_queued = 4};
  auto opened = AuditLog::Open(
      options, {.clock = world_.clock, .metrics = metrics_, .signer = world_.Source()});
  CDGATE_ASSERT_OK(opened);
  for (int i = 0; i < 1000; ++i) (*opened)->Append({.kind = kRefusal});
  gate.Unlock();
  // The queue empties; what comes now carries the count.
  absl::Status recorded = Record(**opened);
  while (base::ReasonOf(recorded) == Reason::kOverloaded) recorded = Record(**opened);
  CDGATE_EXPECT_OK(recorded);
  (*opened)->Shutdown();
  const std::string text = Contents(world_.File());
  uint64_t refusals = 0;
  uint64_t lost = 0;
  for (const std::string& line : world_.Lines()) {
    if (ReadLine(line)->kind == kRefusal) ++refusals;
    if (TextMember(line, "event") == "entries lost") lost += NumberMember(line, "count");
  }
  EXPECT_EQ(refusals + lost, 1000u);
  EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace cdgate::audit
