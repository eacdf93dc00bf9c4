#include "gateway/cli/start_flag.h"

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/cli/exit.h"
#include "gateway/cli/format.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {

absl::StatusOr<StartFlag> ParseStartFlag(const std::string& text) {
  StartFlag start;
  if (text.empty() || text == "latest") {
    start.position.set_latest(true);
    return start;
  }
  if (text == "earliest") {
    start.position.set_earliest(true);
    return start;
  }
  if (absl::SimpleAtoi(text, &start.sequence) && start.sequence > 0) return start;
  if (const std::optional<absl::Time> time = config::ParseTimestamp(text)) {
    *start.position.mutable_time() = ToProto(*time);
    return start;
  }
  const size_t colon = text.rfind(':');
  uint64_t sequence = 0;
  if (colon != std::string::npos && colon > 0 &&
      absl::SimpleAtoi(text.substr(colon + 1), &sequence)) {
    start.position.mutable_after()->set_epoch(text.substr(0, colon));
    start.position.mutable_after()->set_sequence(sequence);
    return start;
  }
  return UsageError(absl::StrCat("--from '", base::Shorten(text),
                                 "' is none of earliest, latest, a sequence from 1, a time like "
                                 "2026-11-22T15:30:52Z, or EPOCH:SEQ"));
}

std::string PositionText(const events::v1::LogPosition& position) {
  return absl::StrCat(position.epoch(), ":", position.sequence());
}

}  // namespace cdgate::cli
