#include "federation/policy/classification.h"

namespace cdgate::policy {

const Classifications& Classifications::BuiltIn() {
  static const auto* const built_in = new Classifications({
      {"TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"},
      {"public", "internal", "confidential", "restricted"},
  });
  return *built_in;
}

std::optional<Classifications::Place> Classifications::Find(absl::string_view label) const {
  for (size_t scale = 0; scale < scales_.size(); ++scale) {
    for (size_t rank = 0; rank < scales_[scale].size(); ++rank) {
      if (scales_[scale][rank] == label) return Place{scale, rank};
    }
  }
  return std::nullopt;
}

bool Classifications::Knows(absl::string_view label) const {
  return label.empty() || Find(label).has_value();
}

std::optional<absl::string_view> Classifications::Stricter(absl::string_view a,
                                                           absl::string_view b) const {
  if (!Knows(a) || !Knows(b)) return std::nullopt;
  if (a.empty()) return b;
  if (b.empty()) return a;
  const Place place_a = *Find(a);
  const Place place_b = *Find(b);
  if (place_a.scale != place_b.scale) return std::nullopt;
  return place_a.rank >= place_b.rank ? a : b;
}

}  // namespace cdgate::policy
