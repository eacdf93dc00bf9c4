#include "gateway/cdevents/validator.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/base/formats.h"
#include "gateway/cdevents/json_tape.h"

namespace cdgate::cdevents {
namespace {

constexpr size_t kMaxNameBytes = 64;   // of a member in a path
constexpr size_t kMaxValueBytes = 80;  // of a value
constexpr size_t kMaxPath = 16;        // no known object is that deep

absl::string_view FormatName(Format format) {
  switch (format) {
    case Format::kUri: return "uri";
    case Format::kUriReference: return "uri-reference";
    case Format::kDateTime: return "date-time";
    case Format::kDomainId: return "domainId";
    case Format::kCustomType: return "dev.cdeventsx.TOOL-SUBJECT.PREDICATE.M.m.p";
    case Format::kCustomSubject: return "TOOL-SUBJECT";
    case Format::kNone: break;
  }
  return "";
}

// cdevents:v0:PROVIDER:PROVIDER-ID:NAMESPACE:GROUPS:TYPE:RESOURCE, by the pattern of the
// 0.6 draft: only type and resource may not be empty, and GROUPS neither begins nor ends with
// a slash.
bool IsDomainId(absl::string_view text) {
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "cdevents:v0:")) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, absl::MaxSplits(':', 5));
  if (parts.size() != 6 || parts[4].empty() || parts[5].empty()) return false;
  const absl::string_view groups = parts[3];
  if (!groups.empty() && (groups.front() == '/' || groups.back() == '/')) return false;
  return base::IsUriReference(text);
}

bool HasFormat(absl::string_view text, Format format) {
  switch (format) {
    case Format::kNone: return true;
    case Format::kUri: return base::IsUri(text);
    case Format::kUriReference: return base::IsUriReference(text);
    case Format::kDateTime: return base::IsDateTime(text);
    case Format::kDomainId: return IsDomainId(text);
    case Format::kCustomType: return !CustomSubjectOf(text).empty();
    case Format::kCustomSubject: return IsCustomSubject(text);
  }
  return false;
}

// A value as JSON, as far as an error may quote it.
std::string Quote(const JsonTape& tape, size_t at) {
  switch (tape.type(at)) {
    case '"': return absl::StrCat("\"", base::Shorten(tape.text(at), kMaxValueBytes), "\"");
    case '{': return tape.end(at) == at + 2 ? "{}" : "{…}";
    case '[': return tape.end(at) == at + 2 ? "[]" : "[…]";
    case 'l': return absl::StrCat(static_cast<int64_t>(tape.number(at)));
    case 'u': return absl::StrCat(tape.number(at));
    case 't': return "true";
    case 'f': return "false";
    case 'n': return "null";
    default: break;
  }
  double number;
  const uint64_t bits = tape.number(at);
  std::memcpy(&number, &bits, sizeof number);
  return absl::StrCat(number);
}

// Which rule of a text is broken, the first of several.
std::string RuleBroken(const Member& member, bool listed, bool long_enough) {
  if (!listed) return absl::StrCat("enum ", absl::StrJoin(member.values, "|"));
  if (!long_enough) return "minLength 1";
  const bool pattern = member.format >= Format::kDomainId;
  return absl::StrCat(pattern ? "pattern " : "format ", FormatName(member.format));
}

// One step of a path: a member, or an element where `name` is null.
struct Step {
  absl::string_view name;
  size_t index = 0;
};

// Walks one document. Where it has no list of faults, it stops at the first.
class Checker {
 public:
  Checker(const JsonTape& tape, Faults* faults) : tape_(tape), faults_(faults) {}

  // From now on any text, and none, will do for subject.type.
  void TakeAnySubjectType() { any_subject_type_ = true; }
  // These are false where the walk has to stop.
  bool CheckRoot(const Object& object, size_t at) { return CheckObject(object, at); }
  bool CheckLink(const std::vector<const Object*>& alternatives, size_t at);
  bool Fail(std::string rule, size_t value);
  // As Fail, for a member of the object the walk is in.
  bool FailMember(absl::string_view name, std::string rule, size_t value);

 private:
  static constexpr size_t kNoValue = 0;

  bool CheckObject(const Object& object, size_t at);
  bool CheckMissing(const Object& object, uint32_t seen);
  bool CheckValue(const Member& member, size_t at);
  bool CheckText(const Member& member, size_t at);
  bool CheckTexts(size_t at);
  bool CheckLinks(const Member& member, size_t at);
  bool CheckElement(size_t index, const Member& member, size_t at);
  bool IsType(char type, absl::string_view name, size_t at) {
    if (tape_.type(at) == type) return true;
    return faults_ != nullptr && Fail(absl::StrCat("type ", name), at);
  }
  std::string Path() const;
  void Push(absl::string_view name, size_t index = 0) {
    if (depth_ < kMaxPath) path_[depth_] = {name, index};
    ++depth_;
  }
  void Pop() { --depth_; }

  const JsonTape tape_;
  Faults* const faults_;
  Step path_[kMaxPath];
  size_t depth_ = 0;
  bool any_subject_type_ = false;
};

