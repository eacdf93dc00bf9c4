// What the micro-benchmarks use of Google Benchmark, for counting instead of timing: the same
// sources, built with this folder in front of the include path, run each benchmark a fixed number
// of times under valgrind's callgrind, which counts the instructions of the loops alone.
//
//   valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=out event_instructions
//
// Prints "NAME RUNS ALLOCATIONS" for each, the sum of operator new's, and callgrind leaves a file
// out.N with the sum of instructions. Without valgrind it counts no instructions. For one thread;
// what others do meanwhile is counted as well.
#pragma once

#include <valgrind/callgrind.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace benchmark {

// What the program has allocated so far.
uint64_t Allocations();

// A figure beside the time, which is of no interest here.
class Counter {
 public:
  enum Flags { kDefaults = 0, kAvgIterations = 1, kIsIterationInvariantRate = 2, kInvert = 4 };
  Counter(double value = 0, int = kDefaults) : value_(value) {}  // NOLINT: as the original
  double value() const { return value_; }

 private:
  double value_;
};
inline Counter::Flags operator|(Counter::Flags a, Counter::Flags b) {
  return static_cast<Counter::Flags>(static_cast<int>(a) | static_cast<int>(b));
}

class State {
 public:
  // So that what is made once is made, and what grows has grown.
  static constexpr int64_t kWarmUp = 8;
  static constexpr int64_t kCounted = 32;

  State(std::string name, int64_t argument) : name_(std::move(name)), argument_(argument) {}

  struct [[maybe_unused]] Value {};
  struct Iterator {
    State* state;
    Value operator*() const { return {}; }
    Iterator& operator++() { return *this; }
    bool operator!=(const Iterator&) const { return state->GoOn(); }
  };
  Iterator begin() { return {this}; }
  Iterator end() { return {this}; }

  int64_t iterations() const { return kCounted; }
  int64_t range(size_t) const { return argument_; }
  void SetItemsProcessed(int64_t) {}
  void SetBytesProcessed(int64_t) {}
  void PauseTiming() {
    CALLGRIND_TOGGLE_COLLECT;
    paused_ = Allocations();
  }
  void ResumeTiming() {
    before_ += Allocations() - paused_;
    CALLGRIND_TOGGLE_COLLECT;
  }
  // `why` is printed, and the program fails.
  void SkipWithError(const char* why) { error_ = why; }

  const std::string& name() const { return name_; }
  const std::string& error() const { return error_; }
  uint64_t allocations() const { return allocations_; }
  std::map<std::string, Counter> counters;

 private:
  bool GoOn() {
    const int64_t run = run_++;
    if (run == kWarmUp) {
      before_ = Allocations();
      CALLGRIND_START_INSTRUMENTATION;
      CALLGRIND_ZERO_STATS;
    }
    if (run < kWarmUp + kCounted && error_.empty()) return true;
    CALLGRIND_DUMP_STATS_AT(name_.c_str());
    CALLGRIND_STOP_INSTRUMENTATION;
    allocations_ = Allocations() - before_;
    return false;
  }

  const std::string name_;
  const int64_t argument_;
  int64_t run_ = 0;
  uint64_t before_ = 0, paused_ = 0, allocations_ = 0;
  std::string error_;
};

// The value is made, whatever the compiler knows of it.
template <typename T>
void DoNotOptimize(T&& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

class Benchmark {
 public:
  using Function = std::function<void(State&)>;
  Benchmark(std::string name, Function function)
      : name_(std::move(name)), function_(std::move(function)) {}
  Benchmark* Arg(int64_t argument) {
    arguments_.push_back(argument);
    return this;
  }
  // NAME, or NAME/ARGUMENT for each.
  void List() const;
  // False where one has failed.
  bool Run(const std::function<bool(const std::string& name)>& wanted) const;

 private:
  std::vector<std::pair<std::string, int64_t>> Cases() const;

  const std::string name_;
  const Function function_;
  std::vector<int64_t> arguments_;
};

// Kept until the process ends.
Benchmark* Register(const std::string& name, Benchmark::Function function);

}  // namespace benchmark

#define CDGATE_COUNT_JOIN_(a, b) a##b
#define CDGATE_COUNT_JOIN(a, b) CDGATE_COUNT_JOIN_(a, b)
#define CDGATE_COUNT(name, function)                                                          \
  [[maybe_unused]] static ::benchmark::Benchmark* const CDGATE_COUNT_JOIN(kCount, __LINE__) = \
      ::benchmark::Register(name, function)
#define BENCHMARK(function) CDGATE_COUNT(#function, function)
#define BENCHMARK_CAPTURE(function, test, ...) \
  CDGATE_COUNT(#function "/" #test, [](::benchmark::State& state) { function(state, __VA_ARGS__); })
