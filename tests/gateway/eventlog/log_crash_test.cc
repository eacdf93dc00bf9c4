// A process appends and is killed, at any moment, again and again: what it acknowledged is there,
// whole and without a gap, whatever the log is made of.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/logs/engines.h"
#include "tests/gateway/eventlog/crash_commits.h"
#include "tests/support/random.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using base::Sequence;
using eventlog::EventLog;
using eventlog::Head;

// A log_writer, killed at the end.
class Writer {
 public:
  Writer(std::string engine, std::string directory) {
    int ends[2] = {};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = CDGATE_LOG_WRITER;
    char* argv[] = {program.data(), engine.data(), directory.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    acks_ = ends[0];
  }
  ~Writer() { close(acks_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // The next commit that it acknowledged; 0 after its last.
  uint64_t NextAck() {
    uint64_t number = 0;
    const ssize_t n = read(acks_, &number, sizeof number);
    return n == sizeof number ? number : 0;
  }
  // Returns the last commit that it acknowledged; `before` where it did none any more.
  uint64_t Kill(uint64_t before) {
    EXPECT_EQ(kill(pid_, SIGKILL), 0);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself";
    uint64_t last = before;
    while (const uint64_t number = NextAck()) last = number;
    return last;
  }

 private:
  pid_t pid_ = 0;
  int acks_ = -1;
};

class LogCrashTest : public testing::TestWithParam<const char*> {
 protected:
  std::string Directory() const { return dir_.File("log"); }

  // Kills a writer when it has acknowledged `acks` commits.
  uint64_t Live(size_t acks) {
    Writer writer(GetParam(), Directory());
    uint64_t last = 0;
    for (size_t i = 0; i < acks; ++i) last = writer.NextAck();
    EXPECT_GT(last, 0u);
    return writer.Kill(last);
  }

  // Reads all that is kept, and holds each commit against what was appended.
  static void CheckCommits(const EventLog& log) {
    const eventlog::First first = log.first();
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto commits,
                                log.Read({.sequence = first.sequence, .commit = first.commit},
                                         {.max_events = 1'000'000, .max_bytes = size_t{1} << 30}));
    ASSERT_EQ(commits.size(), log.head().commit - first.commit + 1);
    EXPECT_EQ(commits.front()->number, first.commit);
    for (size_t i = 1; i < commits.size(); ++i) {
      const event::Commit& before = *commits[i - 1];
      const auto expected = NextCrashCommit({.epoch = before.epoch,
                                             .commit = before.number,
                                             .sequence = before.last_sequence,
                                             .commit_time = before.commit_time});
      ASSERT_EQ(commits[i]->bytes, expected->bytes) << "commit " << expected->number;
    }
  }

  static void CheckTrimmed(const EventLog& log) {
    const uint64_t newest = log.head().sequence.value();
    if (newest <= kCrashKept) return;
    EXPECT_LE(log.first().sequence.value(), newest - kCrashKept) << "trimmed more than asked";
  }

  TempDir dir_;
};

TEST_P(LogCrashTest, WhatWasAcknowledgedSurvivesAKill) {
  Random random(1);
  base::Epoch epoch;
  for (int life = 0; life < 6; ++life) {
    const uint64_t acknowledged = Live(random.From(1, 80));
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const auto engine,
        bench::OpenEngine(GetParam(), {.directory = Directory(), .file_bytes = kCrashFileBytes},
                          base::SystemClock()));
    const Head head = engine->log().head();
    EXPECT_GE(head.commit, acknowledged) << "an acknowledged commit is gone";
    EXPECT_LE(head.commit, acknowledged + 1) << "there is one at most that was not acknowledged";
    if (life == 0) epoch = head.epoch;
    EXPECT_EQ(head.epoch, epoch);
    CheckCommits(engine->log());
    CheckTrimmed(engine->log());
  }
}

INSTANTIATE_TEST_SUITE_P(Logs, LogCrashTest,
                         testing::Values("segments", "rocksdb", "blobs", "rocksdb-ranges"),
                         [](const auto& param) {
                           std::string name = param.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace cdgate::test
