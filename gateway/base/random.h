// Randomness, injected where behaviour depends on it. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

namespace cdgate::base {

class Random {
 public:
  virtual ~Random() = default;
  // `n` unpredictable bytes from the kernel's generator (getrandom); fit for keys.
  virtual std::string Bytes(size_t n) = 0;
  // Uniform in [0, 1), for jitter.
  virtual double Unit() = 0;
};

// The operating system's generator. Lives as long as the process.
Random& SystemRandom();

}  // namespace cdgate::base
