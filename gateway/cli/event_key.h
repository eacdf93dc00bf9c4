// How an event is named on the command line.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"

namespace cdgate::cli {

struct EventKeyFlags {
  std::string event;
  std::string source;
  std::string origin;
  bool is_sequence = false;
};

// EVENT, --source, --origin, --sequence.
void AddEventKeyFlags(CLI::App* verb, EventKeyFlags* flags);
// A usage error where EVENT is said to be a sequence and is no number.
absl::StatusOr<admin::v1::EventKey> ToEventKey(const EventKeyFlags& flags);

}  // namespace cdgate::cli
