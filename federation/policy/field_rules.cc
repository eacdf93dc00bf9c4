#include "federation/policy/field_rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cdgate::policy {
namespace {

using cdevents::Form;
using cdevents::Format;
using cdevents::Kind;
using cdevents::Member;
using cdevents::Object;
using filter::DataPath;

// Where a path leads in one form.
struct Place {
  const Member* member = nullptr;  // the last one that the form names
  const Object* within = nullptr;  // whose member it is
  // Behind `member`: a place in an object of any members, or in an array.
  bool free = false;
  bool possible = true;
  bool always = true;
};

Place Find(const Form& form, const DataPath& path) {
  Place place;
  const Object* object = form.root;
  for (const DataPath::Step& step : path.steps()) {
    if (place.free) continue;
    const Member* const next = object == nullptr ? nullptr : object->Find(step.name);
    if (next != nullptr) {
      place.within = object;
      place.member = next;
      place.always = place.always && next->required;
      object = next->object;
      continue;
    }
    place.always = false;
    const Kind kind = place.member == nullptr ? Kind::kObject : place.member->kind;
    const bool array = kind == Kind::kTexts || kind == Kind::kLinks;
    place.free = object != nullptr ? object->open
                                   : kind == Kind::kAnyObject || kind == Kind::kObjectOrText ||
                                         (array && step.index >= 0);
    place.possible = place.free;
    if (!place.free) return place;
  }
  return place;
}

std::string FixedOf(const Member& member) {
  switch (member.kind) {
    case Kind::kObject:
    case Kind::kAnyObject: return "an object";
    case Kind::kObjectOrText: return "an object or a text";
    case Kind::kTexts:
    case Kind::kLinks: return "an array";
    case Kind::kText: break;
  }
  if (!member.values.empty()) return absl::StrCat("one of ", member.values.size(), " texts");
  switch (member.format) {
    case Format::kDateTime: return "a time";
    case Format::kDomainId: return "a domainId";
    case Format::kCustomType: return "a type";
    case Format::kCustomSubject: return "a subject";
    default: return "";
  }
}

void Add(const Place& place, FieldFacts* facts) {
  facts->always = facts->always && place.possible && place.always;
  if (!place.possible) return;
  facts->possible = true;
  if (place.free || place.member == nullptr) return;
  facts->needed = facts->needed || place.member->required || place.within->one_member;
  if (facts->fixed.empty()) facts->fixed = FixedOf(*place.member);
}

DataPath Path(absl::string_view text) { return *DataPath::Parse(text); }

}  // namespace

std::string KindOf(const DataPath& path) {
  std::string kind;
  for (const DataPath::Step& step : path.steps()) {
    if (step.index < 0) absl::StrAppend(&kind, kind.empty() ? "" : ".", step.name);
  }
  return kind;
}

bool HoldsUri(const DataPath& path) {
  for (const cdevents::Type* type : cdevents::Catalogue::Get().types()) {
    for (const Form* form : type->forms) {
      if (form == nullptr) continue;
      const Place place = Find(*form, path);
      if (!place.possible || place.free || place.member == nullptr) continue;
      const Format format = place.member->format;
      if (format == Format::kUri || format == Format::kUriReference) return true;
    }
  }
  return false;
}

bool IsWithin(const DataPath& path, const DataPath& other) {
  return path.steps().size() >= other.steps().size() &&
         std::equal(
             other.steps().begin(), other.steps().end(), path.steps().begin(),
             [](const DataPath::Step& a, const DataPath::Step& b) { return a.name == b.name; });
}

bool IsIdentity(const DataPath& path) {
  static const auto* const kept = new std::vector<DataPath>{
      Path("context.id"),      Path("context.source"),      Path("context.type"),
      Path("context.version"), Path("context.specversion"), Path("context.timestamp"),
      Path("subject.type")};
  return std::any_of(kept->begin(), kept->end(), [&](const DataPath& one) {
    return IsWithin(path, one) || IsWithin(one, path);
  });
}

bool IsLinkOrChain(const DataPath& path) {
  static const auto* const named = new std::vector<DataPath>{
      Path("context.links"), Path("context.chainId"), Path("context.chain_id")};
  return std::any_of(named->begin(), named->end(),
                     [&](const DataPath& one) { return IsWithin(path, one); });
}

FieldFacts FactsOf(const cdevents::Type& type, const DataPath& path) {
  FieldFacts facts;
  for (const Form* form : type.forms) {
    if (form != nullptr) Add(Find(*form, path), &facts);
  }
  return facts;
}

}  // namespace cdgate::policy
