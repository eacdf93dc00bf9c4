#include "gateway/schema/bundle.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/json_parser.h"
#include "gateway/schema/finder.h"
#include "gateway/schema/formats.h"
#include "gateway/schema/keywords.h"
#include "gateway/schema/pattern.h"

namespace cdgate::schema {
namespace {

using rapidjson::Value;

// Subschemas and values of one bundle: what many references to large places would copy.
constexpr size_t kMaxNodes = 100'000;
// Levels of all referenced places together: the library follows references by recursion.
constexpr size_t kMaxLevels = 1'000;

std::string Escaped(absl::string_view name) {
  return absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}});
}

std::string Child(absl::string_view pointer, absl::string_view name) {
  return absl::StrCat(pointer, "/", Escaped(name));
}

std::string Child(absl::string_view pointer, size_t index) {
  return absl::StrCat(pointer, "/", index);
}

// A registered document.
struct Source {
  std::string uri;
  std::string base;              // its $id, where it has one
  bool reference_alone = false;  // draft-07: what stands beside $ref is ignored
  bool list_items = true;        // not 2020-12: items may be an array
  rapidjson::Document root;
};

// A place that becomes a definition of the bundle.
struct Target {
  const Source* source;
  std::string pointer;
  const Value* node;
  std::vector<size_t> in_place;  // targets that judge the same value
};

class Bundler {
 public:
  explicit Bundler(FindDocument find) : find_(find) {}

  absl::StatusOr<Bundle> Run(absl::string_view uri);

 private:
  // Where a subschema is.
  struct Place {
    const Source* source;
    std::string pointer;
    size_t target;  // that it is within
    bool in_place;  // it judges the same value as the target
    size_t level;   // within the target, from 1
  };

  absl::StatusOr<const Source*> Load(absl::string_view uri);
  absl::Status ReadHead(Source* source);
  absl::StatusOr<size_t> Refer(const Place& at, const Value& reference);
  size_t TargetAt(const Source* source, std::string pointer, const Value* node);

  absl::Status Copy(const Place& at, const Value& in, Value* out);
  absl::Status CopyKeyword(const Place& at, const Value& schema, absl::string_view name,
                           const Value& in, Value* out);
  absl::Status CopyApplicator(const Applicator& keyword, const Place& at, const Value& schema,
                              const Value& in, Value* out);
  absl::Status CopySubschemas(const Applicator& keyword, const Place& at, const Value& in,
                              Value* out);
  absl::Status CopyList(const Place& at, const Value& in, Value* out);
  absl::Status CopyMap(const Applicator& keyword, const Place& at, const Value& in, Value* out);
  absl::Status CopyReference(const Place& at, const Value& schema, const Value& in, Value* out);
  absl::Status CopyPattern(const Place& at, const Value& in, Value* out);
  absl::Status CheckPattern(const Place& at, const Value& in);
  absl::Status CopyPlain(const PlainKeyword& keyword, const Place& at, const Value& in, Value* out);
  absl::Status CheckCircles() const;

  Value Text(absl::string_view text) {
    return Value(text.data(), static_cast<unsigned>(text.size()), memory_);
  }
  Value ReferenceTo(size_t target) {
    Value out(rapidjson::kObjectType);
    out.AddMember("$ref", Text(absl::StrCat("#/definitions/", target)), memory_);
    return out;
  }
  absl::Status Fault(const Place& at, absl::string_view what) const {
    return Unsupported(at.source->uri, at.pointer, what);
  }
  Place Below(const Place& at, std::string pointer, bool in_place) const {
    return {at.source, std::move(pointer), at.target, at.in_place && in_place, at.level + 1};
  }
  absl::Status Count(const Place& at, size_t nodes) {
    nodes_ += nodes;
    if (nodes_ <= kMaxNodes) return absl::OkStatus();
    return Fault(at, "the schema with what it refers to has more than 100,000 parts");
  }

  const FindDocument find_;
  event::JsonParser parser_;
  Finder finder_;
  Bundle bundle_;
  rapidjson::Document::AllocatorType& memory_ = bundle_.root.GetAllocator();
  std::map<std::string, std::unique_ptr<Source>, std::less<>> sources_;
  std::map<std::pair<const Source*, std::string>, size_t> numbers_;  // of targets
  std::deque<Target> targets_;
  size_t nodes_ = 0;
  size_t deepest_ = 0;  // level within the target at hand
  size_t levels_ = 0;
};

