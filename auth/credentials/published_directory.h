// The private directory from which gRPC reads key, certificate and roots.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::credentials {

// A directory of mode 0700 with a name of its own, removed at destruction; what a killed
// process left behind, the next one that looks in the same place removes. Files are
// replaced together: each Publish() fills a new subdirectory and swaps the link "current"
// to it. gRPC reads the three files one after the other and reads again where a
// modification time changed meanwhile, in whole seconds; so each set gets a second of its own
// as its time, or a set published within the same second could be mixed with the one before.
// Publish() by one thread at a time; the rest is thread-safe.
class PublishedDirectory {
 public:
  // Under `parent`, or, where that is empty, under $RUNTIME_DIRECTORY (which the service
  // manager gives), /dev/shm (memory), $TMPDIR or /tmp. FILE_UNWRITABLE.
  static absl::StatusOr<std::unique_ptr<PublishedDirectory>> Create(const std::string& parent);
  ~PublishedDirectory();
  PublishedDirectory(const PublishedDirectory&) = delete;
  PublishedDirectory& operator=(const PublishedDirectory&) = delete;

  // After an error readers still see the set before. FILE_UNWRITABLE.
  absl::Status Publish(absl::string_view chain_pem, absl::string_view key_pem,
                       absl::string_view roots_pem);

  const std::string& path() const { return path_; }
  std::string certificate_path() const { return path_ + "/current/tls.crt"; }
  std::string key_path() const { return path_ + "/current/tls.key"; }
  std::string roots_path() const { return path_ + "/current/roots.pem"; }

 private:
  explicit PublishedDirectory(std::string path) : path_(std::move(path)) {}
  absl::Status Lock();

  const std::string path_;
  int lock_fd_ = -1;  // holds the lock that says: in use
  uint64_t sets_ = 0;
};

}  // namespace cdgate::credentials
