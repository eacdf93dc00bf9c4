// What the log costs: an append of one event and of a batch, with its sync, and reading them again
// from the files.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/segments/segment_log.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/temp_dir.h"

namespace cdgate::eventlog {
namespace {

constexpr size_t kDataBytes = 1024;

std::unique_ptr<SegmentLog> OpenIn(const test::TempDir& folder) {
  return *SegmentLog::Open({.directory = folder.File("log")}, base::SystemClock(),
                           base::SystemRandom());
}

void BM_Append(benchmark::State& state) {
  const test::TempDir folder;
  const auto log = OpenIn(folder);
  const auto events = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    event::CommitPtr commit = test::NextEvents(log->head(), events, kDataBytes);
    state.ResumeTiming();
    if (!test::AppendNow(*log, std::move(commit)).ok()) return state.SkipWithError("not appended");
  }
}
BENCHMARK(BM_Append)->Arg(1)->Arg(64);

void BM_Read64(benchmark::State& state) {
  const test::TempDir folder;
  const auto log = OpenIn(folder);
  const base::Sequence first = log->head().sequence.Next();
  if (!test::AppendNow(*log, test::NextEvents(log->head(), 64, kDataBytes)).ok()) {
    return state.SkipWithError("not appended");
  }
  for (auto _ : state) benchmark::DoNotOptimize(log->Read({.sequence = first}, {.max_events = 64}));
}
BENCHMARK(BM_Read64);

}  // namespace
}  // namespace cdgate::eventlog
