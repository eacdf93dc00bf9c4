#include "gateway/base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace cdgate::base {
namespace {

void Fill(char* out, size_t n) {
  while (n > 0) {
    const ssize_t got = getrandom(out, n, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();  // no kernel generator: nothing here may go on without one
    }
    out += got;
    n -= static_cast<size_t>(got);
  }
}

class KernelRandom final : public Random {
 public:
  std::string Bytes(size_t n) override {
    std::string out(n, '\0');
    Fill(out.data(), n);
    return out;
  }
  double Unit() override {
    uint64_t bits = 0;
    char raw[sizeof bits];
    Fill(raw, sizeof raw);
    std::memcpy(&bits, raw, sizeof bits);
    return static_cast<double>(bits >> 11) * 0x1.0p-53;
  }
};

}  // namespace

Random& SystemRandom() {
  static KernelRandom random;
  return random;
}

}  // namespace cdgate::base
