// What the store costs: proposes events of 1 KiB as fast as they are taken, at commits of
// a given size, and prints rate, latency and CPU by thread.
//
//   store_load DIRECTORY [EVENTS] [EVENTS_PER_COMMIT]...
//
// Events are made before the clock starts; what is measured is Propose, the committer,
// the log with its sync, the fold, and RocksDB's threads.
#include <dirent.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/feed.h"
#include "gateway/eventlog/segments/segment_log.h"
#include "gateway/state/rocks_kv.h"
#include "gateway/state/store.h"
#include "tests/gateway/state/published.h"

namespace cdgate {
namespace {

storage::v1::StoredEvent MakeEvent(size_t n) {
  const std::string id = absl::StrCat("271069a8-fc18-44f1-b38f-", 100'000'000'000 + n);
  std::string json = absl::StrCat(R"({"context":{"id":")", id, R"("},"pad":")");
  json.append(1022 - json.size(), 'x');
  json.append("\"}");
  storage::v1::StoredEvent stored = test::Published(id, json, absl::Now());
  stored.set_publisher("spiffe://alpha.example/service/jenkins");
  return stored;
}

// CPU seconds of each group of threads, by name.
std::map<std::string, double> CpuByThread() {
  std::map<std::string, double> out;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    double nanos = 0;
    std::ifstream(task.path() / "comm") >> name;
    std::ifstream(task.path() / "schedstat") >> nanos;
    out[name] += nanos / 1e9;
  }
  return out;
}

struct World {
  explicit World(const std::string& directory, size_t events_per_commit) {
    auto opened = eventlog::SegmentLog::Open({.directory = directory + "/log"}, base::SystemClock(),
                                             base::SystemRandom());
    if (!opened.ok()) Die(opened.status());
    log = *std::move(opened);
    auto kv = state::RocksKv::Open({.directory = directory + "/state"});
    if (!kv.ok()) Die(kv.status());
    state::StoreOptions options;
    options.max_commit_events = events_per_commit;
    options.max_pending_events = 1'000'000;
    options.max_pending_bytes = size_t{4} << 30;
    auto made = state::Store::Open(options,
                                   {.log = *log,
                                    .clock = base::SystemClock(),
                                    .random = base::SystemRandom(),
                                    .metrics = metrics,
                                    .background = pool},
                                   *std::move(kv));
    if (!made.ok()) Die(made.status());
    store = *std::move(made);
    feed = std::make_unique<eventlog::Feed>(*log, pool, metrics);
  }
  [[noreturn]] static void Die(const absl::Status& status) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    std::exit(1);
  }

  base::Metrics metrics;
  base::ThreadPool pool{{.name = "background", .threads = 2}};
  std::unique_ptr<eventlog::SegmentLog> log;
  std::unique_ptr<state::Store> store;
  std::unique_ptr<eventlog::Feed> feed;
};

// One proposal of one event each, at most `outstanding` unanswered.
class Publisher {
 public:
  Publisher(state::Store& store, size_t outstanding) : store_(store), outstanding_(outstanding) {}

  void Publish(state::NewEvent event) {
    {
      base::MutexLock lock(mu_);
      while (waiting_ >= outstanding_) less_.Wait(mu_);
      ++waiting_;
    }
    const absl::Duration begin = base::SystemClock().Monotonic();
    state::Proposal proposal;
    proposal.events.push_back(std::move(event));
    const absl::Status queued =
        store_.Propose(std::move(proposal), [this, begin](const state::Outcome& outcome) {
          if (!outcome.status.ok()) World::Die(outcome.status);
          const double ms = absl::ToDoubleMilliseconds(base::SystemClock().Monotonic() - begin);
          base::MutexLock lock(mu_);
          latencies_.push_back(ms);
          // Publishers send in bursts, as connections do.
          if (--waiting_ <= outstanding_ / 2) less_.SignalAll();
        });
    if (!queued.ok()) World::Die(queued);
  }
  void WaitForAll() {
    base::MutexLock lock(mu_);
    while (waiting_ > 0) less_.Wait(mu_);
  }
  double Percentile(double p) {
    base::MutexLock lock(mu_);
    std::sort(latencies_.begin(), latencies_.end());
    return latencies_[static_cast<size_t>(p * static_cast<double>(latencies_.size() - 1))];
  }

 private:
  state::Store& store_;
  const size_t outstanding_;
  base::Mutex mu_;
  base::CondVar less_;
  size_t waiting_ CDGATE_GUARDED_BY(mu_) = 0;
  std::vector<double> latencies_ CDGATE_GUARDED_BY(mu_);
};

void Run(const std::string& directory, size_t events, size_t per_commit, bool replay) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  {
    World world(directory, per_commit);
    std::vector<state::NewEvent> made;
    for (size_t i = 0; i < events; ++i) {
      const std::string stored = MakeEvent(i).SerializeAsString();
      const event::Record record(base::Sequence(), stored);
      const state::IdentityKey identity =
          world.store->identities().Of(record.origin(), record.source(), record.id());
      made.push_back(state::MakeNewEvent(stored, identity));
    }
    Publisher publisher(*world.store, per_commit * 2);
    const auto cpu_before = CpuByThread();
    const absl::Duration begin = base::SystemClock().Monotonic();
    for (state::NewEvent& event : made) publisher.Publish(std::move(event));
    publisher.WaitForAll();
    const double seconds = absl::ToDoubleSeconds(base::SystemClock().Monotonic() - begin);
    const auto cpu_after = CpuByThread();
    const double n = static_cast<double>(events);
    std::printf("%zu per commit: %.0f events/s, %.0f commits, p50 %.2f ms, p99 %.2f ms\n",
                per_commit, n / seconds, static_cast<double>(world.log->head().commit - 1),
                publisher.Percentile(0.5), publisher.Percentile(0.99));
    double total = 0;
    for (const auto& [name, cpu] : cpu_after) {
      const auto before = cpu_before.find(name);
      const double used = cpu - (before == cpu_before.end() ? 0 : before->second);
      total += used;
      if (used > n * 1e-8) std::printf("  %-16s %.2f us/event\n", name.c_str(), used * 1e6 / n);
    }
    std::printf("  %-16s %.2f us/event\n", "all", total * 1e6 / n);
  }
  if (!replay) return;
  std::filesystem::remove_all(directory + "/state");
  const auto begin = base::SystemClock().Monotonic();
  const World again(directory, per_commit);
  const double seconds = absl::ToDoubleSeconds(base::SystemClock().Monotonic() - begin);
  std::printf("  opened and applied again in %.2f s, %.2f us/event\n", seconds,
              seconds * 1e6 / static_cast<double>(events));
}

}  // namespace
}  // namespace cdgate

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: store_load DIRECTORY [EVENTS] [EVENTS_PER_COMMIT]...\n");
    return 2;
  }
  const std::string directory = std::string(argv[1]) + "/store_load";
  const size_t events = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 200'000;
  std::vector<size_t> sizes;
  for (int i = 3; i < argc; ++i) sizes.push_back(std::strtoul(argv[i], nullptr, 10));
  if (sizes.empty()) sizes = {1, 64, 256};
  for (const size_t size : sizes) {
    // Commits of one event are slow; fewer of them say the same.
    cdgate::Run(directory, size == 1 ? events / 20 : events, size, size == sizes.back());
  }
  std::filesystem::remove_all(directory);
  return 0;
}
