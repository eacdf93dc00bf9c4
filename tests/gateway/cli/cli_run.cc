#include "tests/gateway/cli/cli_run.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "gateway/cli/cli.h"

namespace cdgate::cli {

int InputFd(const std::string& content) {
  const int fd = memfd_create("input", MFD_CLOEXEC);
  if (fd < 0 || write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    abort();
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

CliRun RunCli(const std::vector<std::string>& arguments, const std::string& input,
              const std::map<std::string, std::string>& environment) {
  std::vector<const char*> argv = {"cdgate"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::ostringstream out;
  std::ostringstream err;
  const int fd = InputFd(input);
  const Streams streams{.in_fd = fd,
                        .out = out,
                        .err = err,
                        .out_is_terminal = false,
                        .err_is_terminal = false,
                        .environment = [&](const char* name) {
                          const auto it = environment.find(name);
                          return it == environment.end() ? std::string() : it->second;
                        }};
  const int code = Run(static_cast<int>(argv.size()), argv.data(), streams,
                       {.serve = [&](const std::string& config_path, bool frozen) {
                         err << config_path << (frozen ? " frozen" : "");
                         return 42;
                       }});
  close(fd);
  return {code, out.str(), err.str()};
}

}  // namespace cdgate::cli
