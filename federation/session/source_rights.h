// For which sources a domain may speak, by the agreements that we have with it and others.
//
//   SourceRights rights(store);
//   rights.Refresh();
//   if (!rights.May("beta.example", record.source())) Refuse(Reason::kSourceNotOwned);
//
// An agreement that names no sources, and a domain that we have none with, may speak for any:
// what a domain's events are of is its own, and nobody else's events count as of it. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "gateway/filter/like.h"
#include "gateway/state/store.h"

namespace cdgate::session {

class SourceRights {
 public:
  // `store` outlives it.
  explicit SourceRights(const state::Store& store) : store_(store) {}

  // Looks at the agreements. Costs next to nothing where none has changed.
  void Refresh();
  bool May(absl::string_view origin, absl::string_view source) const;

 private:
  const state::Store& store_;
  uint64_t seen_change_ = 0;
  absl::flat_hash_map<std::string, std::vector<filter::LikePattern>> sources_;
};

}  // namespace cdgate::session
