#include "gateway/eventlog/segments/block_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "gateway/eventlog/segments/block_writer.h"

namespace cdgate::eventlog {
namespace {

// As long as a step costs more to ask for than to copy, and small enough for a cache.
constexpr size_t kStepBytes = 256 << 10;

// As pread, and again where a signal came.
ssize_t ReadAt(int fd, char* out, size_t size, uint64_t offset) {
  for (;;) {
    const ssize_t n = pread(fd, out, size, static_cast<off_t>(offset));
    if (n >= 0 || errno != EINTR) return n;
  }
}

}  // namespace

void BlockReader::Free::operator()(char* memory) const { std::free(memory); }

BlockReader& BlockReader::operator=(BlockReader&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(way_, other.way_);
  std::swap(blocks_, other.blocks_);
  std::swap(begin_, other.begin_);
  std::swap(filled_, other.filled_);
  return *this;
}

BlockReader::~BlockReader() {
  if (fd_ >= 0) close(fd_);
}

int BlockReader::Open(const std::string& path, Way way) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC;
  if (way == Way::kStream) fd_ = open(path.c_str(), kFlags | O_DIRECT);
  way_ = fd_ >= 0 ? Way::kStream : Way::kLookup;
  if (fd_ < 0) fd_ = open(path.c_str(), kFlags);
  return fd_ >= 0 ? 0 : errno;
}

bool BlockReader::ReadThrough(uint64_t offset, size_t size, char* out) const {
  while (size > 0) {
    const ssize_t n = ReadAt(fd_, out, size, offset);
    if (n <= 0) return false;
    out += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
  return true;
}

// The step that contains `offset`: 0, or an errno, ENODATA where the file ends before.
int BlockReader::Fill(uint64_t offset) {
  if (blocks_ == nullptr) {
    blocks_.reset(static_cast<char*>(std::aligned_alloc(kBlockBytes, kStepBytes)));
    if (blocks_ == nullptr) throw std::bad_alloc();
  }
  begin_ = offset & ~uint64_t{kBlockBytes - 1};
  filled_ = 0;
  const ssize_t n = ReadAt(fd_, blocks_.get(), kStepBytes, begin_);
  if (n < 0) return errno;
  filled_ = static_cast<size_t>(n);
  return offset < begin_ + filled_ ? 0 : ENODATA;
}

bool BlockReader::ReadSteps(uint64_t offset, size_t size, char* out) {
  while (size > 0) {
    const bool here = offset >= begin_ && offset < begin_ + filled_;
    const int error = here ? 0 : Fill(offset);
    if (error == EINVAL) {
      // A device whose sectors are larger than our blocks.
      (void)fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) & ~O_DIRECT);
      way_ = Way::kLookup;
      return ReadThrough(offset, size, out);
    }
    if (error != 0) return false;
    const auto at = static_cast<size_t>(offset - begin_);
    const size_t n = std::min(size, filled_ - at);
    std::memcpy(out, blocks_.get() + at, n);
    out += n;
    offset += n;
    size -= n;
  }
  return true;
}

bool BlockReader::Read(uint64_t offset, size_t size, char* out) {
  return way_ == Way::kStream ? ReadSteps(offset, size, out) : ReadThrough(offset, size, out);
}

}  // namespace cdgate::eventlog
