// link_schedules: plays the stories of many seeds (simulation.h) and keeps what became of each.
//
//   link_schedules --seeds 1..100000 --results FILE --commit HASH [--jobs 2]
//   link_schedules --seed 4711 [--verbose]       one story, with all that the sides did
//   link_schedules --seed 4711 --mutant leak     one in which something is broken on purpose
//
// FILE has a line of JSON for each seed and commit. Seeds that it has for HASH are not played
// again, so that a run that was ended goes on where it was. The last line printed is the summary.
//
// Exit status: 0 no claim was broken, 1 one was, 2 wrong arguments. A crash names its seeds.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/federation/link/simulation.h"

namespace cdgate::test {
namespace {

constexpr size_t kMostJobs = 64;
constexpr int kSteps = 1200;

struct Options {
  std::string seeds;
  uint64_t seed = 0;
  bool verbose = false;
  std::string results;
  std::string commit = "unknown";
  size_t jobs = 1;
  std::string mutant;
};

std::atomic<uint64_t> playing[kMostJobs];  // seeds; 0: none

// A core that crashes is a finding, too.
void NameSeeds(int signal_number) {
  for (const auto& seed : playing) {
    if (seed == 0) continue;
    char text[64];
    const int size = snprintf(text, sizeof(text), "crashed with seed %lu under way\n",
                              static_cast<unsigned long>(seed.load()));
    if (write(STDERR_FILENO, text, static_cast<size_t>(size)) < 0) break;
  }
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

SimulationOptions StoryOf(uint64_t seed) {
  return {.seed = seed, .steps = kSteps, .faults = FaultsOf(seed)};
}

// What the line of a seed begins with.
std::string LineStart(uint64_t seed, const std::string& commit) {
  return absl::StrCat("{\"seed\":", seed, ",\"commit\":\"", absl::CEscape(commit), "\",");
}

std::string LineOf(uint64_t seed, const std::string& commit, const SimulationResult& result) {
  return absl::StrCat(LineStart(seed, commit), "\"ok\":", result.fault.empty() ? "true" : "false",
                      ",\"fault\":\"", absl::CEscape(result.fault), "\",\"events\":", result.events,
                      ",\"links\":", result.links, ",\"replayed\":", result.replayed,
                      ",\"crashes\":", result.crashes, ",\"receipts\":", result.receipts,
                      ",\"disputes\":", result.disputes,
                      ",\"healed_seconds\":", result.healed_seconds, "}\n");
}

// Seeds of many threads, and the file of their results.
class Schedules {
 public:
  Schedules(const Options& options, uint64_t first, uint64_t last)
      : options_(options), next_(first), last_(last) {
    ReadResults();
    if (!options.results.empty()) file_.open(options.results, std::ios::app);
  }

  // Exit status.
  int Run() {
    const auto began = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (size_t i = 0; i < options_.jobs; ++i) threads.emplace_back([this, i] { PlayAll(i); });
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::cout << played_ << " schedules played in " << took.count() << " s ("
              << static_cast<uint64_t>(static_cast<double>(played_) * 60 / took.count())
              << " a minute), " << done_.size() << " known before, " << events_
              << " events arrived, " << links_ << " links, " << crashes_ << " crashes, "
              << receipts_ << " receipts; " << faults_.size() << " violations\n";
    for (const auto& [seed, fault] : faults_) std::cout << "seed " << seed << ": " << fault << "\n";
    return faults_.empty() ? 0 : 1;
  }

 private:
  void ReadResults() {
    std::ifstream file(options_.results);
    for (std::string line; std::getline(file, line);) {
      uint64_t seed = 0;
      const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(',', 1));
      if (!absl::SimpleAtoi(absl::StripPrefix(parts[0], "{\"seed\":"), &seed)) continue;
      if (line.rfind(LineStart(seed, options_.commit), 0) != 0 || line.back() != '}') continue;
      if (seed < next_ || seed > last_) continue;
      done_.insert(seed);
      if (line.find("\"ok\":true") == std::string::npos) faults_.emplace_back(seed, line);
    }
  }

  void PlayAll(size_t job) {
    for (uint64_t seed = next_++; seed <= last_; seed = next_++) {
      if (done_.count(seed) > 0) continue;
      playing[job] = seed;
      const SimulationResult result = Simulate(StoryOf(seed));
      playing[job] = 0;
      Keep(seed, result);
    }
  }

  void Keep(uint64_t seed, const SimulationResult& result) {
    std::lock_guard<std::mutex> lock(mutex_);
    ++played_;
    events_ += static_cast<uint64_t>(result.events);
    links_ += static_cast<uint64_t>(result.links);
    crashes_ += static_cast<uint64_t>(result.crashes);
    receipts_ += static_cast<uint64_t>(result.receipts);
    if (!result.fault.empty()) faults_.emplace_back(seed, result.fault);
    if (file_.is_open()) file_ << LineOf(seed, options_.commit, result) << std::flush;
  }

  const Options& options_;
  std::set<uint64_t> done_;
  std::atomic<uint64_t> next_;
  const uint64_t last_;
  std::mutex mutex_;
  std::ofstream file_;
  uint64_t played_ = 0, events_ = 0, links_ = 0, crashes_ = 0, receipts_ = 0;
  std::vector<std::pair<uint64_t, std::string>> faults_;
};

int PlayOne(const Options& options) {
  SimulationOptions story = StoryOf(options.seed);
  story.trace = options.verbose;
  for (const Mutant mutant : AllMutants()) {
    if (MutantName(mutant) == options.mutant) story.mutant = mutant;
  }
  const SimulationResult result = Simulate(story);
  std::cout << "with " << story.faults.Names() << "\n"
            << LineOf(options.seed, options.commit, result);
  return result.fault.empty() ? 0 : 1;
}

int Usage(const std::string& message) {
  std::cerr << message << "\n";
  return 2;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app{"random schedules of two links over a simulated network"};
  app.add_option("--seeds", options.seeds, "FIRST..LAST");
  app.add_option("--seed", options.seed, "just this one");
  app.add_flag("--verbose", options.verbose, "with --seed: every step");
  app.add_option("--results", options.results, "file to read and to add to");
  app.add_option("--commit", options.commit, "what the results are of");
  app.add_option("--jobs", options.jobs, "threads")->check(CLI::Range(size_t{1}, kMostJobs));
  app.add_option("--mutant", options.mutant, "with --seed: what is broken on purpose");
  CLI11_PARSE(app, argc, argv);
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) std::signal(number, NameSeeds);
  if (options.seed > 0) return PlayOne(options);
  const std::vector<std::string> range = absl::StrSplit(options.seeds, "..");
  uint64_t first = 0, last = 0;
  if (range.size() != 2 || !absl::SimpleAtoi(range[0], &first) ||
      !absl::SimpleAtoi(range[1], &last) || first == 0) {
    return Usage("--seeds FIRST..LAST or --seed N is needed; see --help");
  }
  return Schedules(options, first, last).Run();
}

}  // namespace
}  // namespace cdgate::test

int main(int argc, char** argv) { return cdgate::test::Main(argc, argv); }