std::string Checker::Path() const {
  std::string path;
  for (size_t i = 0; i < std::min(depth_, kMaxPath); ++i) {
    if (path_[i].name.data() == nullptr) {
      absl::StrAppend(&path, "/", path_[i].index);
      continue;
    }
    const std::string name = base::Shorten(path_[i].name, kMaxNameBytes);
    absl::StrAppend(&path, "/", absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}}));
  }
  return path;
}

bool Checker::Fail(std::string rule, size_t value) {
  if (faults_ == nullptr) return false;
  const bool of_type = absl::StartsWith(rule, "type ");
  if (any_subject_type_ && !of_type && Path() == "/subject/type") return true;
  if (faults_->list.size() == kMaxFaults) {
    ++faults_->more;
    return true;
  }
  std::string found = value == kNoValue ? std::string() : Quote(tape_, value);
  faults_->list.push_back({Path(), std::move(rule), std::move(found)});
  return true;
}

bool Checker::FailMember(absl::string_view name, std::string rule, size_t value) {
  if (faults_ == nullptr) return false;
  Push(name);
  Fail(std::move(rule), value);
  Pop();
  return true;
}

bool Checker::CheckObject(const Object& object, size_t at) {
  if (tape_.type(at) != '{') return IsType('{', "object", at);
  const size_t last = tape_.end(at) - 1;
  uint32_t seen = 0;
  size_t hint = 0;
  for (size_t name = at + 1; name != last; name = tape_.Skip(name + 1)) {
    const Member* const member = object.Find(tape_.text(name), hint);
    if (member == nullptr) {
      if (object.open) continue;
      if (!FailMember(tape_.text(name), "additionalProperties", name + 1)) return false;
      continue;
    }
    const size_t index = member - object.members.data();
    hint = index + 1;
    seen |= uint32_t{1} << index;
    Push(member->name);
    const bool on = CheckValue(*member, name + 1);
    Pop();
    if (!on) return false;
  }
  return CheckMissing(object, seen);
}

bool Checker::CheckMissing(const Object& object, uint32_t seen) {
  if (object.one_member && seen == 0) {
    if (faults_ == nullptr) return false;
    const auto names = [](std::string* out, const Member& member) {
      absl::StrAppend(out, member.name);
    };
    if (!Fail(absl::StrCat("anyOf required ", absl::StrJoin(object.members, "|", names)),
              kNoValue)) {
      return false;
    }
  }
  const uint32_t missing = object.required & ~seen;
  if (missing == 0) return true;
  for (size_t i = 0; i < object.members.size(); ++i) {
    if ((missing >> i & 1) == 0) continue;
    if (!FailMember(object.members[i].name, "required", kNoValue)) return false;
  }
  return true;
}

bool Checker::CheckValue(const Member& member, size_t at) {
  switch (member.kind) {
    case Kind::kText: return CheckText(member, at);
    case Kind::kObject: return CheckObject(*member.object, at);
    case Kind::kAnyObject: return IsType('{', "object", at);
    case Kind::kTexts: return CheckTexts(at);
    case Kind::kLinks: return CheckLinks(member, at);
    case Kind::kObjectOrText:
      return tape_.type(at) == '{' || tape_.type(at) == '"' || Fail("type object|string", at);
  }
  return false;
}

bool Checker::CheckText(const Member& member, size_t at) {
  if (tape_.type(at) != '"') return IsType('"', "string", at);
  const absl::string_view text = tape_.text(at);
  const bool listed = member.values.empty() || std::find(member.values.begin(), member.values.end(),
                                                         text) != member.values.end();
  const bool long_enough = !member.not_empty || !text.empty();
  if (listed && long_enough && HasFormat(text, member.format)) return true;
  return faults_ != nullptr && Fail(RuleBroken(member, listed, long_enough), at);
}

bool Checker::CheckTexts(size_t at) {
  if (tape_.type(at) != '[') return IsType('[', "array", at);
  size_t index = 0;
  for (size_t element = at + 1; element != tape_.end(at) - 1; element = tape_.Skip(element)) {
    Push(absl::string_view(), index++);
    const bool on = IsType('"', "string", element);
    Pop();
    if (!on) return false;
  }
  return true;
}

bool Checker::CheckLinks(const Member& member, size_t at) {
  if (tape_.type(at) != '[') return IsType('[', "array", at);
  size_t index = 0;
  for (size_t element = at + 1; element != tape_.end(at) - 1; element = tape_.Skip(element)) {
    Push(absl::string_view(), index++);
    const bool on = CheckLink(member.alternatives, element);
    Pop();
    if (!on) return false;
  }
  return true;
}

// The member of the object at `at`; 0 where there is none.
size_t FindValue(const JsonTape& tape, size_t at, absl::string_view name) {
  if (tape.type(at) != '{') return 0;
  for (size_t m = at + 1; m != tape.end(at) - 1; m = tape.Skip(m + 1)) {
    if (tape.text(m) == name) return m + 1;
  }
  return 0;
}

