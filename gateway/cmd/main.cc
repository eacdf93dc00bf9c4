#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "absl/synchronization/mutex.h"
#include "gateway/app/serve.h"
#include "gateway/cli/cli.h"

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kReturns = true;  // leaks are looked for at the end of main
#else
constexpr bool kReturns = false;
#endif

// Ends the process without destructors and exit handlers: gRPC's threads end connections after
// their channel is gone, and would use what OpenSSL's handler frees.
[[noreturn]] void End(int code) {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace

int main(int argc, char** argv) {
  // Abseil's search for lock cycles is on in Debian's build, and gRPC's locks pay for it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const int code = cdgate::cli::Run(argc, argv, cdgate::cli::Streams::OfProcess(),
                                    {.serve = cdgate::app::Serve});
  if (!kReturns) End(code);
  return code;
}
