#include "auth/audit/verify_folder.h"

#include "absl/strings/str_cat.h"
#include "auth/audit/folder.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::audit {
namespace {

constexpr uint64_t kLinesPerQuestion = 1024;

// Calls `each` for every line of every file, the torn end of a file too, until it returns
// false.
absl::Status ForEachLine(
    const std::string& folder, const std::vector<AuditFile>& files,
    const std::function<bool(LineReader::Next, const std::string&, const Place&)>& each) {
  std::string line;
  for (const AuditFile& file : files) {
    CDGATE_ASSIGN_OR_RETURN(LineReader reader, LineReader::Open(base::JoinPath(folder, file.name)));
    for (;;) {
      CDGATE_ASSIGN_OR_RETURN(const LineReader::Next next, reader.Read(&line));
      if (next == LineReader::Next::kEnd) break;
      if (!each(next, line, {file.name, reader.lines()})) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

// Whether the end of the last file may be a write that was ended in the middle: the
// beginning of an entry, and nothing behind a whole one.
bool MayBeTorn(const std::string& text) {
  if (ReadLine(text).ok()) return true;
  for (size_t at = text.find("\"}"); at != std::string::npos; at = text.find("\"}", at + 1)) {
    if (ReadLine(absl::string_view(text).substr(0, at + 2)).ok()) return false;
  }
  return true;
}

Fault Unended(uint64_t number, const Place& place) {
  return {.kind = Fault::Kind::kAltered,
          .number = number,
          .place = place,
          .message = absl::StrCat("entry ", number, " was altered: its line has no proper end")};
}

// An entry that seems to be missing may stand somewhere else.
absl::Status LookElsewhere(const std::string& folder, const std::vector<AuditFile>& files,
                           Fault* fault) {
  bool passed = false;
  return ForEachLine(
      folder, files, [&](LineReader::Next, const std::string& text, const Place& place) {
        passed = passed || (place.file == fault->place.file && place.line == fault->place.line);
        const auto line = ReadLine(text);
        if (!passed || !line.ok() || line->number != fault->number) return true;
        fault->kind = Fault::Kind::kOutOfOrder;
        fault->time = std::string(line->time);
        fault->message =
            absl::StrCat("entry ", fault->number, " is out of order: it stands at ", place.file,
                         " line ", place.line, ", behind where it belongs");
        return false;
      });
}

}  // namespace

absl::StatusOr<Report> VerifyFolder(const std::string& folder, const ChainOptions& options,
                                    const std::function<bool()>& stop) {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<AuditFile> files, ListFiles(folder));
  if (files.empty()) {
    return base::MakeError(base::Reason::kNotFound,
                           absl::StrCat("there is no audit log in ", folder,
                                        "; name the folder audit of a gateway's data_dir"),
                           {{"path", folder}});
  }
  ChainVerifier chain(options);
  Report report;
  uint64_t lines = 0;
  bool stopped = false;
  CDGATE_RETURN_IF_ERROR(ForEachLine(
      folder, files, [&](LineReader::Next next, const std::string& line, const Place& place) {
        stopped = ++lines % kLinesPerQuestion == 0 && stop && stop();
        if (stopped) return false;
        if (next != LineReader::Next::kTorn) {
          report.fault = chain.Add(line, place);
        } else if (place.file == files.back().name && MayBeTorn(line)) {
          report.torn_bytes = line.size();
        } else {
          report.fault = Unended(chain.expected_number(), place);
        }
        return !report.fault.has_value();
      }));
  if (stopped) return base::MakeError(base::Reason::kCancelled, "the gateway is stopping");
  CDGATE_RETURN_IF_ERROR(chain.status());
  if (!report.fault.has_value()) report.fault = chain.Finish();
  if (report.fault.has_value() && report.fault->kind == Fault::Kind::kMissing &&
      report.fault->place.line > 0) {
    CDGATE_RETURN_IF_ERROR(LookElsewhere(folder, files, &*report.fault));
  }
  report.summary = chain.summary();
  report.files = files.size();
  return report;
}

}  // namespace cdgate::audit
