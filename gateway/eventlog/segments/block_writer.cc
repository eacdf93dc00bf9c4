#include "gateway/eventlog/segments/block_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace cdgate::eventlog {
namespace {

// Most commits are one write.
constexpr size_t kBufferBytes = 1 << 20;
// An append of fewer bytes leaves this much zeros behind it: see Append().
constexpr size_t kSmallBytes = 32 << 10;
constexpr size_t kAheadBytes = 128 << 10;

constexpr size_t RoundUp(size_t bytes) { return (bytes + kBlockBytes - 1) & ~(kBlockBytes - 1); }

// Whether the system's page cache is passed by from now on, where the file system can.
void SetDirect(int fd, bool direct) {
  const int flags = fcntl(fd, F_GETFL);
  (void)fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT);
}

bool IsDirect(int fd) { return (fcntl(fd, F_GETFL) & O_DIRECT) != 0; }

}  // namespace

void BlockWriter::Free::operator()(char* memory) const { std::free(memory); }

void BlockWriter::Hold() {
  if (blocks_ != nullptr) return;
  blocks_.reset(static_cast<char*>(std::aligned_alloc(kBlockBytes, kBufferBytes)));
  if (blocks_ == nullptr) throw std::bad_alloc();
}

int BlockWriter::Take(int fd) {
  Close();
  if (fd < 0) return -fd;
  fd_ = fd;
  SetDirect(fd_, true);
  return 0;
}

int BlockWriter::Make(const std::string& path, size_t room) {
  const int error = Take(disk_.Make(path, room));
  return error != 0 ? error : Seek(0);
}

int BlockWriter::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  return Take(fd < 0 ? -errno : fd);
}

void BlockWriter::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  blocks_.reset();  // every file of the log has a writer, and one of them is open
}

size_t BlockWriter::held_bytes() const { return blocks_ == nullptr ? 0 : kBufferBytes; }

int BlockWriter::Seek(uint64_t offset) {
  Hold();
  filled_ = static_cast<size_t>(offset % kBlockBytes);
  begin_ = offset - filled_;
  written_ = 0;
  if (filled_ == 0) return 0;
  for (;;) {
    const ssize_t n = pread(fd_, blocks_.get(), kBlockBytes, static_cast<off_t>(begin_));
    if (n >= static_cast<ssize_t>(filled_)) return 0;
    if (n >= 0) return EIO;
    if (errno == EINVAL && IsDirect(fd_)) {
      SetDirect(fd_, false);
    } else if (errno != EINTR) {
      return errno;
    }
  }
}

// Writes the first `bytes` of the buffer, whole blocks, and keeps what comes after the
// last full one.
int BlockWriter::WriteBlocks(size_t bytes) {
  const absl::string_view blocks(blocks_.get(), bytes);
  int error = disk_.Write(fd_, begin_, {blocks});
  if (error == EINVAL && IsDirect(fd_)) {
    // A device whose sectors are larger than our blocks.
    SetDirect(fd_, false);
    error = disk_.Write(fd_, begin_, {blocks});
  }
  if (error != 0) return error;
  written_ = std::max(written_, begin_ + bytes);
  const size_t full = std::min(filled_, bytes) / kBlockBytes * kBlockBytes;
  std::memmove(blocks_.get(), blocks_.get() + full, filled_ - full);
  begin_ += full;
  filled_ -= full;
  return 0;
}

int BlockWriter::Put(absl::string_view piece) {
  while (!piece.empty()) {
    const size_t n = std::min(piece.size(), kBufferBytes - filled_);
    std::memcpy(blocks_.get() + filled_, piece.data(), n);
    filled_ += n;
    piece.remove_prefix(n);
    if (filled_ < kBufferBytes) continue;
    if (const int error = WriteBlocks(kBufferBytes); error != 0) return error;
  }
  return 0;
}

int BlockWriter::Append(absl::Span<const absl::string_view> pieces) {
  if (fd_ < 0) return EBADF;
  for (const absl::string_view piece : pieces) {
    if (const int error = Put(piece); error != 0) return error;
  }
  if (const int error = WriteRest(); error != 0) return error;
  return disk_.Sync(fd_);
}

// What no whole buffer was made of, filled up with zeros, and where little was appended, with more
// of them: what is written into blocks that were written before leaves the file's size and the map
// of its blocks as they are, so that the syncs of the next appends need not write those as well.
int BlockWriter::WriteRest() {
  const size_t bytes = RoundUp(filled_);
  if (bytes == 0) return 0;
  const bool small = bytes <= kSmallBytes && begin_ + bytes > written_;
  const size_t all = small ? bytes + kAheadBytes : bytes;
  std::memset(blocks_.get() + filled_, 0, all - filled_);
  const int error = WriteBlocks(all);
  return error == ENOSPC && small ? WriteBlocks(bytes) : error;
}

int BlockWriter::Cut() {
  written_ = 0;
  if (ftruncate(fd_, static_cast<off_t>(begin_ + filled_)) != 0) return errno;
  return fsync(fd_) == 0 ? 0 : errno;
}

}  // namespace cdgate::eventlog
