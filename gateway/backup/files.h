// Folders of files, copied and compared. Errors carry FILE_UNREADABLE or FILE_UNWRITABLE and name
// the path. Everything blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cdgate::backup {

// What a file has in it.
struct Content {
  uint64_t size = 0;
  std::string sha256 = {};  // lower-case hexadecimal

  bool operator==(const Content&) const = default;
};

// Copies the first `bytes` of `from` to `to`, a new file of mode 0600 whose folder is made, and
// syncs it. FILE_UNREADABLE where it has fewer. On an error `to` may be there, cut.
absl::StatusOr<Content> CopyFile(const std::string& from, uint64_t bytes, const std::string& to);

absl::StatusOr<Content> DigestFile(const std::string& path);

// Regular files below `root`, relative to it and sorted; none where it is missing. FILE_UNREADABLE
// for anything that is neither a file nor a folder: nobody put it there.
absl::StatusOr<std::vector<std::string>> ListTree(const std::string& root);

// Makes the names in `root` and all below it durable; what is in files is not looked at.
absl::Status SyncFolders(const std::string& root);

// With all that is in it. None is no error.
absl::Status RemoveTree(const std::string& root);

// `from` becomes `to`, durably; an empty folder may be there.
absl::Status MoveFolder(const std::string& from, const std::string& to);

// Without slashes at its end.
std::string WithoutSlash(std::string path);

}  // namespace cdgate::backup
