// Runs the command line inside a test.
//
//   const CliRun run = RunCli({"peer", "list", "--gateway", gateway.address()});
//   EXPECT_EQ(run.code, 0) << run.err;
#pragma once

#include <map>
#include <string>
#include <vector>

namespace cdgate::cli {

struct CliRun {
  int code;
  std::string out;
  std::string err;
};

// No terminal, no environment but `environment`. `serve` was asked for where the result
// is that of a fake daemon, 42, and its error text the path of the configuration.
CliRun RunCli(const std::vector<std::string>& arguments, const std::string& input = "",
              const std::map<std::string, std::string>& environment = {});

// A file descriptor that reads as `content`; the caller closes it.
int InputFd(const std::string& content);

}  // namespace cdgate::cli
