#include "federation/session/relay.h"

#include <algorithm>

#include "cdgate/federation/v1/link.pb.h"
#include "federation/link/codec.h"
#include "gateway/event/digests.h"
#include "gateway/event/wire_writer.h"

namespace cdgate::session {
namespace {

using Event = federation::v1::RelayedEvent;
using Section = storage::v1::ExportSection;
using storage::v1::Terms;

void PutText(uint32_t field, absl::string_view text, std::string* out) {
  if (!text.empty()) event::AppendBytesField(field, text, out);
}

// By the salt what was removed could be guessed. Where fields are committed to, attributes are
// among them.
bool GoesWhole(const event::StoredView& stored, const policy::Outgoing* outgoing) {
  if (outgoing == nullptr) return true;
  if ((stored.notes() & event::kNoteFieldsCommitted) != 0) return false;
  return outgoing->withheld.empty() && outgoing->substituted.empty();
}

}  // namespace

uint64_t MarkOf(const event::Record& record) {
  // The commitment is a digest over salt and content: any 8 bytes of it will do.
  uint64_t mark = 0;
  const absl::string_view commitment = record.stored().commitment();
  for (size_t i = 0; i < std::min<size_t>(8, commitment.size()); ++i) {
    mark = mark << 8 | static_cast<uint8_t>(commitment[i]);
  }
  return mark == 0 ? 1 : mark;
}

// What protobuf writes: fields by number, and none that has its default.
void RelayWriter::Set(const event::Record& record, const policy::Decision& decision) {
  rest_.clear();
  record_ = &record;
  decision_ = &decision;
  TakeStatements(record, decision);
  const event::StoredView& stored = record.stored();
  const policy::Outgoing* const outgoing = decision.outgoing;
  cloud_event_ =
      outgoing == nullptr ? stored.cloud_event() : absl::string_view(outgoing->cloud_event);
  PutText(Event::kOriginFieldNumber, stored.origin(), &rest_);
  if (stored.accepted_time_nanos() != 0) {
    event::AppendFixed64Field(Event::kAcceptedTimeNanosFieldNumber,
                              static_cast<uint64_t>(stored.accepted_time_nanos()), &rest_);
  }
  if (GoesWhole(stored, outgoing)) PutText(Event::kSaltFieldNumber, stored.salt(), &rest_);
  PutText(Event::kCommitmentFieldNumber, stored.commitment(), &rest_);
  PutText(Event::kPlaneFieldNumber, stored.plane(), &rest_);
  PutText(Event::kClassificationFieldNumber, stored.classification(), &rest_);
  event::AppendVarintField(Event::kHopsFieldNumber, stored.hops() + 1, &rest_);
  const auto put_path = [this](absl::string_view domain) {
    event::AppendBytesField(Event::kPathFieldNumber, domain, &rest_);
  };
  stored.ForEachPath(put_path);
  put_path(domain_);
  for (const std::string& statement : statements_) {
    event::AppendBytesField(Event::kStatementsFieldNumber, statement, &rest_);
  }
  WriteNotes(stored.notes(), outgoing);
  WriteExport(stored, decision);
  PutText(Event::kFieldProofFieldNumber, FieldProof(record, outgoing), &rest_);
}

// In place of the salt, where the origin committed to fields: what shows that those which are left
// are its.
std::string RelayWriter::FieldProof(const event::Record& record, const policy::Outgoing* outgoing) {
  const event::StoredView& stored = record.stored();
  if ((stored.notes() & event::kNoteFieldsCommitted) == 0) return "";
  if (outgoing == nullptr) return std::string(stored.field_proof());
  event::CloudEventView sent;
  sent.AssignStored(outgoing->cloud_event);
  copy_.Assign(sent, outgoing->withheld, outgoing->substituted);
  absl::StatusOr<std::string> proof;
  if (!stored.salt().empty()) {
    proof = prover_.Alter(record.cloud_event(), stored.salt(), copy_);
  } else if (!stored.field_proof().empty()) {
    before_.Assign(record.cloud_event(), stored);
    proof = prover_.AlterAgain(before_, stored.field_proof(), copy_);
  }
  // Without one it is a copy that we alone vouch for.
  return proof.ok() ? *std::move(proof) : "";
}

// Of our own events those that nobody may pass on go without.
void RelayWriter::TakeStatements(const event::Record& record, const policy::Decision& decision) {
  const bool ours = record.stored().received_from().empty();
  statements_ = {};
  if (!ours || decision.terms.onward > 0) statements_ = source_.Of(record);
}

void RelayWriter::AddLeaf(attestation::LeafBatch* leaves) {
  const event::StoredView& stored = record_->stored();
  const policy::Outgoing* const outgoing = decision_->outgoing;
  auto content = attestation::ReadDigest(stored.content_digest());
  if (outgoing == nullptr) {
    copy_.Assign(record_->cloud_event(), stored);
  } else {
    event::CloudEventView sent;
    sent.AssignStored(outgoing->cloud_event);
    copy_.Assign(sent, outgoing->withheld, outgoing->substituted);
    content.reset();
  }
  const policy::TermsView& terms = decision_->terms;
  leaves->Add(copy_, attestation::ClaimOf(stored), content ? &*content : nullptr,
              {terms.onward, terms.classification, terms.groups},
              leaves->maker().Previous(statements_));
}

void RelayWriter::WriteNotes(uint32_t notes, const policy::Outgoing* outgoing) {
  if (outgoing != nullptr && !outgoing->withheld.empty()) notes |= event::kNoteRedacted;
  if (outgoing != nullptr && !outgoing->substituted.empty()) notes |= event::kNotePseudonymised;
  if (notes != 0) event::AppendVarintField(Event::kNotesFieldNumber, notes, &rest_);
}

void RelayWriter::WriteExport(const event::StoredView& stored, const policy::Decision& decision) {
  export_.clear();
  WriteTerms(decision.terms);
  const auto put_withheld = [this](absl::string_view pointer) {
    event::AppendBytesField(Section::kWithheldFieldNumber, pointer, &export_);
  };
  const auto put_substituted = [this](absl::string_view pointer) {
    event::AppendBytesField(Section::kSubstitutedFieldNumber, pointer, &export_);
  };
  if (decision.outgoing == nullptr) {
    stored.ForEachWithheld(put_withheld);
    stored.ForEachSubstituted(put_substituted);
  } else {
    for (const std::string& pointer : decision.outgoing->withheld) put_withheld(pointer);
    for (const std::string& pointer : decision.outgoing->substituted) put_substituted(pointer);
  }
  event::AppendBytesField(Event::kExportFieldNumber, export_, &rest_);
}

void RelayWriter::WriteTerms(const policy::TermsView& terms) {
  const size_t onward =
      terms.onward == 0 ? 0 : event::VarintFieldSize(Terms::kOnwardFieldNumber, terms.onward);
  const size_t label = terms.classification.size();
  size_t size = onward;
  if (label != 0) size += event::BytesFieldSize(Terms::kClassificationFieldNumber, label);
  for (const absl::string_view group : terms.groups) {
    size += event::BytesFieldSize(Terms::kGroupsFieldNumber, group.size());
  }
  event::AppendBytesHeader(Section::kTermsFieldNumber, size, &export_);
  if (onward > 0) event::AppendVarintField(Terms::kOnwardFieldNumber, terms.onward, &export_);
  for (const absl::string_view group : terms.groups) {
    event::AppendBytesField(Terms::kGroupsFieldNumber, group, &export_);
  }
  PutText(Terms::kClassificationFieldNumber, terms.classification, &export_);
}

size_t RelayWriter::size() const {
  return link::RelayedEventSize(cloud_event_.size(), rest_.size());
}

void RelayWriter::Append(std::string* events) const {
  link::AppendRelayedEvent(cloud_event_, rest_, events);
}

}  // namespace cdgate::session
