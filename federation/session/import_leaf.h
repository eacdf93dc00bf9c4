// StoredEvent.import_leaf: under which statement of its sender an event came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::session {

struct ImportLeaf {
  static constexpr size_t kRootBytes = 8;

  std::string root;    // the first kRootBytes of the batch's
  uint32_t index = 0;  // place in the batch

  static std::optional<ImportLeaf> Parse(absl::string_view bytes) {
    if (bytes.size() != kRootBytes + 4) return std::nullopt;
    uint32_t index = 0;
    for (const char byte : bytes.substr(kRootBytes))
      index = index << 8 | static_cast<uint8_t>(byte);
    return ImportLeaf{std::string(bytes.substr(0, kRootBytes)), index};
  }

  std::string Bytes() const {
    std::string bytes = root;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(index >> shift));
    return bytes;
  }
};

}  // namespace cdgate::session
