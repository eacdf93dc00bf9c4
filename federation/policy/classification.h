// The classification labels a gateway knows, in ordered scales.
//
//   const Classifications& known = Classifications::BuiltIn();
//   known.Knows("TLP:AMBER");                                   // true
//   known.Stricter("TLP:GREEN", "TLP:AMBER");                   // "TLP:AMBER"
//
// A label that is not known is never compared: what carries it does not cross. Built in
// are TLP 2.0 (first.org/tlp) and the labels of the CloudEvents data classification
// extension. Immutable; safe to share between threads.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::policy {

class Classifications {
 public:
  // Each scale from the most open to the most strict label; a label is in one scale.
  explicit Classifications(std::vector<std::vector<std::string>> scales)
      : scales_(std::move(scales)) {}
  static const Classifications& BuiltIn();

  const std::vector<std::vector<std::string>>& scales() const { return scales_; }

  // The empty label (none was set) is known.
  bool Knows(absl::string_view label) const;
  // The stricter of two labels of one scale, or the one that is not empty; none where
  // they cannot be compared. The result views one of the arguments.
  std::optional<absl::string_view> Stricter(absl::string_view a, absl::string_view b) const;

 private:
  struct Place {
    size_t scale;
    size_t rank;
  };
  std::optional<Place> Find(absl::string_view label) const;

  std::vector<std::vector<std::string>> scales_;
};

}  // namespace cdgate::policy
