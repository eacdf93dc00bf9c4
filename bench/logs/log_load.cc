// What a log costs, one measurement in a process of its own; prints a line of JSON.
//
//   log_load append ENGINE DIRECTORY EVENTS EVENTS_PER_COMMIT
//     begins a log in DIRECTORY, appends as fast as it is taken, and ends as if killed, half a file
//     later
//   log_load open ENGINE DIRECTORY
//     opens it from the disk, reads all of it twice, from the disk and from the page cache
//   log_load retain ENGINE DIRECTORY COMMITS KEPT
//     appends COMMITS of 64 events, and the same again while retention keeps the newest KEPT events
//
// ENGINE is one of bench/logs/engines.h. Events have 1 KiB of data. Commits are made before the
// clock starts, and what a log still owes when the last is acknowledged counts as processor time
// and bytes written, but not as time.
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/logs/engines.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/eventlog/backend.h"
#include "tests/gateway/eventlog/test_commits.h"

namespace cdgate::bench {
namespace {

constexpr size_t kEventBytes = 1024;
constexpr size_t kRetainBatch = 64;
constexpr absl::Duration kTrimEvery = absl::Milliseconds(100);

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::_Exit(1);
}

void Must(const absl::Status& status) {
  if (!status.ok()) Die(status);
}

double Seconds() { return absl::ToDoubleSeconds(base::SystemClock().Monotonic()); }

std::unique_ptr<Engine> MustOpen(const std::string& engine, const std::string& directory) {
  auto opened = OpenEngine(engine, {.directory = directory}, base::SystemClock());
  if (!opened.ok()) Die(opened.status());
  return *std::move(opened);
}

// --------------------------------------------------------- what it costs

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// As the system counts them: a page of its cache when it is changed, or what passes it by.
double BytesWritten() {
  std::ifstream io("/proc/self/io");
  std::string name;
  double value = 0;
  while (io >> name >> value) {
    if (name == "write_bytes:") return value;
  }
  return 0;
}

double BytesOnDisk(const std::string& directory) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += static_cast<double>(entry.file_size());
  }
  return bytes;
}

