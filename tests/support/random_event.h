// Random valid CDEvents, driven by the catalogue: every type of every release, every member,
// every open object; values that are odd and valid.
//
//   const RandomEvents events(/*seed=*/7);
//   const RandomEvent event = events.Make(42);        // the same bytes whenever it is made
//   events.IndexOf(event.id);                         // 42
//
// Most are of a few hundred bytes to 2 KiB, one in a hundred is as large as 64 KiB. Ids are
// unique. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/cdevents/catalogue.h"
#include "tests/support/json_tree.h"

namespace cdgate::test {

struct RandomEvent {
  const cdevents::Form* form = nullptr;  // the rules it is valid by
  std::string id, source, type;
  JsonTree tree;
  std::string json;
};

inline constexpr size_t kMinRandomEventBytes = 300;
inline constexpr size_t kMaxRandomEventBytes = 64 << 10;

class RandomEvents {
 public:
  explicit RandomEvents(uint64_t seed);

  RandomEvent Make(uint64_t index) const;
  // Of an id made with this seed.
  std::optional<uint64_t> IndexOf(absl::string_view id) const;

 private:
  const uint64_t seed_;
  std::vector<const cdevents::Form*> forms_;
};

}  // namespace cdgate::test
