#include "gateway/base/child_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/base/clock.h"
#include "gateway/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::base {
namespace {

using testing::HasSubstr;

class RunProgramTest : public testing::Test {
 protected:
  // A shell is the simplest program that does as it is told.
  absl::StatusOr<ProgramEnd> Shell(const std::string& script,
                                   absl::Duration timeout = absl::Seconds(60)) {
    return RunProgram({.argv = {"/bin/sh", "-c", script},
                       .environment = {"PATH=/usr/bin:/bin", "GIVEN=yes"},
                       .timeout = timeout},
                      cancel_);
  }

  Cancellation cancel_;
};

TEST_F(RunProgramTest, TellsHowItEndedAndWhatItWrote) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const ProgramEnd good, Shell("echo out; echo err >&2"));
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(good.output, "out\nerr\n");
  CDGATE_ASSERT_OK_AND_ASSIGN(const ProgramEnd bad, Shell("exit 3"));
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.Describe(), "exit status 3");
  CDGATE_ASSERT_OK_AND_ASSIGN(const ProgramEnd killed, Shell("kill -TERM $$"));
  EXPECT_FALSE(killed.ok());
  EXPECT_EQ(killed.Describe(), "ended by signal 15");
}

TEST_F(RunProgramTest, KeepsTheLastOfALongOutput) {
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const ProgramEnd end,
      Shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"));
  EXPECT_TRUE(end.ok());
  EXPECT_EQ(end.output.size(), 4096U);
  EXPECT_THAT(end.output, testing::EndsWith("line 19999\n"));
}

TEST_F(RunProgramTest, GetsNothingOfOurs) {
  setenv("CDGATE_TEST_SECRET", "hidden", 1);
  const int inherited = open("/dev/null", O_RDONLY);  // not close-on-exec
  ASSERT_GE(inherited, 0);
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const ProgramEnd end,
      Shell(absl::StrCat("env; [ -e /proc/self/fd/", inherited, " ] && echo leaked; cat")));
  close(inherited);
  unsetenv("CDGATE_TEST_SECRET");
  EXPECT_THAT(end.output, HasSubstr("GIVEN=yes"));
  EXPECT_THAT(end.output, testing::Not(HasSubstr("hidden")));
  EXPECT_THAT(end.output, testing::Not(HasSubstr("leaked")));
}

TEST_F(RunProgramTest, EndsWithItsTime) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const ProgramEnd end,
                              Shell("echo begun; sleep 600", absl::Milliseconds(300)));
  EXPECT_TRUE(end.timed_out);
  EXPECT_FALSE(end.ok());
  EXPECT_EQ(end.Describe(), "not done after 300ms");
  EXPECT_EQ(end.output, "begun\n");
}

TEST_F(RunProgramTest, LeavesNothingRunning) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const ProgramEnd end, Shell("sleep 600 & echo $!"));
  EXPECT_TRUE(end.ok());
  int pid = 0;
  ASSERT_TRUE(absl::SimpleAtoi(absl::StripSuffix(end.output, "\n"), &pid));
  // It is not our child: it goes, or waits for whoever adopted it to look. Killed it was before
  // we were told; the kernel may take a moment longer.
  const auto running = [pid] {
    const auto state = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
    return state.ok() && state->find(") Z ") == std::string::npos;
  };
  const absl::Duration latest = SystemClock().Monotonic() + absl::Seconds(20);
  while (running() && SystemClock().Monotonic() < latest) std::this_thread::yield();
  EXPECT_FALSE(running());
}

TEST_F(RunProgramTest, IsCancelledFromAnotherThread) {
  const test::TempDir dir;
  std::thread other([&] {
    while (!FileExists(dir.File("begun"))) std::this_thread::yield();
    cancel_.Cancel();
  });
  CDGATE_ASSERT_OK_AND_ASSIGN(const ProgramEnd end,
                              Shell(absl::StrCat("touch ", dir.File("begun"), "; sleep 600")));
  other.join();
  EXPECT_TRUE(end.cancelled);
  EXPECT_FALSE(end.ok());
  // And for good.
  CDGATE_ASSERT_OK_AND_ASSIGN(const ProgramEnd again, Shell("sleep 600"));
  EXPECT_TRUE(again.cancelled);
}

TEST_F(RunProgramTest, SaysWhatCannotBeStarted) {
  EXPECT_THAT(RunProgram({.argv = {"/no/such/program"}, .environment = {}}, cancel_),
              test::HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr("/no/such/program")));
  EXPECT_THAT(RunProgram({.argv = {}, .environment = {}}, cancel_),
              test::HasReason(Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::base
