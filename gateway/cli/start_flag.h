// The value of subscribe --from.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cdgate/events/v1/events.pb.h"

namespace cdgate::cli {

struct StartFlag {
  events::v1::StartPosition position;
  // Not 0: begin with this sequence of the log's present epoch, which only the gateway
  // knows; `position` then means nothing.
  uint64_t sequence = 0;
};

// "", "latest", "earliest", "42", "2026-11-22T15:30:52Z", "EPOCH:42". A usage error
// otherwise.
absl::StatusOr<StartFlag> ParseStartFlag(const std::string& text);

// "EPOCH:42", as ParseStartFlag reads it.
std::string PositionText(const events::v1::LogPosition& position);

}  // namespace cdgate::cli
