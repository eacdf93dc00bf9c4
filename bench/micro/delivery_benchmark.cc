// What a delivery costs before gRPC has it: the bytes of a batch, made once and taken from the
// cache, and those for a stream that is behind.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "gateway/delivery/delivered_cache.h"
#include "gateway/delivery/frames.h"
#include "tests/gateway/eventlog/test_commits.h"

namespace cdgate::delivery {
namespace {

constexpr size_t kDataBytes = 1024;

// One commit of `n` events.
event::CommitPtr Events(size_t n) {
  eventlog::Head head;
  head.epoch = base::Epoch("epoch");
  return test::NextEvents(head, n, kDataBytes);
}

std::vector<const event::Record*> RecordsOf(const event::Commit& commit) {
  std::vector<const event::Record*> records;
  for (const event::Record& record : commit.events) records.push_back(&record);
  return records;
}

// Of each of a hundred streams at the head but the first.
void BM_DeliverCached(benchmark::State& state) {
  const event::CommitPtr commit = Events(4);
  const auto records = RecordsOf(*commit);
  DeliveredCache cache;
  for (auto _ : state) benchmark::DoNotOptimize(cache.Response(records));
}
BENCHMARK(BM_DeliverCached);

void BM_DeliverFirst(benchmark::State& state) {
  const event::CommitPtr commit = Events(4);
  const auto records = RecordsOf(*commit);
  for (auto _ : state) {
    DeliveredCache cache;
    benchmark::DoNotOptimize(cache.Response(records));
  }
}
BENCHMARK(BM_DeliverFirst);

void BM_DeliverBehind64(benchmark::State& state) {
  const event::CommitPtr commit = Events(64);
  for (auto _ : state) {
    std::string batch;
    for (const event::Record& record : commit->events) AppendDelivered(record, 1, nullptr, &batch);
    benchmark::DoNotOptimize(AsSubscribeResponse(std::move(batch)));
  }
}
BENCHMARK(BM_DeliverBehind64);

}  // namespace
}  // namespace cdgate::delivery
