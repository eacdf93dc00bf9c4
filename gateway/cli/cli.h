// The command line, whole: parses the arguments, runs the verb, prints, and says by its
// exit code how it went.
//
//   int main(int argc, char** argv) {
//     return cdgate::cli::Run(argc, argv, cdgate::cli::Streams::OfProcess(),
//                             {.serve = cdgate::app::Serve});
//   }
//
// It talks to a gateway by gRPC only; what runs a gateway is given to it, so that this
// library does not see the daemon. Results go to `out`, everything else to `err`.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>

namespace cdgate::cli {

enum ExitCode {
  kExitDone = 0,
  kExitNo = 1,           // the answer is no: refused, not found, not valid
  kExitUsage = 2,        // the command line, or a file it names, is wrong
  kExitUnreachable = 3,  // no gateway answered
  kExitNotAllowed = 4,   // no identity, or no grant
};

// What a run reads and writes. Not owned.
struct Streams {
  int in_fd;  // standard input
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal;
  bool err_is_terminal;
  // The value of an environment variable; empty where it is not set.
  std::function<std::string(const char* name)> environment;
  // Columns of the terminal that `out` is now; 0 where it is none. Not set: it is none.
  std::function<size_t()> out_width = {};

  static Streams OfProcess();
};

struct Daemon {
  // Runs a gateway with the configuration file at `config_path` until a signal ends it;
  // returns the exit code. `frozen`: nothing crosses until an operator resumes.
  std::function<int(const std::string& config_path, bool frozen)> serve;
};

// Returns an ExitCode. Once in a process: it configures TLS and gRPC's logging.
int Run(int argc, const char* const* argv, const Streams& streams, const Daemon& daemon);

}  // namespace cdgate::cli
