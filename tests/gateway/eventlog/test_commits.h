// Commits for tests of the log.
//
//   AppendEvents(log, 3);                       // one commit with three events
//   AppendNow(log, NextCommit(log.head(), {Event("build-1"), Event("build-2")}));
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::test {

inline storage::v1::StoredEvent Event(const std::string& id, size_t data_bytes = 64) {
  io::cloudevents::v1::CloudEvent cloud;
  cloud.set_id(id);
  cloud.set_source("/ci/builds");
  cloud.set_spec_version("1.0");
  cloud.set_type("dev.cdevents.build.finished.0.3.0");
  cloud.set_binary_data(absl::StrCat(R"({"context":{"id":")", id, R"("},"pad":")",
                                     std::string(data_bytes, 'x'), R"("})"));
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(cloud.SerializeAsString());
  stored.set_origin("alpha.example");
  stored.set_accepted_time_nanos(
      absl::ToUnixNanos(absl::FromCivil(absl::CivilSecond(2026, 1, 1), absl::UTCTimeZone())));
  return stored;
}

inline event::CommitPtr NextCommit(const eventlog::Head& head,
                                   std::vector<storage::v1::StoredEvent> events,
                                   absl::Duration after = absl::Seconds(1)) {
  storage::v1::CommitRecord record;
  record.set_format_version(event::kCommitFormatVersion);
  record.set_epoch(head.epoch.value());
  record.set_number(head.commit + 1);
  record.set_first_sequence(head.sequence.Next().value());
  record.set_commit_time_nanos(absl::ToUnixNanos(head.commit_time + after));
  for (storage::v1::StoredEvent& event : events) *record.add_events() = std::move(event);
  return event::MakeCommit(std::move(record));
}

// `n` events whose ids are "e" and the sequence.
inline event::CommitPtr NextEvents(const eventlog::Head& head, size_t n, size_t data_bytes = 64) {
  std::vector<storage::v1::StoredEvent> events;
  for (size_t i = 1; i <= n; ++i) {
    events.push_back(Event(absl::StrCat("e", head.sequence.Plus(i).value()), data_bytes));
  }
  return NextCommit(head, std::move(events));
}

// For logs that complete within Append.
inline absl::Status AppendNow(eventlog::EventLog& log, event::CommitPtr commit) {
  absl::Status status = absl::UnknownError("not completed");
  log.Append(std::move(commit), [&status](absl::Status s) { status = std::move(s); });
  return status;
}

inline absl::Status AppendEvents(eventlog::EventLog& log, size_t n, size_t data_bytes = 64) {
  return AppendNow(log, NextEvents(log.head(), n, data_bytes));
}

inline std::vector<uint64_t> NumbersOf(const std::vector<event::CommitPtr>& commits) {
  std::vector<uint64_t> out;
  for (const event::CommitPtr& commit : commits) out.push_back(commit->number);
  return out;
}

}  // namespace cdgate::test
