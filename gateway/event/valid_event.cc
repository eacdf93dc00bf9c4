#include "gateway/event/valid_event.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/base/timestamp.h"
#include "gateway/event/digests.h"
#include "gateway/event/plain_reader.h"
#include "gateway/event/record.h"
#include "gateway/event/typed_data.h"
#include "gateway/event/utf8.h"
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
// What a stored event has besides its CloudEvent, as a rule, the import rule included.
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
  if (attribute.text == "application/json") return true;
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
  if (outer.data_kind() != DataKind::kNone) return absl::OkStatus();
  return base::MakeError(Reason::kUnsupportedData,
                         "the event has no data, expected a CDEvent's JSON");
}

// The data of a typed event becomes JSON, and what the envelope says of its form goes.
absl::Status ReadTyped(absl::string_view any, CloudEventFields* fields, std::string* json) {
  CDGATE_ASSIGN_OR_RETURN(*json, JsonOfTypedData(any));
  fields->data = *json;
  auto& attributes = fields->attributes;
  for (const AttributeView& attribute : attributes) {
    if (attribute.name != kDsseMaterial) continue;
    return base::MakeError(Reason::kUnsupportedData,
                           "dssematerial signs data bytes, and proto_data becomes JSON here: send "
                           "the signed JSON in binary_data");
  }
  attributes.erase(std::remove_if(attributes.begin(), attributes.end(),
                                  [](const AttributeView& attribute) {
                                    return attribute.name == "dataschema" ||
                                           attribute.name == "datacontenttype";
                                  }),
                   attributes.end());
  attributes.push_back(TextAttribute("datacontenttype", "application/json"));
  return absl::OkStatus();
}

bool TextsAreUtf8(const AttributeView& attribute) {
  return IsUtf8(attribute.name) && (!attribute.is_text() || IsUtf8(attribute.text));
}

bool HasRepeatedName(const CloudEventFields& fields) {
  const auto& attributes = fields.attributes;
  for (size_t i = 1; i < attributes.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (attributes[k].name == attributes[i].name) return true;
    }
  }
  return false;
}

// What serialisers write, in one pass. False where the event is not plain, or not valid.
bool ReadPlain(absl::string_view bytes, CloudEventFields* fields) {
  PlainReader reader(bytes);
  if (!reader.ReadHead()) return false;
  fields->id = reader.id();
  fields->source = reader.source();
  fields->type = reader.type();
  if (!IsUtf8(fields->id) || !IsUtf8(fields->source) || !IsUtf8(fields->type)) return false;
  auto& attributes = fields->attributes;
  bool sorted = true;
  while (reader.NextAttribute(&attributes.emplace_back())) {
    const AttributeView& attribute = attributes.back();
    if (attributes.size() > kMaxAttributes || !TextsAreUtf8(attribute)) return false;
    if (attributes.size() > 1) sorted &= attributes[attributes.size() - 2].name < attribute.name;
  }
  attributes.pop_back();
  if (!reader.ReadData(&fields->data)) return false;
  if (sorted) fields->canonical = bytes;
  return sorted || !HasRepeatedName(*fields);
}

absl::Status ReadAny(absl::string_view bytes, CloudEventFields* fields, std::string* json) {
  CDGATE_ASSIGN_OR_RETURN(const CloudEventView outer, CloudEventView::Scan(bytes));
  CDGATE_RETURN_IF_ERROR(CheckRequired(outer));
  *fields = CloudEventFields();
  fields->id = outer.id();
  fields->source = outer.source();
  fields->type = outer.type();
  fields->data = outer.data();
  outer.ForEach(
      [fields](const AttributeView& attribute) { fields->attributes.push_back(attribute); });
  if (outer.data_kind() != DataKind::kProto) return absl::OkStatus();
  return ReadTyped(outer.data(), fields, json);
}

// The first half of admission: what the outer event says of itself. `json` holds the data
// where it had to be made.
absl::Status ReadOuter(absl::string_view bytes, CloudEventFields* fields, std::string* json) {
  if (!ReadPlain(bytes, fields)) CDGATE_RETURN_IF_ERROR(ReadAny(bytes, fields, json));
  for (const AttributeView& attribute : fields->attributes) {
    CDGATE_RETURN_IF_ERROR(CheckAttribute(attribute));
  }
  return absl::OkStatus();
}

