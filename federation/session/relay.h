// An event on its way out: what of a record crosses, and how.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "federation/attestation/field_proof.h"
#include "federation/attestation/leaf_batch.h"
#include "federation/policy/policy.h"
#include "federation/session/statement_source.h"
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
  // `sign`: as StatementSource has it.
  RelayWriter(std::string domain, const StatementSource::SignOrigin& sign)
      : domain_(domain), source_(std::move(domain), sign) {}

  // The commit of the records that come next; it lives as long as they do.
  void SetCommit(const event::Commit& commit) { source_.SetCommit(commit); }
  // Sets the event to be written. Both must live until Append().
  void Set(const event::Record& record, const policy::Decision& decision);
  // Bytes that Append() will append.
  size_t size() const;
  void Append(std::string* events) const;
  // Adds what a statement over the event as it is written signs.
  void AddLeaf(attestation::LeafBatch* leaves);
  // Serialised; what goes with the event, by us and by others.
  absl::Span<const std::string> statements() const { return statements_; }

 private:
  std::string FieldProof(const event::Record& record, const policy::Outgoing* outgoing);
  void TakeStatements(const event::Record& record, const policy::Decision& decision);
  void WriteNotes(uint32_t notes, const policy::Outgoing* outgoing);
  void WriteExport(const event::StoredView& stored, const policy::Decision& decision);
  void WriteTerms(const policy::TermsView& terms);

  const std::string domain_;
  StatementSource source_;
  attestation::CopyView copy_, before_;
  attestation::FieldProver prover_;
  const event::Record* record_ = nullptr;
  const policy::Decision* decision_ = nullptr;
  absl::Span<const std::string> statements_;
  absl::string_view cloud_event_;
  std::string rest_;    // a serialised RelayedEvent without its cloud_event
  std::string export_;  // a serialised ExportSection
};

}  // namespace cdgate::session
