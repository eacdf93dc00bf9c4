#include "bench/logs/zero_filled_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "gateway/eventlog/segments/block_writer.h"

namespace cdgate::bench {

using base::MutexLock;

ZeroFilledDisk::ZeroFilledDisk(std::string spare, size_t file_bytes)
    : spare_(std::move(spare)), file_bytes_(file_bytes), thread_([this] { KeepReady(); }) {}

ZeroFilledDisk::~ZeroFilledDisk() {
  {
    MutexLock lock(mu_);
    stop_ = true;
    changed_.SignalAll();
  }
  thread_.join();
  unlink(spare_.c_str());
}

// Past the page cache, as the log writes: no page of it may be in the way then.
int ZeroFilledDisk::Fill() const {
  unlink(spare_.c_str());
  eventlog::BlockWriter writer(eventlog::SystemDisk());
  if (const int error = writer.Make(spare_, file_bytes_); error != 0) return error;
  const std::string zeros(1 << 20, '\0');
  const std::vector<absl::string_view> pieces(file_bytes_ / zeros.size(), zeros);
  return writer.Append(pieces);
}

void ZeroFilledDisk::KeepReady() {
  for (;;) {
    const int error = Fill();
    MutexLock lock(mu_);
    ready_ = true;
    error_ = error;
    changed_.SignalAll();
    while (ready_ && !stop_) changed_.Wait(mu_);
    if (stop_) return;
  }
}

int ZeroFilledDisk::TakeSpare(const std::string& path) {
  if (renameat2(AT_FDCWD, spare_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    return -errno;
  }
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int ZeroFilledDisk::Make(const std::string& path, size_t /*room*/) {
  MutexLock lock(mu_);
  while (!ready_) changed_.Wait(mu_);
  if (error_ != 0) return -error_;
  const int fd = TakeSpare(path);
  ready_ = fd < 0;
  changed_.SignalAll();
  return fd;
}

}  // namespace cdgate::bench