absl::Status Mismatch(absl::string_view name, absl::string_view outer, absl::string_view inner) {
  return base::MakeError(Reason::kEnvelopeMismatch,
                         absl::StrCat("the CloudEvent's ", name, " is \"", base::Shorten(outer),
                                      "\", the CDEvent's \"", base::Shorten(inner), "\""),
                         {{"attribute", std::string(name)}});
}

absl::Status CheckAgreement(const CloudEventFields& outer, const CdEventEnvelope& inner) {
  if (outer.type != inner.type) return Mismatch("type", outer.type, inner.type);
  if (outer.source != inner.source) return Mismatch("source", outer.source, inner.source);
  return absl::OkStatus();
}

bool IsSameInstant(const AttributeView& outer, const CdEventEnvelope& inner) {
  int64_t seconds = outer.seconds;
  int32_t nanos = outer.nanos;
  if (outer.is_text()) {
    if (!base::ParseRfc3339(outer.text, &seconds, &nanos)) return false;
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

// How the outer id, subject and time stand to the CDEvent's.
struct Agreement {
  bool id, subject, time;  // the same
  bool disagrees;          // one is there and differs
  // The attributes are there, and already what the canonical form has.
  bool canonical_subject, canonical_time;
};

Agreement Compare(CloudEventFields* fields, const CdEventEnvelope& inner) {
  const AttributeView* const subject = FindIn(fields, "subject");
  const AttributeView* const time = FindIn(fields, "time");
  Agreement a;
  a.id = fields->id == inner.id;
  a.subject = subject != nullptr && IsSameText(*subject, inner.subject);
  a.time = time != nullptr && IsSameInstant(*time, inner);
  a.disagrees = !a.id || (subject != nullptr && !a.subject) || (time != nullptr && !a.time);
  a.canonical_subject = a.subject && subject->kind == AttributeKind::kString;
  a.canonical_time = a.time && time->kind == AttributeKind::kTimestamp;
  return a;
}

void Put(CloudEventFields* fields, const AttributeView& attribute) {
  fields->canonical = {};
  AttributeView* const there = FindIn(fields, attribute.name);
  if (there == nullptr) {
    fields->attributes.push_back(attribute);
  } else {
    *there = attribute;
  }
}

void Normalise(const Agreement& agreement, const CdEventEnvelope& inner, CloudEventFields* fields) {
  if (!agreement.id) {
    fields->canonical = {};
    fields->id = inner.id;
  }
  if (!agreement.canonical_subject) Put(fields, TextAttribute("subject", inner.subject));
  if (!agreement.canonical_time) Put(fields, TimeAttribute("time", inner.seconds, inner.nanos));
}

}  // namespace

absl::StatusOr<ValidEvent> Admitter::Admit(absl::string_view cloud_event) {
  return Digest(AdmitUndigested(cloud_event));
}

std::vector<absl::StatusOr<ValidEvent>> Admitter::AdmitAll(
    absl::Span<const absl::string_view> cloud_events) {
  std::vector<absl::StatusOr<ValidEvent>> events;
  std::vector<absl::string_view> texts;
  events.reserve(cloud_events.size());
  texts.reserve(cloud_events.size());
  for (const absl::string_view cloud_event : cloud_events) {
    events.push_back(AdmitUndigested(cloud_event));
    if (events.back().ok()) texts.push_back(events.back()->data());
  }
  std::vector<crypto::Sha256Digest> digests(texts.size());
  if (!batch_) batch_.emplace();
  batch_->Hash(texts, absl::MakeSpan(digests));
  auto digest = digests.begin();
  for (absl::StatusOr<ValidEvent>& event : events) {
    if (event.ok()) event->content_digest_ = *digest++;
  }
  return events;
}

absl::StatusOr<ValidEvent> Admitter::AdmitCdEventJson(absl::string_view json) {
  if (json.size() > limits_.max_event_bytes) return TooLarge(json.size(), limits_.max_event_bytes);
  CDGATE_ASSIGN_OR_RETURN(const CdEventEnvelope inner, ParseData(json));
  CloudEventFields fields;
  fields.attributes.push_back(TextAttribute("datacontenttype", "application/json"));
  fields.id = inner.id;
  fields.source = inner.source;
  fields.type = inner.type;
  fields.data = json;
  return Digest(Render(&fields, inner));
}

absl::StatusOr<ValidEvent> Admitter::AdmitUndigested(absl::string_view cloud_event) {
  if (cloud_event.size() > limits_.max_event_bytes) {
    return TooLarge(cloud_event.size(), limits_.max_event_bytes);
  }
  CloudEventFields fields;
  CDGATE_RETURN_IF_ERROR(ReadOuter(cloud_event, &fields, &typed_json_));
  if (fields.data.size() > limits_.max_event_bytes) {  // a typed event has become larger
    return TooLarge(fields.data.size(), limits_.max_event_bytes);
  }
  CDGATE_ASSIGN_OR_RETURN(const CdEventEnvelope inner, ParseData(fields.data));
  CDGATE_RETURN_IF_ERROR(CheckAgreement(fields, inner));
  return Render(&fields, inner);
}

absl::StatusOr<ValidEvent> Admitter::Digest(absl::StatusOr<ValidEvent> event) {
  if (!event.ok()) return event;
  hasher_.Reset();
  hasher_.Update(event->data());
  event->content_digest_ = hasher_.FinalTo();
  return event;
}

absl::StatusOr<CdEventEnvelope> Admitter::ParseData(absl::string_view data) {
  CDGATE_RETURN_IF_ERROR(parser_.ParseIJson(data).status());
  return CheckCdEvent(parser_.document());
}

ValidEvent Admitter::Render(CloudEventFields* fields, const CdEventEnvelope& inner) {
  ValidEvent event;
  const Agreement agreement = Compare(fields, inner);
  if (agreement.disagrees) event.notes_ |= kNoteOuterDisagrees;
  if (inner.unknown_type) event.notes_ |= kNoteUnknownType;
  if (FindIn(fields, kDsseMaterial) == nullptr) {
    Normalise(agreement, inner, fields);
  } else if (!agreement.id || !agreement.subject || !agreement.time) {
    event.beside_ = std::make_shared<ValidEvent::Beside>(
        ValidEvent::Beside{.id = std::string(agreement.id ? "" : inner.id),
                           .subject = std::string(agreement.subject ? "" : inner.subject),
                           .time = std::string(agreement.time ? "" : inner.timestamp)});
  }
  event.seconds_ = inner.seconds;
  event.nanos_ = inner.nanos;
  event.schema_uri_.assign(inner.schema_uri.begin(), inner.schema_uri.end());
  event.Render(fields, &memory_);
  return event;
}

void ValidEvent::Render(CloudEventFields* fields, ByteArena* memory) {
  cloud_event_size_ = PrepareCloudEvent(fields);
  cloud_event_at_ = BytesHeaderSize(kStoredCloudEvent, cloud_event_size_);
  const size_t size = cloud_event_at_ + cloud_event_size_;
  stored_ = memory->Take(size + kRoomForFields);
  char* const at = PutBytesHeader(kStoredCloudEvent, cloud_event_size_, stored_.Extend(size));
  PutCloudEvent(*fields, cloud_event_size_, &spans_, at);
}

OwnedBytes ValidEvent::IntoStored(StoredFields fields) && {
  fields.notes |= notes_;
  const size_t more = StoredSize(fields) + OwnFieldsSize();
  OwnedBytes outgrown;  // the fields may point into it
  if (stored_.room() < more) {
    outgrown = std::move(stored_);
    stored_ = OwnedBytes(outgrown.view(), more);
  }
  PutOwnFields(PutStored(fields, stored_.Extend(more)));
  return std::move(stored_);
}

size_t ValidEvent::OwnFieldsSize() const {
  const size_t digest = BytesFieldSize(kStoredContentDigest, content_digest_.size());
  if (beside_ == nullptr) return digest;
  const auto size_of = [](uint32_t field, absl::string_view text) {
    return text.empty() ? 0 : BytesFieldSize(field, text.size());
  };
  return digest + size_of(kStoredInnerId, beside_->id) +
         size_of(kStoredInnerSubject, beside_->subject) + size_of(kStoredInnerTime, beside_->time);
}

void ValidEvent::PutOwnFields(char* at) const {
  at = PutBytesField(kStoredContentDigest, AsBytes(content_digest_), at);
  if (beside_ == nullptr) return;
  if (!beside_->id.empty()) at = PutBytesField(kStoredInnerId, beside_->id, at);
  if (!beside_->subject.empty()) at = PutBytesField(kStoredInnerSubject, beside_->subject, at);
  if (!beside_->time.empty()) PutBytesField(kStoredInnerTime, beside_->time, at);
}

}  // namespace cdgate::event
