// A peer that we dial and that attacks us (tests/e2e/hostile_server.py): what costs more
// than it carries is cut, memory stays bounded, other streams go on.
// docs/adr/0005-dialled-links.md has what the attacks cost.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/gateway/rpc/innocent.h"
#include "tests/gateway/rpc/test_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

absl::Duration CpuTime() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}

// The attacker's process.
class HostileServer {
 public:
  HostileServer(const std::string& attack, const std::string& identity) {
    const std::string fifo = dir_.File("stdin");
    EXPECT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    output_ = popen(absl::StrCat("python3 -B tests/e2e/hostile_server.py ", attack, " --identity ",
                                 identity, " --seconds 60 < ", fifo)
                        .c_str(),
                    "r");
    input_ = open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
    const std::string line = Line();
    const size_t colon = line.find(": ");
    EXPECT_TRUE(absl::SimpleAtoi(line.substr(colon + 2, line.find('}') - colon - 2), &port_))
        << line;
  }
  ~HostileServer() {
    close(input_);
    std::printf("%s", Line().c_str());
    pclose(output_);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  std::string Line() {
    char line[512] = "";
    return fgets(line, sizeof(line), output_) == nullptr ? "" : line;
  }

  test::TempDir dir_;
  FILE* output_ = nullptr;
  int input_ = -1;
  int port_ = 0;
};

struct HostileServerCase {
  const char* attack;
  bool only_guard_ends_it;  // gRPC would put up with it
};

class HostileServerTest : public testing::TestWithParam<HostileServerCase> {};

TEST_P(HostileServerTest, AttackEndsAndOthersGoOn) {
  TestGateway gateway;
  Innocent innocent(gateway);
  innocent.ExpectProgress();
  const MemoryPeak memory;
  HostileServer server(GetParam().attack, gateway.GatewayIdentity());
  auto channel = gateway.PeerTo(server.address());
  const absl::Duration cpu = CpuTime();
  auto probe = StreamProbe::Start(channel->OpenStream(kLink));
  probe->Send("hello");
  // The guard takes 20 looks at it; a busy machine may not let it look often.
  absl::Status end = probe->WaitClosed();
  for (int i = 0; i < 5 && absl::IsUnknown(end); ++i) end = probe->WaitClosed();
  std::printf("%s\ncpu: %.2f s, memory: %zu MiB\n", end.ToString().c_str(),
              absl::ToDoubleSeconds(CpuTime() - cpu), memory.growth() >> 20);
  innocent.ExpectProgress();
  EXPECT_LT(memory.growth(), kMemoryBound);
  if (GetParam().only_guard_ends_it) {
    EXPECT_THAT(end, test::HasReason(base::Reason::kConnectionAbuse));
  } else {
    EXPECT_FALSE(end.ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Attacks, HostileServerTest,
                         testing::Values(HostileServerCase{"giant-message", true},
                                         HostileServerCase{"compressed-message", false},
                                         HostileServerCase{"endless-headers", false},
                                         HostileServerCase{"giant-header", true},
                                         HostileServerCase{"window-updates", true},
                                         HostileServerCase{"pings", false},
                                         HostileServerCase{"settings", false},
                                         HostileServerCase{"priorities", true},
                                         HostileServerCase{"unknown-frames", true}),
                         [](const testing::TestParamInfo<HostileServerCase>& test_case) {
                           std::string name;
                           for (const char* c = test_case.param.attack; *c != 0; ++c) {
                             if (*c != '-') name += *c;
                           }
                           return name;
                         });

}  // namespace
}  // namespace cdgate::rpc
