// Runs the benchmarks that were compiled in, or those named, for counting (benchmark/benchmark.h).
//
//   event_instructions [NAME...]
//   event_instructions --list          # their names, a line each
//
// Exit status: 0 all ran, 1 one failed or there is none of a name.
#include <algorithm>
#include <iostream>
#include <memory>

#include "benchmark/benchmark.h"
#include "tests/support/allocation_counter.h"

namespace benchmark {
namespace {

std::vector<std::unique_ptr<Benchmark>>& All() {
  static auto* const all = new std::vector<std::unique_ptr<Benchmark>>;
  return *all;
}

}  // namespace

uint64_t Allocations() { return cdgate::test::Allocations(); }

Benchmark* Register(const std::string& name, Benchmark::Function function) {
  All().push_back(std::make_unique<Benchmark>(name, std::move(function)));
  return All().back().get();
}

std::vector<std::pair<std::string, int64_t>> Benchmark::Cases() const {
  if (arguments_.empty()) return {{name_, 0}};
  std::vector<std::pair<std::string, int64_t>> cases;
  for (const int64_t argument : arguments_) {
    cases.emplace_back(name_ + "/" + std::to_string(argument), argument);
  }
  return cases;
}

void Benchmark::List() const {
  for (const auto& [name, argument] : Cases()) std::cout << name << std::endl;
}

bool Benchmark::Run(const std::function<bool(const std::string& name)>& wanted) const {
  bool ran = true;
  for (const auto& [name, argument] : Cases()) {
    if (!wanted(name)) continue;
    State state(name, argument);
    function_(state);
    if (!state.error().empty()) std::cerr << name << ": " << state.error() << std::endl;
    ran = ran && state.error().empty();
    std::cout << name << " " << State::kCounted << " " << state.allocations() << std::endl;
  }
  return ran;
}

}  // namespace benchmark

int main(int argc, char** argv) {
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names == std::vector<std::string>{"--list"}) {
    for (const auto& benchmark : benchmark::All()) benchmark->List();
    return 0;
  }
  const bool everything = names.empty();
  bool ran = true;
  for (const auto& benchmark : benchmark::All()) {
    ran = benchmark->Run([&](const std::string& name) {
      const auto it = std::find(names.begin(), names.end(), name);
      if (it == names.end()) return everything;
      names.erase(it);
      return true;
    }) && ran;
  }
  for (const std::string& name : names) std::cerr << "there is no " << name << std::endl;
  return ran && names.empty() ? 0 : 1;
}
