#include "absl/synchronization/mutex.h"
#include "gateway/app/serve.h"
#include "gateway/cli/cli.h"

int main(int argc, char** argv) {
  // Abseil's search for lock cycles is on in Debian's build, and gRPC's locks pay for it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return cdgate::cli::Run(argc, argv, cdgate::cli::Streams::OfProcess(),
                          {.serve = cdgate::app::Serve});
}
