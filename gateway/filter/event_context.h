// One event as conditions see it. A context is set to an event, any number of programs
// read it, and it is set to the next; what it parsed or computed for one program serves
// the others.
//
//   filter::EventContext event;                     // one per thread, kept
//   for (const event::Record& record : commit->events) {
//     event.Reset(record);
//     if (program.Matches(event)) Deliver(record);
//   }
//
// The JSON of the event is parsed at the first condition that reaches into it, and at
// most once. After a few events a context has the memory it needs and allocates no more.
//
// Whatever Reset is given must outlive its use in the context. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/event/record.h"
#include "gateway/filter/value.h"

namespace cdgate::filter {

class DataPath;
struct EvaluationState;

// Attributes that are read without comparing names.
enum class AttributeId : uint8_t { kOther, kId, kSource, kType, kSpecVersion, kSubject, kTime };
// `name` in lower case.
AttributeId AttributeIdOf(absl::string_view name);

// One attribute of the CloudEvent by its name, lower-case letters and digits.
struct Attribute {
  absl::string_view name;
  Value value;
};

// An event that is not a Record: a file for `cdgate filter eval`, an event on its way
// in. Everything is a view.
struct EventParts {
  absl::string_view id;
  absl::string_view source;
  absl::string_view type;
  absl::string_view spec_version = "1.0";
  // Every other attribute: subject, time, datacontenttype, dataschema, extensions.
  absl::Span<const Attribute> attributes;
  // The CDEvent's JSON.
  absl::string_view data;
  // What gateways added; see storage.v1.StoredEvent.
  absl::string_view origin;
  absl::string_view plane;
  absl::string_view classification;
  uint32_t hops = 0;
  // Terms the event came under; null: none. Conditions do not see them, decisions do.
  const storage::v1::Terms* terms = nullptr;
  // What counts against a limit of bytes: the serialised CloudEvent.
  size_t byte_size = 0;
  // It was admitted as of a type that no release has. Decisions see it.
  bool unknown_type = false;
};

// What became of a look into the data.
enum class DataLookup {
  kFound,
  kAbsent,   // nothing there, or null
  kNoValue,  // there is an object, an array or a number that CESQL cannot hold
  kNoJson,   // the data is not JSON
};

class EventContext {
 public:
  EventContext();
  ~EventContext();
  EventContext(EventContext&&) noexcept;
  EventContext& operator=(EventContext&&) noexcept;

  void Reset(const event::Record& record);
  void Reset(const EventParts& parts);

  absl::string_view id() const {
    read_more_ = true;
    return parts_.id;
  }
  absl::string_view source() const { return parts_.source; }
  absl::string_view type() const { return parts_.type; }
  absl::string_view data() const {
    read_more_ = true;
    return parts_.data;
  }
  absl::string_view origin() const { return parts_.origin; }
  absl::string_view plane() const { return parts_.plane; }
  uint32_t hops() const {
    read_more_ = true;
    return parts_.hops;
  }
  // The event as it will be elsewhere, until the next Reset.
  void set_hops(uint32_t hops) { parts_.hops = hops; }
  const storage::v1::Terms* terms() const {
    read_more_ = true;
    return parts_.terms;
  }
  size_t byte_size() const {
    read_more_ = true;
    return parts_.byte_size;
  }
  // When the origin accepted it; of what is no record, the Unix epoch.
  absl::Time accept_time() const {
    read_more_ = true;
    return record_ == nullptr ? absl::UnixEpoch() : record_->accept_time();
  }
  // What it is set to; null: it is no record.
  const event::Record* record() const { return record_; }
  bool unknown_type() const { return parts_.unknown_type; }  // no condition sees it
  // The label that gateways stamped on it, else its attribute dataclassification, else "".
  absl::string_view classification();
  // Its attribute dataregulation, as event::Record::regulation().
  absl::string_view regulation();

  // Whether anything but source, type, origin and plane, and what is computed of them, was
  // asked for since ForgetReads(): what did not is the same for every event that has the
  // same four.
  bool read_more() const { return read_more_; }
  void ForgetReads() { read_more_ = false; }

  // Any attribute by its name in lower case; none where the event does not have it.
  std::optional<Value> Find(absl::string_view name) { return Find(AttributeIdOf(name), name); }
  std::optional<Value> Find(AttributeId id, absl::string_view name) {
    if (id == AttributeId::kSource) return Value::String(parts_.source);
    if (id == AttributeId::kType) return Value::String(parts_.type);
    read_more_ = true;
    switch (id) {
      case AttributeId::kId: return Value::String(parts_.id);
      case AttributeId::kSpecVersion: return Value::String(parts_.spec_version);
      case AttributeId::kSubject: return subject_;
      case AttributeId::kTime: return Time();
      default: return FindByName(name);
    }
  }

  // The parts of a CDEvents type: "build", "finished" of dev.cdevents.build.finished.0.3.0;
  // of a custom type the subject is with its tool, "mytool-probe". Empty for other types.
  absl::string_view subject_type() {
    if (!type_split_) SplitType();
    return subject_type_;
  }
  absl::string_view predicate() {
    if (!type_split_) SplitType();
    return predicate_;
  }
  // The group of the vocabulary: "core", "scm", "ci", "testing", "cd", "operations",
  // "approval"; "custom" for custom types; empty for subjects that no release has.
  absl::string_view stage();

  // The value at `path` of the data. `value` is set where kFound is returned; a string
  // lives until the next Reset.
  DataLookup FindData(const DataPath& path, Value* value);
  // kFound where anything but null is at `path`.
  DataLookup HasData(const DataPath& path);
  // context.version or context.specversion of the data.
  DataLookup SpecVersion(Value* value);
  // kFound where the event names other events: a chain, or at least one link.
  DataLookup HasLinksOrChain();

  // What programs keep between instructions; nobody else's.
  EvaluationState& state() { return *state_; }

 private:
  std::optional<Value> FindByName(absl::string_view name);
  std::optional<Value> Time();
  void LoadAttributes();
  void Add(absl::string_view name, std::string text);
  void SplitType();
  void Clear();
  bool ParseData();
  DataLookup ReadElement(const DataPath& path, void* element);

  EventParts parts_;
  std::optional<Value> subject_;
  const event::Record* record_ = nullptr;
  // The attributes of record_ but subject and time, with the texts that had to be made.
  bool attributes_loaded_ = false;
  bool has_time_ = false;
  std::string time_;
  std::vector<Attribute> attributes_;
  std::deque<std::string> texts_;
  mutable bool read_more_ = false;
  bool type_split_ = false;
  absl::string_view subject_type_;
  absl::string_view predicate_;
  std::unique_ptr<EvaluationState> state_;
};

}  // namespace cdgate::filter
