#include "gateway/eventlog/segments/disk.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace cdgate::eventlog {
namespace {

// Takes the first `n` bytes off `pieces`.
void Advance(size_t n, std::vector<iovec>* pieces) {
  auto it = pieces->begin();
  for (; it != pieces->end() && n >= it->iov_len; ++it) n -= it->iov_len;
  pieces->erase(pieces->begin(), it);
  if (pieces->empty()) return;
  pieces->front().iov_base = static_cast<char*>(pieces->front().iov_base) + n;
  pieces->front().iov_len -= n;
}

class RealDisk final : public Disk {
 public:
  int Write(int fd, uint64_t offset, absl::Span<const absl::string_view> pieces) override {
    std::vector<iovec> left;
    for (const absl::string_view piece : pieces) {
      left.push_back({const_cast<char*>(piece.data()), piece.size()});
    }
    Advance(0, &left);  // empty pieces
    while (!left.empty()) {
      const ssize_t n =
          pwritev(fd, left.data(), static_cast<int>(left.size()), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return n < 0 ? errno : EIO;
      offset += static_cast<uint64_t>(n);
      Advance(static_cast<size_t>(n), &left);
    }
    return 0;
  }

  // Not tried again where it fails: what was written before may be gone from the cache.
  int Sync(int fd) override { return fdatasync(fd) == 0 ? 0 : errno; }
};

}  // namespace

int Disk::Make(const std::string& path, size_t room) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  // Where it is not possible, the file grows as it is written.
  (void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(room));
  return fd;
}

Disk& SystemDisk() {
  static Disk* const disk = new RealDisk;
  return *disk;
}

}  // namespace cdgate::eventlog
