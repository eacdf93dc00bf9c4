#include "gateway/eventlog/segments/head_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::eventlog {
namespace {

// The number twice, the second time inverted: half a write never reads as a number.
using Content = std::array<uint64_t, 2>;

}  // namespace

absl::StatusOr<std::unique_ptr<HeadFile>> HeadFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return base::MakeError(base::Reason::kFileUnwritable,
                           absl::StrCat("cannot open ", path, ": ", std::strerror(errno)),
                           {{"path", path}});
  }
  return std::unique_ptr<HeadFile>(new HeadFile(fd));
}

HeadFile::~HeadFile() { close(fd_); }

std::optional<uint64_t> HeadFile::Read() const {
  Content content{};
  if (pread(fd_, content.data(), sizeof content, 0) != sizeof content) return std::nullopt;
  if (content[0] != ~content[1]) return std::nullopt;
  return content[0];
}

bool HeadFile::Write(uint64_t commit) {
  const Content content{commit, ~commit};
  return pwrite(fd_, content.data(), sizeof content, 0) == sizeof content;
}

}  // namespace cdgate::eventlog
