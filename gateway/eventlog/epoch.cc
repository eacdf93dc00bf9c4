#include "gateway/eventlog/epoch.h"

#include <utility>

#include "gateway/base/encoding.h"

namespace cdgate::eventlog {

base::Epoch NewEpoch(base::Random& random) {
  return base::Epoch(base::Base32Encode(random.Bytes(16)));
}

event::CommitPtr MakeEpochCommit(const base::Epoch& epoch, uint64_t number, base::Sequence next,
                                 absl::Time now) {
  storage::v1::CommitRecord record;
  record.set_format_version(event::kCommitFormatVersion);
  record.set_epoch(epoch.value());
  record.set_number(number);
  record.set_first_sequence(next.value());
  record.set_commit_time_nanos(absl::ToUnixNanos(now));
  return event::MakeCommit(std::move(record));
}

}  // namespace cdgate::eventlog
