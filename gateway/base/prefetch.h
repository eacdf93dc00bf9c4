// Asks the processor for memory that is read soon.
//
//   for (size_t i = 0; i < events.size(); ++i) {
//     if (i + 1 < events.size()) base::Prefetch(events[i + 1]);
//     Use(events[i]);
//   }
//
// Worth it for bytes that another processor has written, of which only parts are read: what is read
// from front to back the processor fetches ahead by itself.
#pragma once

#include <algorithm>
#include <cstddef>

#include "absl/strings/string_view.h"

namespace cdgate::base {

// More is not asked for: it would push out what is in use.
inline constexpr size_t kMostPrefetched = 2048;

// Changes nothing but time.
inline void Prefetch(absl::string_view bytes) {
  constexpr size_t kLine = 64;
  const size_t size = std::min(bytes.size(), kMostPrefetched);
  for (size_t at = 0; at < size; at += kLine) __builtin_prefetch(bytes.data() + at);
}

}  // namespace cdgate::base
