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

// Writes events into the `events` of a Batch: the CloudEvent's bytes as they are stored, or
// as the decision transformed them, and around them what the record says and the decision
// grants. The salt goes with an unredacted copy alone. Not thread-safe.
class RelayWriter {
 public:
  explicit RelayWriter(std::string domain) : domain_(std::move(domain)) {}

  // Sets the event to be written. Both must live until Append().
  void Set(const event::Record& record, const policy::Decision& decision);
  // Bytes that Append() will append.
  size_t size() const;
  void Append(std::string* events) const;

 private:
  void WriteNotes(uint32_t notes, const policy::Outgoing* outgoing);
  void WriteExport(const event::StoredView& stored, const policy::Decision& decision);
  void WriteTerms(const policy::TermsView& terms);

  const std::string domain_;
  absl::string_view cloud_event_;
  std::string rest_;    // a serialised RelayedEvent without its cloud_event
  std::string export_;  // a serialised ExportSection
};

}  // namespace cdgate::session
