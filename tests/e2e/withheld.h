// Positions of a link as its two ends count them, where somebody between them keeps events back.
#pragma once

#include <cstdint>
#include <iterator>
#include <set>

namespace cdgate::e2e {

// Which positions the gateway that is lied to was never shown, of one link epoch.
class Withheld {
 public:
  void Add(uint64_t told) { told_.insert(told); }
  // As the gateway that is lied to counts.
  uint64_t Shown(uint64_t told) const {
    return told - static_cast<uint64_t>(std::distance(told_.begin(), told_.upper_bound(told)));
  }
  // As the one that lies counts: with all that was withheld behind it.
  uint64_t Told(uint64_t shown) const {
    for (const uint64_t withheld : told_) shown += withheld <= shown + 1 ? 1 : 0;
    return shown;
  }

 private:
  std::set<uint64_t> told_;
};

}  // namespace cdgate::e2e
