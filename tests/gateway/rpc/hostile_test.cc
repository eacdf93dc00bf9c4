// Hostile clients against a server with an innocent one on it: each attack of
// tests/e2e/hostile.py ends, memory stays bounded, and the innocent stream goes on.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/gateway/rpc/test_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using authz::Listener;
using testing::ContainsRegex;

size_t ResidentBytes() {
  size_t total = 0;
  size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Echoes without pause on a stream of its own, and watches memory meanwhile.
class Innocent {
 public:
  explicit Innocent(TestGateway& gateway)
      : channel_(gateway.Api("reader")),
        probe_(StreamProbe::Start(channel_->OpenStream(kSubscribe))),
        baseline_(ResidentBytes()),
        thread_([this] { Run(); }) {}

  ~Innocent() {
    stop_ = true;
    thread_.join();
    EXPECT_FALSE(broken_) << "the innocent stream ended";
    EXPECT_GT(echoes_, 0);
    EXPECT_LT(longest_, absl::Seconds(5)) << "the innocent stream was starved";
    probe_->stream().Close(absl::OkStatus());
    CDGATE_EXPECT_OK(probe_->WaitClosed());
  }

  size_t most_memory() const { return most_ > baseline_ ? most_ - baseline_ : 0; }

 private:
  void Run() {
    while (!stop_ && !broken_) {
      const absl::Duration start = base::SystemClock().Monotonic();
      broken_ = !probe_->Send("innocent") || probe_->Receive() != "innocent";
      longest_ = std::max(longest_, base::SystemClock().Monotonic() - start);
      ++echoes_;
      most_ = std::max(most_.load(), ResidentBytes());
      usleep(1000);
    }
  }

  const std::unique_ptr<ClientChannel> channel_;
  const std::shared_ptr<StreamProbe> probe_;
  const size_t baseline_;
  std::atomic<size_t> most_{0};
  std::atomic<bool> stop_{false};
  bool broken_ = false;  // the thread's until it is joined, like the next two
  int echoes_ = 0;
  absl::Duration longest_;
  std::thread thread_;
};

// Runs the attacker; its exit status. What it printed goes to `report`.
int Attack(TestGateway& gateway, const std::string& attack, const std::string& more,
           std::string* report) {
  const std::string command = absl::StrCat(
      "python3 -B tests/e2e/hostile.py ", attack, " --target ", gateway.Address(Listener::kApi),
      " --identity ", gateway.ServiceIdentity("reader-evil"), " --path ", kSubscribe, " ", more);
  FILE* const pipe = popen(command.c_str(), "r");
  char line[1024] = "";
  while (fgets(line, sizeof(line), pipe) != nullptr) *report += line;
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct HostileCase {
  const char* attack;
  const char* arguments;
  const char* cause;  // of the cut, as the metrics name it; empty: no cut is needed
};

class HostileTest : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileTest, AttackEndsAndOthersGoOn) {
  TestGateway gateway([](ServerOptions& options) {
    ListenerLimits limits = DefaultLimits(Listener::kApi);
    limits.abuse_pause = absl::ZeroDuration();
    limits.first_message_timeout = absl::Seconds(2);
    options.listeners[0].limits = limits;
  });
  Innocent innocent(gateway);
  std::string report;
  EXPECT_EQ(Attack(gateway, GetParam().attack, GetParam().arguments, &report), 0);
  std::printf("%s", report.c_str());
  EXPECT_LT(innocent.most_memory(), 200U << 20);
  std::printf("memory: %zu MiB\n", innocent.most_memory() >> 20);
  if (*GetParam().cause != 0) {
    EXPECT_THAT(gateway.metrics.Text(),
                ContainsRegex(absl::StrCat("connections_cut_total.cause=\"(", GetParam().cause,
                                           ")\",listener=\"api\". 1")));
  }
  EXPECT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_connections() == 1; }));
  EXPECT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_calls() == 1; }));
}

INSTANTIATE_TEST_SUITE_P(
    Attacks, HostileTest,
    testing::Values(
        HostileCase{"rapid-reset", "", "waste|streams"}, HostileCase{"open-flood", "", "streams"},
        HostileCase{"endless-headers", "", "debt"}, HostileCase{"giant-header", "", "debt"},
        HostileCase{"giant-message", "", "debt"}, HostileCase{"many-giant-messages", "", "debt"},
        HostileCase{"trickle", "", ""}, HostileCase{"window-updates", "", "debt"},
        HostileCase{"pings", "", ""}, HostileCase{"settings", "", ""},
        HostileCase{"priorities", "", "debt"}, HostileCase{"unknown-frames", "", "debt"},
        HostileCase{"empty-data", "", ""}, HostileCase{"silent", "--count 50", ""},
        HostileCase{"connections", "--count 300", ""}),
    [](const testing::TestParamInfo<HostileCase>& test_case) {
      std::string name;
      for (const char* c = test_case.param.attack; *c != 0; ++c) {
        if (*c != '-') name += *c;
      }
      return name;
    });

}  // namespace
}  // namespace cdgate::rpc