absl::string_view FindText(const JsonTape& tape, size_t at, absl::string_view name) {
  const size_t value = FindValue(tape, at, name);
  return value != 0 && tape.type(value) == '"' ? tape.text(value) : absl::string_view();
}

absl::string_view LinkTypeOf(const Object& link) { return link.Find("linkType")->values.front(); }

bool Checker::CheckLink(const std::vector<const Object*>& alternatives, size_t at) {
  if (tape_.type(at) != '{') return IsType('{', "object", at);
  const absl::string_view type = FindText(tape_, at, "linkType");
  for (const Object* const link : alternatives) {
    if (LinkTypeOf(*link) == type) return CheckObject(*link, at);
  }
  if (faults_ == nullptr) return false;
  const size_t value = FindValue(tape_, at, "linkType");
  if (value == 0) return FailMember("linkType", "required", kNoValue);
  const auto name = [](std::string* out, const Object* link) {
    absl::StrAppend(out, LinkTypeOf(*link));
  };
  return FailMember("linkType", absl::StrCat("enum ", absl::StrJoin(alternatives, "|", name)),
                    value);
}

absl::string_view* FieldOf(absl::string_view name, Envelope* envelope) {
  switch (name.size()) {  // most names are of other members
    case 2: return name == "id" ? &envelope->id : nullptr;
    case 4: return name == "type" ? &envelope->type : nullptr;
    case 6: return name == "source" ? &envelope->source : nullptr;
    case 7: return name == "version" ? &envelope->version : nullptr;
    case 9:
      if (name == "timestamp") return &envelope->timestamp;
      return name == "schemaUri" ? &envelope->schema_uri : nullptr;
    case 11: return name == "specversion" ? &envelope->specversion : nullptr;
    default: return nullptr;
  }
}

void ReadContext(const JsonTape& tape, size_t at, Envelope* envelope) {
  if (tape.type(at) != '{') return;
  for (size_t m = at + 1; m != tape.end(at) - 1; m = tape.Skip(m + 1)) {
    if (tape.type(m + 1) != '"') continue;
    if (absl::string_view* const field = FieldOf(tape.text(m), envelope)) {
      *field = tape.text(m + 1);
    }
  }
}

Envelope EnvelopeOf(const JsonTape& tape) {
  Envelope envelope;
  const size_t root = JsonTape::kRoot;
  if (tape.type(root) != '{') return envelope;
  for (size_t m = root + 1; m != tape.end(root) - 1; m = tape.Skip(m + 1)) {
    if (tape.text(m) == "context") ReadContext(tape, m + 1, &envelope);
    if (tape.text(m) == "subject") envelope.subject = FindText(tape, m + 1, "id");
  }
  return envelope;
}

const Form* FormOf(const Envelope& envelope) {
  const Type* const type = Catalogue::Get().FindType(envelope.type);
  return type == nullptr ? nullptr : &type->FormOf(envelope.version, envelope.specversion);
}

// What an event of any type needs before it can pass unread.
bool IsComplete(const Envelope& envelope) {
  return !envelope.id.empty() && !envelope.source.empty() && !envelope.type.empty() &&
         !envelope.subject.empty() && base::IsDateTime(envelope.timestamp);
}

// Faults of an event whose type no release has: those around its content. Whether it has a
// subject.type, and which, only its type could tell.
void FindEnvelopeFaults(const Envelope& envelope, Checker* checker, Faults* faults) {
  const Form& like = Catalogue::Get().custom().FormOf(envelope.version, envelope.specversion);
  checker->TakeAnySubjectType();
  checker->CheckRoot(*like.root, JsonTape::kRoot);
  for (Fault& fault : faults->list) {
    if (fault.path == "/context/type" && !envelope.type.empty()) fault.rule = "known type";
  }
}

}  // namespace

Envelope ReadEnvelope(const simdjson::dom::document& document) {
  return EnvelopeOf(JsonTape(document));
}

Verdict Judge(const simdjson::dom::document& document, Envelope* envelope) {
  const JsonTape tape(document);
  *envelope = EnvelopeOf(tape);
  envelope->form = FormOf(*envelope);
  if (envelope->form != nullptr) {
    const bool valid = Checker(tape, nullptr).CheckRoot(*envelope->form->root, JsonTape::kRoot);
    return valid ? Verdict::kValid : Verdict::kInvalid;
  }
  return IsComplete(*envelope) ? Verdict::kUnknownType : Verdict::kInvalid;
}

Faults FindFaults(const simdjson::dom::document& document) {
  const JsonTape tape(document);
  const Envelope envelope = EnvelopeOf(tape);
  Faults faults;
  Checker checker(tape, &faults);
  if (const Form* const form = FormOf(envelope)) {
    checker.CheckRoot(*form->root, JsonTape::kRoot);
  } else {
    FindEnvelopeFaults(envelope, &checker, &faults);
  }
  return faults;
}

Faults FindLinkFaults(const simdjson::dom::document& document, Family family) {
  const JsonTape tape(document);
  Faults faults;
  Checker(tape, &faults).CheckLink(Catalogue::Get().links(family), JsonTape::kRoot);
  return faults;
}

}  // namespace cdgate::cdevents
