// The files of an audit log, read: NNNNNNNNNNNN.jsonl, each named by the number of its first
// entry. Reading never changes anything, and may go on while a gateway writes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::audit {

// "000000000001.jsonl"
std::string FileName(uint64_t first_number);

struct AuditFile {
  std::string name;
  uint64_t first_number = 0;  // as it is named
};
// Those of `folder`, by first number; other files are not looked at. FILE_UNREADABLE.
absl::StatusOr<std::vector<AuditFile>> ListFiles(const std::string& folder);

// The lines of one file. Not thread-safe.
class LineReader {
 public:
  // FILE_UNREADABLE.
  static absl::StatusOr<LineReader> Open(const std::string& path);

  enum class Next {
    kLine,  // a whole line is in *line, without its line feed
    kTorn,  // what is in *line is the end of the file and has no line feed; may be cut
    kEnd,
  };
  // FILE_UNREADABLE where reading fails. Of a line longer than kMaxLineBytes only the
  // beginning is kept.
  absl::StatusOr<Next> Read(std::string* line);

  uint64_t lines() const { return lines_; }        // read so far
  uint64_t whole_bytes() const { return whole_; }  // up to the end of the last whole line

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  LineReader(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::vector<char> buffer_ = std::vector<char>(64 << 10);
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t lines_ = 0;
  uint64_t whole_ = 0;
};

// The entries of a period, in pages.
//
//   Exporter exporter(folder, from, to);
//   do { CDGATE_RETURN_IF_ERROR(exporter.Next(256, 256 << 10, &lines)); Send(lines); }
//   while (!lines.empty());
//
// What is exported is what stands there: verify first. Not thread-safe.
class Exporter {
 public:
  // Entries with from <= time < to.
  Exporter(std::string folder, absl::Time from, absl::Time to);

  // The next ones, at most `max_lines` and about `max_bytes`; none: that was all.
  absl::Status Next(size_t max_lines, size_t max_bytes, std::vector<std::string>* lines);

 private:
  bool Wanted(absl::string_view line) const;
  absl::StatusOr<bool> OpenNext();

  const std::string folder_;
  const std::string from_;
  const std::string to_;
  bool listed_ = false;
  std::vector<AuditFile> files_;
  size_t next_file_ = 0;
  std::unique_ptr<LineReader> reader_;
};

}  // namespace cdgate::audit