absl::Status Bundler::ReadHead(Source* source) {
  const Value& root = source->root;
  if (!root.IsObject() && !root.IsBool()) {
    return Unsupported(source->uri, "", "expected an object, or true or false");
  }
  if (!root.IsObject()) return absl::OkStatus();
  const auto id = root.FindMember("$id");
  if (id != root.MemberEnd()) {
    if (!id->value.IsString()) return Unsupported(source->uri, "/$id", "expected a URI");
    const std::string resolved = ResolveUri(source->uri, TextOf(id->value));
    if (!IsAbsoluteUri(resolved)) return Unsupported(source->uri, "/$id", "expected a URI");
    source->base = resolved;
  }
  const auto schema = root.FindMember("$schema");
  if (schema == root.MemberEnd()) return absl::OkStatus();
  absl::string_view dialect = schema->value.IsString() ? TextOf(schema->value) : "";
  if (!absl::ConsumePrefix(&dialect, "https://")) absl::ConsumePrefix(&dialect, "http://");
  absl::ConsumeSuffix(&dialect, "#");
  source->reference_alone = dialect == "json-schema.org/draft-07/schema";
  source->list_items = dialect != "json-schema.org/draft/2020-12/schema";
  if (source->reference_alone || !source->list_items ||
      dialect == "json-schema.org/draft/2019-09/schema") {
    return absl::OkStatus();
  }
  return Unsupported(source->uri, "/$schema", "expected draft-07, 2019-09 or 2020-12");
}

absl::StatusOr<const Source*> Bundler::Load(absl::string_view uri) {
  const auto known = sources_.find(uri);
  if (known != sources_.end()) return known->second.get();
  const std::string* const text = find_(uri);
  if (text == nullptr) return nullptr;
  // Before the copy for the library: no duplicate members, at most 64 levels.
  if (const absl::Status status = parser_.ParseIJson(*text).status(); !status.ok()) {
    return Unsupported(uri, "", status.message());
  }
  auto source = std::make_unique<Source>();
  source->uri = source->base = std::string(uri);
  source->root.Parse<rapidjson::kParseFullPrecisionFlag>(text->data(), text->size());
  if (source->root.HasParseError()) return Unsupported(uri, "", "has a number out of range");
  CDGATE_RETURN_IF_ERROR(ReadHead(source.get()));
  bundle_.documents.emplace_back(uri);
  return sources_.emplace(uri, std::move(source)).first->second.get();
}

size_t Bundler::TargetAt(const Source* source, std::string pointer, const Value* node) {
  const auto [number, added] = numbers_.emplace(std::pair(source, pointer), targets_.size());
  if (added) targets_.push_back({source, std::move(pointer), node, {}});
  return number->second;
}

absl::StatusOr<size_t> Bundler::Refer(const Place& at, const Value& reference) {
  if (!reference.IsString()) return Fault(at, "expected a URI reference");
  const absl::string_view text = TextOf(reference);
  const std::string uri = ResolveUri(at.source->base, text);
  const Source* source = at.source;
  if (uri != source->base && uri != source->uri) {
    CDGATE_ASSIGN_OR_RETURN(source, Load(uri));
    if (source == nullptr) {
      return Fault(at, absl::StrCat("no schema is registered as ", base::Shorten(uri, 200),
                                    "; add that one first, nothing is fetched"));
    }
  }
  const size_t hash = text.find('#');
  std::string pointer = hash == absl::string_view::npos ? "" : Unquoted(text.substr(hash + 1));
  const Value* const node = finder_.At(source->root, pointer);
  if (node == nullptr) {
    return Fault(at, absl::StrCat("leads nowhere: ", base::Shorten(text, 200),
                                  "; expected # and a JSON Pointer"));
  }
  return TargetAt(source, std::move(pointer), node);
}

absl::Status Bundler::CopyReference(const Place& at, const Value& schema, const Value& in,
                                    Value* out) {
  if (at.source->reference_alone) {
    for (const auto& member : schema.GetObject()) {
      const absl::string_view name = TextOf(member.name);
      if (IsAnnotation(name) || absl::StartsWith(name, "$") || name == "definitions") continue;
      return Fault(at, absl::StrCat("draft-07 ignores ", name,
                                    " beside $ref; write allOf with the $ref in it"));
    }
  }
  CDGATE_ASSIGN_OR_RETURN(const size_t target, Refer(at, in));
  if (at.in_place) targets_[at.target].in_place.push_back(target);
  if (out->HasMember("allOf")) {
    (*out)["allOf"].PushBack(ReferenceTo(target), memory_);
    return absl::OkStatus();
  }
  out->AddMember("allOf", Value(rapidjson::kArrayType).PushBack(ReferenceTo(target), memory_),
                 memory_);
  return absl::OkStatus();
}

absl::Status Bundler::CheckPattern(const Place& at, const Value& in) {
  if (!IsName(in)) return Fault(at, "expected a regular expression without NUL");
  const std::string text(TextOf(in));
  const auto pattern = CompilePattern(text);
  if (!pattern.ok()) {
    return Fault(at, absl::StrCat("the regular expression ", pattern.status().message()));
  }
  bundle_.patterns.insert(text);
  return absl::OkStatus();
}

