#include "federation/attestation/event_file.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::attestation {
namespace {

using federation::v1::EventFile;
namespace json = google::protobuf::util;

absl::Status NoFile(absl::string_view why) {
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("not an event file of version ", kEventFileVersion, ": ", why,
                                      "; cdgate get EVENT --proof writes one"));
}

absl::Status Parse(absl::string_view text, bool newer, EventFile* file) {
  json::JsonParseOptions options;
  options.ignore_unknown_fields = newer;
  const auto read = json::JsonStringToMessage({text.data(), text.size()}, file, options);
  if (read.ok()) return absl::OkStatus();
  return NoFile(base::Shorten({read.message().data(), read.message().size()}));
}

absl::Status Check(const EventFile& file) {
  if (file.receiver().empty()) return NoFile("receiver is missing");
  if (file.event().cloud_event().empty()) return NoFile("event.cloudEvent is missing");
  if (file.event().origin().empty()) return NoFile("event.origin is missing");
  if (file.attestors_size() > kMaxAttestorsOfFile) {
    return NoFile(absl::StrCat("it has more than ", kMaxAttestorsOfFile, " attestors"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> WriteEventFile(const EventFile& file) {
  json::JsonPrintOptions options;
  options.add_whitespace = true;
  std::string out;
  const auto written = json::MessageToJsonString(file, &out, options);
  if (written.ok()) return out;
  return base::MakeError(base::Reason::kInternal,
                         absl::StrCat("an event file cannot be written: ", written.ToString()));
}

absl::StatusOr<EventFile> ReadEventFile(absl::string_view text) {
  if (text.size() > kMaxEventFileBytes) return NoFile("it is too long");
  EventFile file;
  // What a newer version has besides must not hide that it is one.
  CDGATE_RETURN_IF_ERROR(Parse(text, /*newer=*/true, &file));
  if (file.version() == 0) return NoFile("version is missing");
  if (file.version() > kEventFileVersion) {
    return NoFile(absl::StrCat("it is of version ", file.version(),
                               ", which a newer release wrote and reads"));
  }
  file.Clear();
  CDGATE_RETURN_IF_ERROR(Parse(text, /*newer=*/false, &file));
  CDGATE_RETURN_IF_ERROR(Check(file));
  return file;
}

}  // namespace cdgate::attestation
