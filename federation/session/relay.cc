#include "federation/session/relay.h"

#include <algorithm>

#include "cdgate/federation/v1/link.pb.h"
#include "federation/link/codec.h"
#include "gateway/event/wire_writer.h"

namespace cdgate::session {
namespace {

using Event = federation::v1::RelayedEvent;
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
  record_ = &record;
  rest_.clear();
  const event::StoredView& stored = record.stored();
  PutText(Event::kOriginFieldNumber, stored.origin(), &rest_);
  if (stored.accepted_time_nanos() != 0) {
    event::AppendFixed64Field(Event::kAcceptedTimeNanosFieldNumber,
                              static_cast<uint64_t>(stored.accepted_time_nanos()), &rest_);
  }
  PutText(Event::kSaltFieldNumber, stored.salt(), &rest_);
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
  if (stored.notes() != 0) {
    event::AppendVarintField(Event::kNotesFieldNumber, stored.notes(), &rest_);
  }
  WriteExport(decision);
}

void RelayWriter::WriteExport(const policy::Decision& decision) {
  const policy::TermsView& terms = decision.terms;
  const size_t onward =
      terms.onward == 0 ? 0 : event::VarintFieldSize(Terms::kOnwardFieldNumber, terms.onward);
  const size_t label = terms.classification.size();
  const size_t labelled =
      label == 0 ? 0 : event::BytesFieldSize(Terms::kClassificationFieldNumber, label);
  event::AppendBytesHeader(
      Event::kExportFieldNumber,
      event::BytesFieldSize(storage::v1::ExportSection::kTermsFieldNumber, onward + labelled),
      &rest_);
  event::AppendBytesHeader(storage::v1::ExportSection::kTermsFieldNumber, onward + labelled,
                           &rest_);
  if (onward > 0) event::AppendVarintField(Terms::kOnwardFieldNumber, terms.onward, &rest_);
  PutText(Terms::kClassificationFieldNumber, terms.classification, &rest_);
}

size_t RelayWriter::size() const {
  return link::RelayedEventSize(record_->stored().cloud_event().size(), rest_.size());
}

void RelayWriter::Append(std::string* events) const {
  link::AppendRelayedEvent(record_->stored().cloud_event(), rest_, events);
}

}  // namespace cdgate::session
