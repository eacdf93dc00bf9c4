// A file that retention dropped from a log, on its way out. Its room is given back a piece at a
// time: a disk that is told at once that 64 MiB are free is busy with that for ten milliseconds and
// more, and the writer's sync waits for it (docs/adr/0035).
//
//   CDGATE_RETURN_IF_ERROR(SetAside(segment->path()));  // not part of the log any more
//   ...                                                 // until nobody reads it
//   CDGATE_RETURN_IF_ERROR(RemoveSetAside(segment->path()));
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cdgate::eventlog {

// What the name of such a file ends with.
inline constexpr absl::string_view kDroppedExtension = ".dropped";
// What is given back at once.
inline constexpr uint64_t kGivenBack = 1 << 20;

// Renames `path`, durably. OK where it is not there. FILE_UNWRITABLE: it has its name still.
absl::Status SetAside(const std::string& path);

// Removes what SetAside(path) made of `path`: empties it first, but where it has a second name,
// as what a backup copies has. Blocks, as each piece is synced. FILE_UNWRITABLE.
absl::Status RemoveSetAside(const std::string& path);

}  // namespace cdgate::eventlog