absl::Status Bundler::CopyPlain(const PlainKeyword& keyword, const Place& at, const Value& in,
                                Value* out) {
  if (const char* const fault = keyword.fault(in)) return Fault(at, fault);
  size_t values = 1;
  const auto count = [&values](const auto& self, const Value& value) -> void {
    ++values;
    if (value.IsArray()) {
      for (const Value& item : value.GetArray()) self(self, item);
    } else if (value.IsObject()) {
      for (const auto& member : value.GetObject()) self(self, member.value);
    }
  };
  count(count, in);
  CDGATE_RETURN_IF_ERROR(Count(at, values));
  out->AddMember(Text(keyword.name), Value(in, memory_), memory_);
  return absl::OkStatus();
}

absl::Status Bundler::CopyList(const Place& at, const Value& in, Value* out) {
  if (!in.IsArray() || in.Empty()) return Fault(at, "expected an array of schemas");
  // The references of $ref may be there already.
  if (!out->IsArray()) out->SetArray();
  for (size_t i = 0; i < in.Size(); ++i) {
    Value copy;
    CDGATE_RETURN_IF_ERROR(
        Copy(Below(at, Child(at.pointer, i), true), in[static_cast<unsigned>(i)], &copy));
    out->PushBack(copy, memory_);
  }
  return absl::OkStatus();
}

absl::Status Bundler::CopyMap(const Applicator& keyword, const Place& at, const Value& in,
                              Value* out) {
  if (!in.IsObject()) return Fault(at, "expected an object of schemas");
  out->SetObject();
  for (const auto& member : in.GetObject()) {
    const Place below = Below(at, Child(at.pointer, TextOf(member.name)), true);
    if (!IsName(member.name)) return Fault(below, "a name with NUL is not checked");
    if (keyword.name == "patternProperties")
      CDGATE_RETURN_IF_ERROR(CheckPattern(below, member.name));
    Value copy;
    if (keyword.holds == Holds::kDependencies && member.value.IsArray()) {
      if (const char* const fault = NamesFault(member.value)) return Fault(below, fault);
      copy.CopyFrom(member.value, memory_);
    } else {
      CDGATE_RETURN_IF_ERROR(Copy(below, member.value, &copy));
    }
    out->AddMember(Value(member.name, memory_), copy, memory_);
  }
  return absl::OkStatus();
}

absl::Status Bundler::CopySubschemas(const Applicator& keyword, const Place& at, const Value& in,
                                     Value* out) {
  const Place inside = Below(at, at.pointer, keyword.in_place);
  switch (keyword.holds) {
    case Holds::kOne: return Copy(inside, in, out);
    case Holds::kList: return CopyList(inside, in, out);
    case Holds::kOneOrList:
      if (!in.IsArray()) return Copy(inside, in, out);
      if (at.source->list_items) return CopyList(inside, in, out);
      return Fault(at, "expected one schema, as 2020-12 has it");
    case Holds::kMap:
    case Holds::kDependencies:
    case Holds::kUnused: break;
  }
  return CopyMap(keyword, inside, in, out);
}

// Keywords that mean something only beside another one.
bool HasNoEffect(absl::string_view name, const Value& schema) {
  if (name == "then" || name == "else") return !schema.HasMember("if");
  if (name != "additionalItems") return false;
  const auto items = schema.FindMember("items");
  return items == schema.MemberEnd() || !items->value.IsArray();
}

absl::Status Bundler::CopyApplicator(const Applicator& keyword, const Place& at,
                                     const Value& schema, const Value& in, Value* out) {
  Value copy;
  const Value name = Text(keyword.name);
  const bool there = out->HasMember(name);
  if (there) copy = (*out)[name];  // allOf, from $ref
  CDGATE_RETURN_IF_ERROR(CopySubschemas(keyword, at, in, &copy));
  if (keyword.holds == Holds::kUnused || HasNoEffect(keyword.name, schema)) {
    return absl::OkStatus();
  }
  if (there) {
    (*out)[name] = copy;
  } else {
    out->AddMember(Text(keyword.name), copy, memory_);
  }
  return absl::OkStatus();
}

