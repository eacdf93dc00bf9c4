#include "gateway/event/valid_event.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/digests.h"
#include "gateway/event/record.h"
#include "gateway/event/timestamp.h"
#include "gateway/event/wire_writer.h"

namespace cdgate::event {
namespace {

using base::Reason;

// Field numbers of storage.v1.StoredEvent.
constexpr uint32_t kStoredCloudEvent = 1;
constexpr uint32_t kStoredContentDigest = 6;
constexpr uint32_t kStoredInnerId = 17;
constexpr uint32_t kStoredInnerSubject = 18;
constexpr uint32_t kStoredInnerTime = 19;
// What a stored event has besides its CloudEvent, as a rule: one allocation is enough.
constexpr size_t kRoomForFields = 384;

// With it, a signature covers the outer attributes (CloudEvents verifiability).
constexpr absl::string_view kDsseMaterial = "dssematerial";

absl::Status InvalidCloudEvent(absl::string_view what) {
  return base::MakeError(Reason::kInvalidCloudEvent, what);
}

absl::Status TooLarge(size_t size, size_t limit) {
  return base::MakeError(Reason::kTooLarge,
                         absl::StrCat("the event has ", size, " bytes, the limit is ", limit),
                         {{"bytes", absl::StrCat(size)}, {"limit", absl::StrCat(limit)}});
}

bool IsAttributeName(absl::string_view name) {
  for (const char c : name) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) return false;
  }
  // The last five are context attributes of their own, or no attribute at all.
  return !name.empty() && name != "id" && name != "source" && name != "type" &&
         name != "specversion" && name != "data";
}

// "application/json", "application/json; charset=utf-8", "application/cloudevents+json".
bool IsJsonMediaType(const AttributeView& attribute) {
  if (!attribute.is_text()) return false;
  absl::string_view essence = attribute.text.substr(0, attribute.text.find(';'));
  while (!essence.empty() && essence.back() == ' ') essence.remove_suffix(1);
  return absl::EndsWithIgnoreCase(essence, "/json") || absl::EndsWithIgnoreCase(essence, "+json");
}

absl::Status CheckAttribute(const AttributeView& attribute) {
  if (absl::StartsWith(attribute.name, "cdgate")) {
    return base::MakeError(Reason::kReservedAttribute,
                           absl::StrCat("attribute ", base::Shorten(attribute.name),
                                        " has a reserved name: only gateways set cdgate…"));
  }
  if (!IsAttributeName(attribute.name)) {
    return InvalidCloudEvent(absl::StrCat("attribute name \"", base::Shorten(attribute.name),
                                          "\" is not one or more of a-z and 0-9, or is taken"));
  }
  if (attribute.kind == AttributeKind::kNone) {
    return InvalidCloudEvent(absl::StrCat("attribute ", attribute.name, " has no value"));
  }
  if (attribute.name == "datacontenttype" && !IsJsonMediaType(attribute)) {
    return InvalidCloudEvent(absl::StrCat("datacontenttype is \"", base::Shorten(attribute.text),
                                          "\", expected application/json"));
  }
  return absl::OkStatus();
}

absl::Status CheckRequired(const CloudEventView& outer) {
  if (outer.spec_version() != "1.0") {
    return InvalidCloudEvent(absl::StrCat("spec_version is \"", base::Shorten(outer.spec_version()),
                                          "\", expected 1.0"));
  }
  if (outer.id().empty()) return InvalidCloudEvent("id is missing or empty");
  if (outer.source().empty()) return InvalidCloudEvent("source is missing or empty");
  if (outer.type().empty()) return InvalidCloudEvent("type is missing or empty");
  if (outer.data_kind() == DataKind::kBinary || outer.data_kind() == DataKind::kText) {
    return absl::OkStatus();
  }
  return base::MakeError(Reason::kUnsupportedData,
                         outer.data_kind() == DataKind::kNone
                             ? "the event has no data, expected a CDEvent's JSON"
                             : "proto_data is not supported, expected a CDEvent's JSON in "
                               "binary_data or text_data");
}

// The first half of admission: what the outer event says of itself.
absl::Status CheckOuter(const CloudEventView& outer, CloudEventFields* fields) {
  CDGATE_RETURN_IF_ERROR(CheckRequired(outer));
  absl::Status status;
  outer.ForEach([&](const AttributeView& attribute) {
    if (status.ok()) status = CheckAttribute(attribute);
    fields->attributes.push_back(attribute);
  });
  return status;
}

absl::Status Mismatch(absl::string_view name, absl::string_view outer, absl::string_view inner) {
  return base::MakeError(Reason::kEnvelopeMismatch,
                         absl::StrCat("the CloudEvent's ", name, " is \"", base::Shorten(outer),
                                      "\", the CDEvent's \"", base::Shorten(inner), "\""),
                         {{"attribute", std::string(name)}});
}

absl::Status CheckAgreement(const CloudEventView& outer, const CdEventEnvelope& inner) {
  if (outer.type() != inner.type) return Mismatch("type", outer.type(), inner.type);
  if (outer.source() != inner.source) return Mismatch("source", outer.source(), inner.source);
  return absl::OkStatus();
}

