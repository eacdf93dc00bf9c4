// An event on its way out: what of a record crosses, and how.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "federation/policy/policy.h"
#include "gateway/event/record.h"

namespace cdgate::session {

// link::Place::mark of a record: tells it from another record at the same sequence.
// Never 0.
uint64_t MarkOf(const event::Record& record);

// Writes events into the `events` of a Batch: the CloudEvent's bytes as they are stored,
// and around them what the record says and the decision grants. Not thread-safe.
class RelayWriter {
 public:
  explicit RelayWriter(std::string domain) : domain_(std::move(domain)) {}

  // Sets the event to be written. Both must live until Append().
  void Set(const event::Record& record, const policy::Decision& decision);
  // Bytes that Append() will append.
  size_t size() const;
  void Append(std::string* events) const;

 private:
  void WriteExport(const policy::Decision& decision);

  const std::string domain_;
  const event::Record* record_ = nullptr;
  std::string rest_;  // a serialised RelayedEvent without its cloud_event
};

}  // namespace cdgate::session
