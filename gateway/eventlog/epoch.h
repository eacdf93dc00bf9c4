// The life of a log. Each begins with a commit that contains nothing.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "gateway/base/random.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"

namespace cdgate::eventlog {

// 128 random bits, base32.
base::Epoch NewEpoch(base::Random& random);

// The commit that begins `epoch`; `next` is the sequence that its first event gets.
event::CommitPtr MakeEpochCommit(const base::Epoch& epoch, uint64_t number, base::Sequence next,
                                 absl::Time now);

}  // namespace cdgate::eventlog
