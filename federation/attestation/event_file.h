// One event with what shows whose it is, as a file: JSON (docs/attestation.md).
//
//   CDGATE_ASSIGN_OR_RETURN(const std::string json, WriteEventFile(file));
//   CDGATE_ASSIGN_OR_RETURN(const federation::v1::EventFile file, ReadEventFile(json));
//
// Reading judges the form alone; judgement.h says what it proves. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/event_file.pb.h"

namespace cdgate::attestation {

inline constexpr uint32_t kEventFileVersion = 1;
// Of the JSON. An event has at most 64 MiB, of which base64 makes 4 for 3.
inline constexpr size_t kMaxEventFileBytes = size_t{128} << 20;
// Certificates of attestors in a file.
inline constexpr int kMaxAttestorsOfFile = 64;

// On several lines, with a line feed behind it. INTERNAL where it cannot be JSON.
absl::StatusOr<std::string> WriteEventFile(const federation::v1::EventFile& file);

// INVALID_ARGUMENT, saying what, where it is no such file: not JSON, of a newer version, with a
// member that the version does not have, or without one that it needs.
absl::StatusOr<federation::v1::EventFile> ReadEventFile(absl::string_view json);

}  // namespace cdgate::attestation
