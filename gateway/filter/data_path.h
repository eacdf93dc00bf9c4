// A place in the JSON of an event, as conditions write it.
//
//   subject.content.user                         names, separated by dots
//   context.links.0.linkKind                     a number is an index into an array
//   /customData/app.kubernetes.io~1name          a JSON Pointer (RFC 6901), for any name
//
// Decoded once, when the condition is compiled. Immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::filter {

class DataPath {
 public:
  struct Step {
    std::string name;
    // The name as an index into an array; -1: it is not one.
    int32_t index = -1;
  };
  // As deep as admitted JSON may be.
  static constexpr size_t kMaxSteps = 64;

  // INVALID_FILTER where the text is empty, has an empty name or a bad escape, or is
  // deeper than kMaxSteps.
  static absl::StatusOr<DataPath> Parse(absl::string_view text);

  const std::vector<Step>& steps() const { return steps_; }
  // As written.
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::vector<Step> steps_;
};

}  // namespace cdgate::filter
