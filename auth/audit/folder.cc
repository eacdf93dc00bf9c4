#include "auth/audit/folder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "auth/audit/line.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::audit {
namespace {

constexpr absl::string_view kSuffix = ".jsonl";
constexpr size_t kDigits = 12;

absl::Status Unreadable(const std::string& path, absl::string_view why) {
  return base::MakeError(base::Reason::kFileUnreadable,
                         absl::StrCat("cannot read ", path, ": ", why), {{"path", path}});
}

// The time of a line by its form; empty where it has not that form.
absl::string_view TimeOf(absl::string_view line) {
  constexpr absl::string_view kKey = ",\"time\":\"";
  const size_t at = line.substr(0, 64).find(kKey);
  return at == absl::string_view::npos ? "" : line.substr(at + kKey.size(), 30);
}

std::string BoundText(absl::Time time) {
  if (time == absl::InfiniteFuture()) return "~";  // behind every digit
  if (time == absl::InfinitePast()) return "";
  return TimeText(time);
}

}  // namespace

std::string FileName(uint64_t first_number) {
  return absl::StrFormat("%0*d%s", static_cast<int>(kDigits), first_number, kSuffix);
}

absl::StatusOr<std::vector<AuditFile>> ListFiles(const std::string& folder) {
  std::error_code error;
  std::vector<AuditFile> out;
  std::filesystem::directory_iterator it(folder, error);
  if (error) return Unreadable(folder, error.message());
  for (const std::filesystem::directory_iterator end; it != end; it.increment(error)) {
    if (error) return Unreadable(folder, error.message());
    AuditFile file{.name = it->path().filename().string()};
    const absl::string_view name = file.name;
    if (name.size() < kDigits + kSuffix.size() ||
        name.substr(name.size() - kSuffix.size()) != kSuffix ||
        !absl::SimpleAtoi(name.substr(0, name.size() - kSuffix.size()), &file.first_number) ||
        FileName(file.first_number) != name) {
      continue;
    }
    out.push_back(std::move(file));
  }
  std::sort(out.begin(), out.end(),
            [](const AuditFile& a, const AuditFile& b) { return a.first_number < b.first_number; });
  return out;
}

absl::StatusOr<LineReader> LineReader::Open(const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return Unreadable(path, std::strerror(errno));
  return LineReader(path, file);
}

absl::StatusOr<LineReader::Next> LineReader::Read(std::string* line) {
  line->clear();
  uint64_t length = 0;
  for (;;) {
    if (begin_ == end_) {
      begin_ = 0;
      end_ = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
      if (end_ == 0 && std::ferror(file_.get()) != 0) {
        return Unreadable(path_, std::strerror(errno));
      }
      if (end_ == 0) break;
    }
    const char* const start = buffer_.data() + begin_;
    const void* const feed = std::memchr(start, '\n', end_ - begin_);
    const size_t piece = feed == nullptr ? end_ - begin_ : static_cast<const char*>(feed) - start;
    length += piece;
    // One byte more than may be, so that it is seen to be too long.
    line->append(start, std::min(piece, kMaxLineBytes + 1 - line->size()));
    begin_ += piece;
    if (feed == nullptr) continue;
    ++begin_;
    ++lines_;
    whole_ += length + 1;
    return Next::kLine;
  }
  if (length == 0) return Next::kEnd;
  ++lines_;
  return Next::kTorn;
}

Exporter::Exporter(std::string folder, absl::Time from, absl::Time to)
    : folder_(std::move(folder)), from_(BoundText(from)), to_(BoundText(to)) {}

bool Exporter::Wanted(absl::string_view line) const {
  const absl::string_view time = TimeOf(line);
  // What cannot be read is not held back: whoever looks at the export shall see it.
  return time.empty() || (time >= from_ && time < to_);
}

absl::StatusOr<bool> Exporter::OpenNext() {
  if (!listed_) {
    CDGATE_ASSIGN_OR_RETURN(files_, ListFiles(folder_));
    listed_ = true;
  }
  while (next_file_ < files_.size()) {
    auto reader = LineReader::Open(base::JoinPath(folder_, files_[next_file_++].name));
    // Retention may have removed it meanwhile.
    if (!reader.ok()) continue;
    reader_ = std::make_unique<LineReader>(*std::move(reader));
    return true;
  }
  return false;
}

absl::Status Exporter::Next(size_t max_lines, size_t max_bytes, std::vector<std::string>* lines) {
  lines->clear();
  size_t bytes = 0;
  std::string line;
  while (lines->size() < max_lines && bytes < max_bytes) {
    if (reader_ == nullptr) {
      CDGATE_ASSIGN_OR_RETURN(const bool more, OpenNext());
      if (!more) return absl::OkStatus();
    }
    CDGATE_ASSIGN_OR_RETURN(const LineReader::Next next, reader_->Read(&line));
    if (next != LineReader::Next::kLine) {
      reader_ = nullptr;
    } else if (Wanted(line)) {
      bytes += line.size();
      lines->push_back(line);
    }
  }
  return absl::OkStatus();
}

}  // namespace cdgate::audit
