// Commits of small events for tests of delivery.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/event/record.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::test {

inline storage::v1::StoredEvent SampleEvent(uint64_t n, const std::string& subject_type = "build",
                                            size_t padding = 0) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id(absl::StrCat("id-", n));
  event.set_source("/alpha/ci");
  event.set_spec_version("1.0");
  event.set_type(absl::StrCat("dev.cdevents.", subject_type, ".queued.0.3.0"));
  event.set_binary_data(absl::StrCat(R"({"pad":")", std::string(padding, 'x'), R"("})"));
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(event.SerializeAsString());
  stored.set_origin("alpha.example");
  stored.set_accepted_time_nanos(1'767'225'600'000'000'000 + static_cast<int64_t>(n));
  return stored;
}

// One commit with events `first` to `last`.
inline event::CommitPtr SampleCommit(uint64_t first, uint64_t last,
                                     const std::string& subject_type = "build",
                                     size_t padding = 0) {
  storage::v1::CommitRecord record;
  record.set_format_version(event::kCommitFormatVersion);
  record.set_epoch("epoch-1");
  record.set_number(first);
  record.set_first_sequence(first);
  for (uint64_t n = first; n <= last; ++n) {
    *record.add_events() = SampleEvent(n, subject_type, padding);
  }
  return event::MakeCommit(std::move(record));
}

}  // namespace cdgate::test
