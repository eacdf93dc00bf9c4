// Runs another program to its end: no shell, no terminal, nothing of ours but what is given.
//
//   base::Cancellation cancel;
//   CDGATE_ASSIGN_OR_RETURN(auto ended, base::RunProgram(
//       {.argv = {"/usr/local/bin/renew"}, .environment = {"PATH=/usr/bin:/bin"},
//        .timeout = absl::Minutes(1)}, cancel));
//   if (!ended.ok()) Log(ended.Describe(), ended.output);
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cdgate::base {

struct Program {
  std::vector<std::string> argv;         // the first is an absolute path
  std::vector<std::string> environment;  // "NAME=value"; the program has no other
  absl::Duration timeout = absl::Minutes(1);
  size_t max_output = 4096;  // of standard output and error together, the last bytes are kept
};

struct ProgramEnd {
  int exit_code = -1;  // -1 where a signal ended it
  int signal = 0;
  bool timed_out = false;
  bool cancelled = false;
  std::string output;  // what it wrote last; foreign text

  bool ok() const { return exit_code == 0 && !timed_out && !cancelled; }
  // "exit status 3", "ended by signal 9", "not done after 1m", "cancelled".
  std::string Describe() const;

  absl::Duration timeout;  // as given, for Describe()
};

// Ends programs that run, from another thread. Thread-safe.
class Cancellation {
 public:
  Cancellation();
  ~Cancellation();
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // For good: what is started afterwards ends at once.
  void Cancel();
  // Readable once it was cancelled.
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// (blocks) The program gets /dev/null to read, a process group of its own, no open files but these,
// default signals; where its time is over or it is cancelled the group is killed, as is what
// it leaves running. INVALID_ARGUMENT without a program; FILE_UNREADABLE where it cannot be
// started. Thread-safe.
absl::StatusOr<ProgramEnd> RunProgram(const Program& program, const Cancellation& cancel);

}  // namespace cdgate::base