// Nothing of what is in `directory` is in memory afterwards.
void DropFromCache(const std::string& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

// Of how long each commit took.
class Latencies {
 public:
  explicit Latencies(std::vector<double> ms) : ms_(std::move(ms)) {
    std::sort(ms_.begin(), ms_.end());
  }
  double At(double part) const {
    return ms_[static_cast<size_t>(part * static_cast<double>(ms_.size() - 1))];
  }
  std::string Json(absl::string_view prefix) const {
    return absl::StrFormat(
        R"("%sp50_ms": %.3f, "%sp99_ms": %.3f, "%sp999_ms": %.3f, "%slongest_ms": %.3f)", prefix,
        At(0.5), prefix, At(0.99), prefix, At(0.999), prefix, At(1));
  }

 private:
  std::vector<double> ms_;
};

// ------------------------------------------------------------- appending

std::vector<event::CommitPtr> MakeCommits(eventlog::Head head, size_t commits, size_t events) {
  std::vector<event::CommitPtr> made;
  for (size_t i = 0; i < commits; ++i) {
    made.push_back(test::NextEvents(head, events, kEventBytes));
    head = eventlog::HeadAfter(*made.back());
  }
  return made;
}

Latencies AppendAll(eventlog::EventLog& log, const std::vector<event::CommitPtr>& commits) {
  std::vector<double> ms;
  ms.reserve(commits.size());
  for (const event::CommitPtr& commit : commits) {
    const double begin = Seconds();
    Must(test::AppendNow(log, commit));
    ms.push_back((Seconds() - begin) * 1e3);
  }
  return Latencies(std::move(ms));
}

// Where a kill comes on the average.
void FillHalfAFile(eventlog::EventLog& log) {
  constexpr size_t kEvents = 256;
  const size_t commits = EngineOptions().file_bytes / 2 / kEvents / kEventBytes;
  AppendAll(log, MakeCommits(log.head(), commits, kEvents));
}

[[noreturn]] void Append(const std::string& engine_name, const std::string& directory,
                         size_t events, size_t per_commit) {
  std::filesystem::remove_all(directory);
  const auto engine = MustOpen(engine_name, directory);
  const auto commits = MakeCommits(engine->log().head(), events / per_commit, per_commit);
  double record_bytes = 0;
  for (const event::CommitPtr& commit : commits) {
    record_bytes += static_cast<double>(commit->bytes.size());
  }
  const double cpu = CpuSeconds();
  const double written = BytesWritten();
  const double begin = Seconds();
  const Latencies latencies = AppendAll(engine->log(), commits);
  const double seconds = Seconds() - begin;
  Must(engine->CloseFile());
  const double n = static_cast<double>(commits.size() * per_commit);
  std::printf(
      R"({"events_per_s": %.0f, %s, "cpu_s_per_million": %.3f, "write_amplification": %.3f})"
      "\n",
      n / seconds, latencies.Json("").c_str(), (CpuSeconds() - cpu) / n * 1e6,
      (BytesWritten() - written) / record_bytes);
  std::fflush(stdout);
  FillHalfAFile(engine->log());
  std::_Exit(0);
}

// --------------------------------------------------------------- reading

// Events a second, over all that the log has.
double Scan(const eventlog::EventLog& log) {
  const base::Sequence first = log.first().sequence;
  const base::Sequence head = log.head().sequence;
  const double begin = Seconds();
  for (base::Sequence next = first; next <= head;) {
    const auto commits = log.Read({.sequence = next}, {});
    if (!commits.ok()) Die(commits.status());
    next = commits->back()->last_sequence.Next();
  }
  return static_cast<double>(head.value() - first.value() + 1) / (Seconds() - begin);
}

void Open(const std::string& engine_name, const std::string& directory) {
  const double bytes = BytesOnDisk(directory);
  DropFromCache(directory);
  const double begin = Seconds();
  const auto engine = MustOpen(engine_name, directory);
  const double open_s = Seconds() - begin;
  DropFromCache(directory);
  const double cold = Scan(engine->log());
  const double warm = Scan(engine->log());
  std::printf(R"({"open_s": %.3f, "scan_per_s": %.0f, "scan_warm_per_s": %.0f, "disk_mb": %.1f})"
              "\n",
              open_s, cold, warm, bytes / 1e6);
}

// ------------------------------------------------------------- retention

// Trims a log again and again until it is destroyed.
class Retention {
 public:
  Retention(eventlog::EventLog& log, uint64_t kept)
      : log_(log), kept_(kept), thread_([this] { Run(); }) {}
  ~Retention() {
    {
      base::MutexLock lock(mu_);
      stop_ = true;
      stopping_.SignalAll();
    }
    thread_.join();
  }

 private:
  void Run() {
    while (!StopsWithin(kTrimEvery)) {
      const uint64_t newest = log_.head().sequence.value();
      if (newest > kept_) Must(log_.Trim(base::Sequence(newest - kept_)));
    }
  }
  bool StopsWithin(absl::Duration time) {
    base::MutexLock lock(mu_);
    if (!stop_) stopping_.WaitFor(mu_, time);
    return stop_;
  }

  eventlog::EventLog& log_;
  const uint64_t kept_;
  base::Mutex mu_;
  base::CondVar stopping_;
  bool stop_ CDGATE_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

void Retain(const std::string& engine_name, const std::string& directory, size_t commits,
            uint64_t kept) {
  const auto engine = MustOpen(engine_name, directory);
  eventlog::EventLog& log = engine->log();
  const Latencies quiet = AppendAll(log, MakeCommits(log.head(), commits, kRetainBatch));
  Must(engine->CloseFile());
  const auto more = MakeCommits(log.head(), commits, kRetainBatch);
  const uint64_t first = log.first().sequence.value();
  const double written = BytesWritten();
  std::string retaining;
  {
    const Retention retention(log, kept);
    retaining = AppendAll(log, more).Json("retain_");
  }
  std::printf(R"({%s, %s, "dropped_events": %.0f, "retain_written_mb": %.1f})"
              "\n",
              quiet.Json("quiet_").c_str(), retaining.c_str(),
              static_cast<double>(log.first().sequence.value() - first),
              (BytesWritten() - written) / 1e6);
}

// Each process would find out by itself, sooner or later, that memory of this size is used again.
void KeepMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

int Main(const std::vector<std::string>& args) {
  KeepMemory();
  const auto number = [&args](size_t i) { return std::strtoul(args[i].c_str(), nullptr, 10); };
  if (args.size() == 5 && args[0] == "append") {
    Append(args[1], args[2], number(3), std::max(1ul, number(4)));
  }
  if (args.size() == 3 && args[0] == "open") {
    Open(args[1], args[2]);
    return 0;
  }
  if (args.size() == 5 && args[0] == "retain") {
    Retain(args[1], args[2], number(3), number(4));
    return 0;
  }
  std::fprintf(stderr,
               "usage: log_load append ENGINE DIRECTORY EVENTS EVENTS_PER_COMMIT\n"
               "       log_load open ENGINE DIRECTORY\n"
               "       log_load retain ENGINE DIRECTORY COMMITS KEPT\n");
  return 2;
}

}  // namespace
}  // namespace cdgate::bench

int main(int argc, char** argv) { return cdgate::bench::Main({argv + 1, argv + argc}); }
