// Gives memory of the process back to the system that it does not need for what it does now.
//
//   base::ReleaseUnusedMemory();
//
// Two kinds: what the allocator keeps for later, and pages of the binary and its libraries, which
// the system maps around each that is used, and which stay from what is done once, at the start.
// They come back from the system's cache when they are touched, some microseconds for sixteen.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::base {

struct AddressRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Of the text of proc(5)'s smaps, the mappings of files that cannot be written and of which no page
// was changed, in memory or swapped out: dropped pages are read from the file again. What is not
// understood is left out.
std::vector<AddressRange> UnchangedFileMappings(absl::string_view smaps);

// Some ten milliseconds; while other threads run. Where the system does not say what is mapped,
// only what the allocator keeps is given back.
void ReleaseUnusedMemory();

// Processor time of all threads since the start.
absl::Duration ProcessTime();

}  // namespace cdgate::base
