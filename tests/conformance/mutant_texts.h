// Texts that have a format, and texts that nearly have it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/cdevents/catalogue.h"

namespace cdgate::test {

struct FormatText {
  std::string text;
  std::optional<bool> valid;  // none: left to the other validator
};

// None for Format::kNone.
std::vector<FormatText> TextsOf(cdevents::Format format);

}  // namespace cdgate::test
