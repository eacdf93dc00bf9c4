// A client that behaves, beside one that does not.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "tests/gateway/rpc/test_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {

// What one attack may cost beyond what was in use before it.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr size_t kMemoryBound = 2000U << 20;  // shadow memory and quarantine count
#else
inline constexpr size_t kMemoryBound = 200U << 20;
#endif

// The most memory that this process ever used, from its construction on.
class MemoryPeak {
 public:
  MemoryPeak() {
    std::ofstream("/proc/self/clear_refs") << "5";  // forgets the peak so far
    baseline_ = Peak();
  }
  size_t growth() const { return std::max(Peak(), baseline_) - baseline_; }

 private:
  static size_t Peak() {
    std::ifstream status("/proc/self/status");
    std::string word;
    size_t kibibytes = 0;
    while (status >> word && word != "VmHWM:") {
    }
    status >> kibibytes;
    return kibibytes << 10;
  }

  size_t baseline_ = 0;
};

// Echoes without pause on a stream of its own.
class Innocent {
 public:
  explicit Innocent(TestGateway& gateway)
      : channel_(gateway.Api("reader")),
        probe_(StreamProbe::Start(channel_->OpenStream(kSubscribe))),
        thread_([this] { Run(); }) {}

  ~Innocent() {
    stop_ = true;
    thread_.join();
    EXPECT_FALSE(broken_) << "the innocent stream ended, or an echo took " << kPatience;
    probe_->stream().Close(absl::OkStatus());
    CDGATE_EXPECT_OK(probe_->WaitClosed());
  }

  // Waits for an echo that began after now.
  void ExpectProgress() {
    const int before = echoes_;
    EXPECT_TRUE(TestGateway::Eventually([&] { return echoes_ > before + 1; }));
  }

 private:
  void Run() {
    while (!stop_ && !broken_) {
      broken_ = !probe_->Send("innocent") || probe_->Receive() != "innocent";
      ++echoes_;
      usleep(1000);
    }
  }

  const std::unique_ptr<ClientChannel> channel_;
  const std::shared_ptr<StreamProbe> probe_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> broken_{false};
  std::atomic<int> echoes_{0};
  std::thread thread_;
};

}  // namespace cdgate::rpc
