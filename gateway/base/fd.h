// A file descriptor and whoever closes it.
//
//   const base::Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
//   if (file.get() < 0) return ...;  // errno says why
#pragma once

#include <unistd.h>

namespace cdgate::base {

// Owns the descriptor; a negative one is none. Not thread-safe.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace cdgate::base
