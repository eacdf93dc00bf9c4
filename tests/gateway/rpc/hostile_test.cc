// Hostile clients against a server with an innocent one on it: each attack of
// tests/e2e/hostile.py ends, memory stays bounded, and the innocent stream goes on.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/gateway/rpc/innocent.h"
#include "tests/gateway/rpc/test_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using authz::Listener;

// Runs a script of tests/e2e against the api listener; its exit status. What it printed goes to
// `report`.
int RunScript(TestGateway& gateway, const std::string& script, const std::string& more,
              std::string* report) {
  const std::string command =
      absl::StrCat("python3 -B tests/e2e/", script, " --target ", gateway.Address(Listener::kApi),
                   " --identity ", gateway.ServiceIdentity("reader-evil"), " ", more);
  FILE* const pipe = popen(command.c_str(), "r");
  char line[1024] = "";
  while (fgets(line, sizeof(line), pipe) != nullptr) *report += line;
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int Attack(TestGateway& gateway, const std::string& attack, const std::string& more,
           std::string* report) {
  return RunScript(gateway, absl::StrCat("hostile.py ", attack),
                   absl::StrCat("--path ", kSubscribe, " --seconds 60 ", more), report);
}

// Connections to the api listener that the guard cut, whatever the cause.
int CutsForAbuse(TestGateway& gateway) {
  const std::string metrics = gateway.metrics.Text();
  int cuts = 0;
  for (const absl::string_view line : absl::StrSplit(metrics, '\n')) {
    int count = 0;
    if (absl::StartsWith(line, "cdgate_rpc_connections_cut_total{") &&
        absl::StrContains(line, "listener=\"api\"") &&
        absl::SimpleAtoi(line.substr(line.rfind(' ') + 1), &count)) {
      cuts += count;
    }
  }
  return cuts;
}

struct HostileCase {
  const char* attack;
  const char* arguments;
  bool only_guard_ends_it;  // gRPC would put up with it
};

class HostileTest : public testing::TestWithParam<HostileCase> {};

// Which rule of the guard's ends an attack is a matter of who gets to run when.
TEST_P(HostileTest, AttackEndsAndOthersGoOn) {
  TestGateway gateway([](ServerOptions& options) {
    ListenerLimits limits = DefaultLimits(Listener::kApi);
    limits.abuse_pause = absl::ZeroDuration();
    limits.first_message_timeout = absl::Seconds(2);
    limits.frame_timeout = absl::Seconds(4);
    options.listeners[0].limits = limits;
  });
  Innocent innocent(gateway);
  innocent.ExpectProgress();
  const MemoryPeak memory;
  std::string report;
  EXPECT_EQ(Attack(gateway, GetParam().attack, GetParam().arguments, &report), 0);
  std::printf("%smemory: %zu MiB\n", report.c_str(), memory.growth() >> 20);
  innocent.ExpectProgress();
  EXPECT_LT(memory.growth(), kMemoryBound);
  if (GetParam().only_guard_ends_it) {
    EXPECT_TRUE(TestGateway::Eventually([&] { return CutsForAbuse(gateway) == 1; }));
  }
  EXPECT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_connections() == 1; }));
  EXPECT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_calls() == 1; }));
}

// With 64 KiB, a client 50 ms away could send 1.3 MB a second, however fast the path is.
TEST(WindowTest, IsWhatALongPathHolds) {
  TestGateway gateway;
  std::string report;
  EXPECT_EQ(RunScript(gateway, "offered_window.py", "--bytes 4000000", &report), 0) << report;
}

INSTANTIATE_TEST_SUITE_P(
    Attacks, HostileTest,
    testing::Values(
        HostileCase{"rapid-reset", "", true}, HostileCase{"open-flood", "", true},
        HostileCase{"endless-headers", "", true}, HostileCase{"giant-header", "", true},
        HostileCase{"late-giant-header", "", true}, HostileCase{"giant-message", "", true},
        HostileCase{"many-giant-messages", "", true}, HostileCase{"trickle", "", false},
        HostileCase{"trickled-headers", "", true}, HostileCase{"trickled-header-frame", "", true},
        HostileCase{"late-trickled-headers", "", true}, HostileCase{"trickled-data", "", true},
        HostileCase{"window-updates", "", true}, HostileCase{"pings", "", true},
        HostileCase{"settings", "", false}, HostileCase{"priorities", "", true},
        HostileCase{"unknown-frames", "", true}, HostileCase{"empty-data", "", false},
        HostileCase{"silent", "--count 50", false}, HostileCase{"connections", "", false}),
    [](const testing::TestParamInfo<HostileCase>& test_case) {
      std::string name;
      for (const char* c = test_case.param.attack; *c != 0; ++c) {
        if (*c != '-') name += *c;
      }
      return name;
    });

}  // namespace
}  // namespace cdgate::rpc
