// Random numbers that are the same everywhere for the same seed, which those of <random>
// are not.
//
//   Random random(seed);
//   if (random.OneIn(4)) Use(names[random.Below(names.size())]);
//
// SplitMix64. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace cdgate::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t value = state_ += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  }
  size_t Below(size_t end) { return Next() % end; }  // end > 0
  size_t From(size_t first, size_t last) { return first + Below(last - first + 1); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  const char* Pick(std::initializer_list<const char*> choices) {
    return choices.begin()[Below(choices.size())];
  }

 private:
  uint64_t state_;
};

}  // namespace cdgate::test