absl::Status Bundler::CopyKeyword(const Place& at, const Value& schema, absl::string_view name,
                                  const Value& in, Value* out) {
  if (IsAnnotation(name)) return absl::OkStatus();
  if (name == "$ref") return CopyReference(at, schema, in, out);
  if (const PlainKeyword* const plain = FindPlain(name)) return CopyPlain(*plain, at, in, out);
  if (const Applicator* const applicator = FindApplicator(name)) {
    return CopyApplicator(*applicator, at, schema, in, out);
  }
  if (name == "pattern") {
    CDGATE_RETURN_IF_ERROR(CheckPattern(at, in));
    out->AddMember("pattern", Value(in, memory_), memory_);
    return absl::OkStatus();
  }
  if (name == "format") {
    if (!in.IsString() || FindFormat(TextOf(in)) == nullptr) {
      return Fault(at, absl::StrCat("the format is not checked; those that are: ",
                                    absl::StrJoin(FormatNames(), ", ")));
    }
    out->AddMember("format", Value(in, memory_), memory_);
    return absl::OkStatus();
  }
  if (name == "propertyNames") {
    // By reference: the library would take it for the schema around it.
    out->AddMember("propertyNames", ReferenceTo(TargetAt(at.source, at.pointer, &in)), memory_);
    return absl::OkStatus();
  }
  return Fault(at, absl::StrCat("the keyword ", base::Shorten(name),
                                " is not checked here; write the rule without it"));
}

absl::Status Bundler::Copy(const Place& at, const Value& in, Value* out) {
  CDGATE_RETURN_IF_ERROR(Count(at, 1));
  deepest_ = std::max(deepest_, at.level);
  if (in.IsBool()) {
    out->SetBool(in.GetBool());
    return absl::OkStatus();
  }
  if (!in.IsObject()) return Fault(at, "expected a schema: an object, or true or false");
  out->SetObject();
  for (const auto& member : in.GetObject()) {
    const absl::string_view name = TextOf(member.name);
    if (at.pointer.empty() && (name == "$id" || name == "$schema")) continue;
    Place keyword = at;
    keyword.pointer = Child(at.pointer, name);
    CDGATE_RETURN_IF_ERROR(CopyKeyword(keyword, in, name, member.value, out));
  }
  return absl::OkStatus();
}

// A target that comes back to itself at the same value would be judged without end.
absl::Status Bundler::CheckCircles() const {
  enum State { kNew, kOpen, kDone };
  std::vector<State> states(targets_.size(), kNew);
  std::vector<std::pair<size_t, size_t>> path;  // target, next of its edges
  for (size_t first = 0; first < targets_.size(); ++first) {
    if (states[first] != kNew) continue;
    path.emplace_back(first, 0);
    states[first] = kOpen;
    while (!path.empty()) {
      auto& [at, next] = path.back();
      if (next == targets_[at].in_place.size()) {
        states[at] = kDone;
        path.pop_back();
        continue;
      }
      const size_t to = targets_[at].in_place[next++];
      if (states[to] == kOpen) {
        return Unsupported(targets_[to].source->uri, targets_[to].pointer,
                           "refers to itself without going deeper into the value");
      }
      if (states[to] == kNew) path.emplace_back(to, 0);
      states[to] = states[to] == kNew ? kOpen : states[to];
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Bundle> Bundler::Run(absl::string_view uri) {
  CDGATE_ASSIGN_OR_RETURN(const Source* const source, Load(uri));
  if (source == nullptr) return Unsupported(uri, "", "is not registered");
  TargetAt(source, "", &source->root);
  Value definitions(rapidjson::kObjectType);
  for (size_t i = 0; i < targets_.size(); ++i) {
    const Target& target = targets_[i];
    const Place at{target.source, target.pointer, i, true, 1};
    deepest_ = 0;
    Value copy;
    CDGATE_RETURN_IF_ERROR(Copy(at, *target.node, &copy));
    levels_ += deepest_;
    if (levels_ > kMaxLevels) return Fault(at, "the referenced places nest too deeply in all");
    definitions.AddMember(Text(absl::StrCat(i)), copy, memory_);
  }
  CDGATE_RETURN_IF_ERROR(CheckCircles());
  bundle_.root.SetObject();
  bundle_.root.AddMember("allOf", Value(rapidjson::kArrayType).PushBack(ReferenceTo(0), memory_),
                         memory_);
  bundle_.root.AddMember("definitions", definitions, memory_);
  return std::move(bundle_);
}

}  // namespace

absl::Status Unsupported(absl::string_view uri, absl::string_view pointer, absl::string_view what) {
  return base::MakeError(
      base::Reason::kSchemaUnsupported,
      absl::StrCat("schema ", base::Shorten(uri, 200), " at ",
                   pointer.empty() ? "its root" : base::Shorten(pointer, 200), ": ", what),
      {{"schema", base::Shorten(uri, 200)}, {"pointer", base::Shorten(pointer, 200)}});
}

absl::StatusOr<Bundle> MakeBundle(absl::string_view uri, FindDocument find) {
  return Bundler(find).Run(uri);
}

}  // namespace cdgate::schema
