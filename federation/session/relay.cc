#include "federation/session/relay.h"

#include <algorithm>

#include "cdgate/federation/v1/link.pb.h"
#include "federation/link/codec.h"
#include "gateway/event/wire_writer.h"

namespace cdgate::session {
namespace {

using Event = federation::v1::RelayedEvent;
using Section = storage::v1::ExportSection;
using storage::v1::Terms;

void PutText(uint32_t field, absl::string_view text, std::string* out) {
  if (!text.empty()) event::AppendBytesField(field, text, out);
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
  const event::StoredView& stored = record.stored();
  const policy::Outgoing* const outgoing = decision.outgoing;
  cloud_event_ =
      outgoing == nullptr ? stored.cloud_event() : absl::string_view(outgoing->cloud_event);
  PutText(Event::kOriginFieldNumber, stored.origin(), &rest_);
  if (stored.accepted_time_nanos() != 0) {
    event::AppendFixed64Field(Event::kAcceptedTimeNanosFieldNumber,
                              static_cast<uint64_t>(stored.accepted_time_nanos()), &rest_);
  }
  const bool whole =
      outgoing == nullptr || (outgoing->withheld.empty() && outgoing->substituted.empty());
  if (whole) PutText(Event::kSaltFieldNumber, stored.salt(), &rest_);
  PutText(Event::kCommitmentFieldNumber, stored.commitment(), &rest_);
  PutText(Event::kPlaneFieldNumber, stored.plane(), &rest_);
  PutText(Event::kClassificationFieldNumber, stored.classification(), &rest_);
  event::AppendVarintField(Event::kHopsFieldNumber, stored.hops() + 1, &rest_);
  const auto put_path = [this](absl::string_view domain) {
    event::AppendBytesField(Event::kPathFieldNumber, domain, &rest_);
  };
  stored.ForEachPath(put_path);
  put_path(domain_);
  stored.ForEachStatement([this](absl::string_view statement) {
    event::AppendBytesField(Event::kStatementsFieldNumber, statement, &rest_);
  });
  WriteNotes(stored.notes(), outgoing);
  WriteExport(stored, decision);
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
