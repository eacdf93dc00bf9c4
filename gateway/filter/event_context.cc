#include "gateway/filter/event_context.h"

#include <string.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/filter/data_path.h"
#include "gateway/filter/state.h"
#include "gateway/filter/vocabulary.h"

namespace cdgate::filter {
namespace {

struct KnownAttribute {
  absl::string_view name;
  AttributeId id;
};
constexpr KnownAttribute kKnownAttributes[] = {
    {"id", AttributeId::kId},           {"source", AttributeId::kSource},
    {"type", AttributeId::kType},       {"specversion", AttributeId::kSpecVersion},
    {"subject", AttributeId::kSubject}, {"time", AttributeId::kTime},
};

simdjson::dom::element& AsElement(void* element) {
  return *static_cast<simdjson::dom::element*>(element);
}

absl::string_view ToView(std::string_view text) { return {text.data(), text.size()}; }

// A number that is no CESQL integer is its decimal text; one that is no integer is none.
DataLookup ReadNumber(const simdjson::dom::element& element, Scratch* texts, Value* value) {
  char digits[absl::numbers_internal::kFastToBufferSize];
  int64_t number = 0;
  uint64_t large = 0;
  if (element.get(number) == simdjson::SUCCESS) {
    if (number >= INT32_MIN && number <= INT32_MAX) {
      *value = Value::Integer(static_cast<int32_t>(number));
      return DataLookup::kFound;
    }
    absl::numbers_internal::FastIntToBuffer(number, digits);
  } else if (element.get(large) == simdjson::SUCCESS) {
    absl::numbers_internal::FastIntToBuffer(large, digits);
  } else {
    return DataLookup::kNoValue;
  }
  const size_t size = strlen(digits);
  char* text = texts->Allocate(size);
  if (text == nullptr) return DataLookup::kNoValue;
  memcpy(text, digits, size);
  *value = Value::String({text, size});
  return DataLookup::kFound;
}

}  // namespace

AttributeId AttributeIdOf(absl::string_view name) {
  for (const KnownAttribute& known : kKnownAttributes) {
    if (known.name == name) return known.id;
  }
  return AttributeId::kOther;
}

EventContext::EventContext() : state_(std::make_unique<EvaluationState>()) {}
EventContext::~EventContext() = default;
EventContext::EventContext(EventContext&&) noexcept = default;
EventContext& EventContext::operator=(EventContext&&) noexcept = default;

void EventContext::Clear() {
  record_ = nullptr;
  attributes_loaded_ = false;
  time_.clear();
  type_split_ = false;
  state_->json = JsonState::kNotParsed;
  state_->data_texts.Clear();
}

void EventContext::Reset(const EventParts& parts) {
  Clear();
  parts_ = parts;
  subject_ = FindByName("subject");
}

void EventContext::Reset(const event::Record& record) {
  Clear();
  record_ = &record;
  const event::StoredView& stored = record.stored();
  parts_.id = record.id();
  parts_.source = record.source();
  parts_.type = record.type();
  parts_.spec_version = record.cloud_event().spec_version();
  subject_.reset();
  if (!record.subject().empty()) subject_ = Value::String(record.subject());
  parts_.attributes = {};
  parts_.data = record.data();
  parts_.origin = stored.origin();
  parts_.plane = stored.plane();
  parts_.classification = record.classification();
  parts_.hops = stored.hops();
  parts_.terms = nullptr;
  if (stored.has_terms()) {
    const absl::string_view terms = stored.terms();
    state_->terms.ParseFromArray(terms.data(), static_cast<int>(terms.size()));
    parts_.terms = &state_->terms;
  }
  parts_.byte_size = stored.cloud_event().size();
  parts_.unknown_type = (stored.notes() & event::kNoteUnknownType) != 0;
}

std::optional<Value> EventContext::FindByName(absl::string_view name) {
  if (record_ != nullptr && !attributes_loaded_) LoadAttributes();
  for (const Attribute& attribute : parts_.attributes) {
    if (attribute.name == name) return attribute.value;
  }
  return std::nullopt;
}

// CESQL has three types; the others become text (section 3.2).
void EventContext::LoadAttributes() {
  attributes_loaded_ = true;
  attributes_.clear();
  texts_.clear();
  has_time_ = !record_->stored().inner_time().empty();
  record_->cloud_event().ForEach([&](const event::AttributeView& attribute) {
    const absl::string_view name = attribute.name;
    if (name == "subject") return;
    if (name == "time") {
      has_time_ = true;
    } else if (attribute.is_text()) {
      attributes_.push_back({name, Value::String(attribute.text)});
    } else if (attribute.kind == event::AttributeKind::kBoolean) {
      attributes_.push_back({name, Value::Boolean(attribute.boolean)});
    } else if (attribute.kind == event::AttributeKind::kInteger) {
      attributes_.push_back({name, Value::Integer(attribute.integer)});
    } else if (attribute.kind == event::AttributeKind::kBytes) {
      Add(name, absl::Base64Escape(attribute.text));
    } else if (attribute.kind == event::AttributeKind::kTimestamp) {
      Add(name, absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", attribute.time(), absl::UTCTimeZone()));
    }
  });
  parts_.attributes = attributes_;
}

// Made into text only where it is asked for.
std::optional<Value> EventContext::Time() {
  if (record_ == nullptr) return FindByName("time");
  if (!attributes_loaded_) LoadAttributes();
  if (!has_time_) return std::nullopt;
  if (time_.empty()) time_ = record_->time_text();
  return Value::String(time_);
}

void EventContext::Add(absl::string_view name, std::string text) {
  texts_.push_back(std::move(text));
  attributes_.push_back({name, Value::String(texts_.back())});
}

absl::string_view EventContext::classification() {
  read_more_ = true;
  if (record_ != nullptr || !parts_.classification.empty()) return parts_.classification;
  const std::optional<Value> label = FindByName("dataclassification");
  return label && label->type() == Type::kString ? label->string() : absl::string_view();
}

absl::string_view EventContext::regulation() {
  read_more_ = true;
  if (record_ != nullptr) return record_->regulation();
  const std::optional<Value> regulation = FindByName("dataregulation");
  if (!regulation) return {};
  return regulation->type() == Type::kString ? regulation->string() : event::kNoRegulation;
}

void EventContext::SplitType() {
  type_split_ = true;
  const TypeParts parts = SplitCdeventsType(parts_.type);
  subject_type_ = parts.subject;
  predicate_ = parts.predicate;
}

absl::string_view EventContext::stage() {
  if (absl::StartsWith(parts_.type, kCustomTypePrefix)) return kCustomStage;
  return StageOfSubject(subject_type());
}

bool EventContext::ParseData() {
  read_more_ = true;
  if (state_->json == JsonState::kNotParsed) {
    const auto root = state_->parser.ParseAdmitted(parts_.data);
    if (root.ok()) state_->root = *root;
    state_->json = root.ok() ? JsonState::kParsed : JsonState::kBroken;
  }
  return state_->json == JsonState::kParsed;
}

// kFound: `element`, a simdjson::dom::element, is what is at `path`.
DataLookup EventContext::ReadElement(const DataPath& path, void* element) {
  if (!ParseData()) return DataLookup::kNoJson;
  simdjson::dom::element& at = AsElement(element);
  at = state_->root;
  for (const DataPath::Step& step : path.steps()) {
    simdjson::dom::element next;
    auto error = simdjson::INCORRECT_TYPE;
    if (at.is_object()) {
      error = at.at_key(step.name).get(next);
    } else if (at.is_array() && step.index >= 0) {
      error = at.at(static_cast<size_t>(step.index)).get(next);
    }
    if (error != simdjson::SUCCESS) return DataLookup::kAbsent;
    at = next;
  }
  return at.is_null() ? DataLookup::kAbsent : DataLookup::kFound;
}

DataLookup EventContext::FindData(const DataPath& path, Value* value) {
  simdjson::dom::element element;
  const DataLookup found = ReadElement(path, &element);
  if (found != DataLookup::kFound) return found;
  switch (element.type()) {
    case simdjson::dom::element_type::STRING:
      *value = Value::String(ToView(element.get_string().value_unsafe()));
      return DataLookup::kFound;
    case simdjson::dom::element_type::BOOL:
      *value = Value::Boolean(element.get_bool().value_unsafe());
      return DataLookup::kFound;
    case simdjson::dom::element_type::INT64:
    case simdjson::dom::element_type::UINT64:
      return ReadNumber(element, &state_->data_texts, value);
    default: return DataLookup::kNoValue;
  }
}

DataLookup EventContext::HasData(const DataPath& path) {
  simdjson::dom::element element;
  return ReadElement(path, &element);
}

DataLookup EventContext::SpecVersion(Value* value) {
  static const DataPath* const kNew = new DataPath(*DataPath::Parse("context.specversion"));
  static const DataPath* const kOld = new DataPath(*DataPath::Parse("context.version"));
  const DataLookup found = FindData(*kNew, value);
  return found == DataLookup::kAbsent ? FindData(*kOld, value) : found;
}

DataLookup EventContext::HasLinksOrChain() {
  if (!ParseData()) return DataLookup::kNoJson;
  simdjson::dom::object context;
  if (state_->root["context"].get(context) != simdjson::SUCCESS) return DataLookup::kAbsent;
  for (const auto field : context) {
    // 0.4.0 wrote chain_id.
    if (field.key == "chainId" || field.key == "chain_id") {
      if (!field.value.is_null()) return DataLookup::kFound;
    } else if (field.key == "links") {
      simdjson::dom::array links;
      const bool empty = field.value.is_null() ||
                         (field.value.get(links) == simdjson::SUCCESS && links.size() == 0);
      if (!empty) return DataLookup::kFound;
    }
  }
  return DataLookup::kAbsent;
}

}  // namespace cdgate::filter