bool IsSameInstant(const AttributeView& outer, const CdEventEnvelope& inner) {
  int64_t seconds = outer.seconds;
  int32_t nanos = outer.nanos;
  if (outer.is_text()) {
    if (!ParseRfc3339(outer.text, &seconds, &nanos)) return false;
  } else if (outer.kind != AttributeKind::kTimestamp) {
    return false;
  }
  return seconds == inner.seconds && nanos == inner.nanos;
}

bool IsSameText(const AttributeView& outer, absl::string_view inner) {
  return outer.is_text() && outer.text == inner;
}

AttributeView* FindIn(CloudEventFields* fields, absl::string_view name) {
  for (AttributeView& attribute : fields->attributes) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

void Put(CloudEventFields* fields, const AttributeView& attribute) {
  AttributeView* const there = FindIn(fields, attribute.name);
  if (there == nullptr) {
    fields->attributes.push_back(attribute);
  } else {
    *there = attribute;
  }
}

// How the outer id, subject and time stand to the CDEvent's.
struct Agreement {
  bool id, subject, time;  // the same
  bool disagrees;          // one is there and differs
};

Agreement Compare(CloudEventFields* fields, const CdEventEnvelope& inner) {
  const AttributeView* const subject = FindIn(fields, "subject");
  const AttributeView* const time = FindIn(fields, "time");
  Agreement a;
  a.id = fields->id == inner.id;
  a.subject = subject != nullptr && IsSameText(*subject, inner.subject);
  a.time = time != nullptr && IsSameInstant(*time, inner);
  a.disagrees = !a.id || (subject != nullptr && !a.subject) || (time != nullptr && !a.time);
  return a;
}

void Normalise(CloudEventFields* fields, const CdEventEnvelope& inner) {
  fields->id = inner.id;
  Put(fields, TextAttribute("subject", inner.subject));
  Put(fields, TimeAttribute("time", inner.seconds, inner.nanos));
}

}  // namespace

absl::StatusOr<ValidEvent> Admitter::Admit(absl::string_view cloud_event) {
  if (cloud_event.size() > limits_.max_event_bytes) {
    return TooLarge(cloud_event.size(), limits_.max_event_bytes);
  }
  CDGATE_ASSIGN_OR_RETURN(const CloudEventView outer, CloudEventView::Scan(cloud_event));
  CloudEventFields fields;
  CDGATE_RETURN_IF_ERROR(CheckOuter(outer, &fields));
  CDGATE_ASSIGN_OR_RETURN(const CdEventEnvelope inner, ParseData(outer.data()));
  CDGATE_RETURN_IF_ERROR(CheckAgreement(outer, inner));
  fields.id = outer.id();
  fields.data = outer.data();
  return Finish(&fields, inner);
}

absl::StatusOr<ValidEvent> Admitter::AdmitCdEventJson(absl::string_view json) {
  if (json.size() > limits_.max_event_bytes) return TooLarge(json.size(), limits_.max_event_bytes);
  CDGATE_ASSIGN_OR_RETURN(const CdEventEnvelope inner, ParseData(json));
  CloudEventFields fields;
  fields.attributes.push_back(TextAttribute("datacontenttype", "application/json"));
  fields.id = inner.id;
  fields.data = json;
  return Finish(&fields, inner);
}

absl::StatusOr<CdEventEnvelope> Admitter::ParseData(absl::string_view data) {
  CDGATE_ASSIGN_OR_RETURN(const simdjson::dom::element root, parser_.ParseIJson(data));
  return CheckCdEvent(root);
}

ValidEvent Admitter::Finish(CloudEventFields* fields, const CdEventEnvelope& inner) {
  ValidEvent event;
  const Agreement agreement = Compare(fields, inner);
  if (agreement.disagrees) event.notes_ |= kNoteOuterDisagrees;
  if (FindIn(fields, kDsseMaterial) == nullptr) {
    Normalise(fields, inner);
  } else {
    if (!agreement.id) event.inner_id_ = std::string(inner.id);
    if (!agreement.subject) event.inner_subject_ = std::string(inner.subject);
    if (!agreement.time) event.inner_time_ = std::string(inner.timestamp);
  }
  fields->source = inner.source;
  fields->type = inner.type;
  event.seconds_ = inner.seconds;
  event.nanos_ = inner.nanos;
  hasher_.Reset();
  hasher_.Update(fields->data);
  event.content_digest_ = hasher_.FinalTo();
  event.Render(fields);
  return event;
}

void ValidEvent::Render(CloudEventFields* fields) {
  cloud_event_size_ = PrepareCloudEvent(fields);
  stored_.reserve(cloud_event_size_ + kRoomForFields);
  AppendBytesHeader(kStoredCloudEvent, cloud_event_size_, &stored_);
  cloud_event_at_ = stored_.size();
  AppendCloudEvent(*fields, &spans_, &stored_);
}

std::string ValidEvent::IntoStored(StoredFields fields) && {
  fields.notes |= notes_;
  AppendStored(fields, &stored_);
  AppendBytesField(kStoredContentDigest, AsBytes(content_digest_), &stored_);
  if (!inner_id_.empty()) AppendBytesField(kStoredInnerId, inner_id_, &stored_);
  if (!inner_subject_.empty()) AppendBytesField(kStoredInnerSubject, inner_subject_, &stored_);
  if (!inner_time_.empty()) AppendBytesField(kStoredInnerTime, inner_time_, &stored_);
  std::string stored = std::move(stored_);
  *this = ValidEvent();
  return stored;
}

}  // namespace cdgate::event
