// Where a commit stands in the log.
#pragma once

#include <cstdint>

#include "gateway/base/types.h"

namespace cdgate::eventlog {

struct CommitKey {
  base::Sequence first_sequence = {};
  uint64_t number = 0;
};

}  // namespace cdgate::eventlog
