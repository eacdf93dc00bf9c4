#include "gateway/event/relayed_view.h"

#include "gateway/event/wire_reader.h"

namespace cdgate::event {
namespace {

// Field numbers of cdgate/federation/v1/link.proto.
constexpr uint32_t kCloudEvent = 1;
constexpr uint32_t kOrigin = 2;
constexpr uint32_t kAcceptedTime = 3;
constexpr uint32_t kSalt = 4;
constexpr uint32_t kCommitment = 5;
constexpr uint32_t kPlane = 6;
constexpr uint32_t kClassification = 7;
constexpr uint32_t kHops = 8;
constexpr uint32_t kPath = 9;
constexpr uint32_t kStatements = 11;
constexpr uint32_t kNotes = 12;
constexpr uint32_t kExport = 13;
constexpr uint32_t kFieldProof = 14;
// Of storage.v1.ExportSection.
constexpr uint32_t kTerms = 1;
constexpr uint32_t kWithheld = 2;
constexpr uint32_t kSubstituted = 3;

}  // namespace

bool RelayedView::Assign(absl::string_view bytes) {
  Clear();
  if (Scan(bytes)) return true;
  Clear();
  return false;
}

void RelayedView::Clear() {
  cloud_event_ = origin_ = salt_ = commitment_ = plane_ = classification_ = terms_ =
      field_proof_ = {};
  accepted_time_nanos_ = 0;
  hops_ = notes_ = 0;
  has_terms_ = false;
  path_.clear();
  statements_.clear();
  withheld_.clear();
  substituted_.clear();
}

bool RelayedView::Scan(absl::string_view bytes) {
  WireReader reader(bytes);
  while (reader.Next()) {
    const uint32_t field = reader.field();
    if (reader.is_bytes()) {
      if (!TakeBytes(field, reader.bytes())) return false;
    } else if (reader.is_fixed64() && field == kAcceptedTime) {
      accepted_time_nanos_ = static_cast<int64_t>(reader.fixed64());
    } else if (reader.is_varint() && field == kHops) {
      hops_ = static_cast<uint32_t>(reader.varint());
    } else if (reader.is_varint() && field == kNotes) {
      notes_ = static_cast<uint32_t>(reader.varint());
    }
  }
  return reader.ok();
}

bool RelayedView::ScanExport(absl::string_view bytes) {
  has_terms_ = false;
  terms_ = {};
  withheld_.clear();
  substituted_.clear();
  WireReader reader(bytes);
  while (reader.Next()) {
    if (!reader.is_bytes()) continue;
    switch (reader.field()) {
      case kTerms:
        has_terms_ = true;
        terms_ = reader.bytes();
        break;
      case kWithheld: withheld_.push_back(reader.bytes()); break;
      case kSubstituted: substituted_.push_back(reader.bytes()); break;
      default: break;
    }
  }
  return reader.ok();
}

bool RelayedView::TakeBytes(uint32_t field, absl::string_view value) {
  switch (field) {
    case kCloudEvent: cloud_event_ = value; break;
    case kOrigin: origin_ = value; break;
    case kSalt: salt_ = value; break;
    case kCommitment: commitment_ = value; break;
    case kPlane: plane_ = value; break;
    case kClassification: classification_ = value; break;
    case kPath: path_.push_back(value); break;
    case kExport: return ScanExport(value);
    case kStatements: statements_.push_back(value); break;
    case kFieldProof: field_proof_ = value; break;
    default: break;
  }
  return true;
}

}  // namespace cdgate::event
