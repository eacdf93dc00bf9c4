// Gives a log in segments files that were written full of zeros beforehand: an append then changes
// neither the length of its file nor what the file system knows of its blocks. A thread keeps one
// file ready; where the log is faster, it waits for it.
//
//   ZeroFilledDisk disk(directory + "/spare", file_bytes);   // in the file system of the log
//   SegmentLog::Open({.directory = directory, .file_bytes = file_bytes, .disk = &disk}, ...);
//
// For measuring only: a log that ends between taking a file and writing its header is refused as
// damaged when it is opened again. Thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <thread>

#include "gateway/base/mutex.h"
#include "gateway/eventlog/segments/disk.h"

namespace cdgate::bench {

class ZeroFilledDisk final : public eventlog::Disk {
 public:
  // The file that is kept ready is `spare`; `file_bytes` is a multiple of a MiB.
  ZeroFilledDisk(std::string spare, size_t file_bytes);
  ~ZeroFilledDisk() override;  // removes it

  int Make(const std::string& path, size_t room) override;
  int Write(int fd, uint64_t offset, absl::Span<const absl::string_view> pieces) override {
    return eventlog::SystemDisk().Write(fd, offset, pieces);
  }
  int Sync(int fd) override { return eventlog::SystemDisk().Sync(fd); }

 private:
  void KeepReady();
  int Fill() const;
  int TakeSpare(const std::string& path);

  const std::string spare_;
  const size_t file_bytes_;
  base::Mutex mu_;
  base::CondVar changed_;
  bool ready_ CDGATE_GUARDED_BY(mu_) = false;
  bool stop_ CDGATE_GUARDED_BY(mu_) = false;
  int error_ CDGATE_GUARDED_BY(mu_) = 0;
  std::thread thread_;
};

}  // namespace cdgate::bench
