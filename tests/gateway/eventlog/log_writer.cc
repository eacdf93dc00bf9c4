// Appends to a log until it is killed, and trims it:
//
//   log_writer ENGINE DIRECTORY
//
// Each commit that is acknowledged is told on standard output: its number, 8 bytes.
#include <unistd.h>

#include <cstdio>

#include "bench/logs/engines.h"
#include "tests/gateway/eventlog/crash_commits.h"

namespace cdgate::test {
namespace {

bool Tell(uint64_t number) { return write(STDOUT_FILENO, &number, sizeof number) == sizeof number; }

// Returns only where something fails.
absl::Status AppendUntilKilled(eventlog::EventLog& log) {
  for (;;) {
    const absl::Status appended = AppendNow(log, NextCrashCommit(log.head()));
    if (!appended.ok()) return appended;
    if (!Tell(log.head().commit)) return absl::UnavailableError("nobody reads");
    const uint64_t newest = log.head().sequence.value();
    if (newest <= kCrashKept) continue;
    const absl::Status trimmed = log.Trim(base::Sequence(newest - kCrashKept));
    if (!trimmed.ok()) return trimmed;
  }
}

int Run(const char* engine, const char* directory) {
  auto opened = bench::OpenEngine(engine, {.directory = directory, .file_bytes = kCrashFileBytes},
                                  base::SystemClock());
  const absl::Status ended = opened.ok() ? AppendUntilKilled((*opened)->log()) : opened.status();
  std::fprintf(stderr, "%s\n", ended.ToString().c_str());
  return 1;
}

}  // namespace
}  // namespace cdgate::test

int main(int argc, char** argv) {
  if (argc == 3) return cdgate::test::Run(argv[1], argv[2]);
  std::fprintf(stderr, "usage: log_writer ENGINE DIRECTORY\n");
  return 2;
}
