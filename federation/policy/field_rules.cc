#include "federation/policy/field_rules.h"

#include "absl/strings/str_cat.h"
#include "gateway/cdevents/catalogue.h"

namespace cdgate::policy {
namespace {

using cdevents::Member;
using cdevents::Object;

// The member at `path`, or null where the form does not name it.
const Member* Resolve(const Object* object, const filter::DataPath& path) {
  const Member* member = nullptr;
  for (const filter::DataPath::Step& step : path.steps()) {
    if (object == nullptr) return nullptr;
    member = object->Find(step.name);
    if (member == nullptr) return nullptr;
    object = member->object;
  }
  return member;
}

}  // namespace

std::string KindOf(const filter::DataPath& path) {
  std::string kind;
  for (const filter::DataPath::Step& step : path.steps()) {
    if (step.index < 0) absl::StrAppend(&kind, kind.empty() ? "" : ".", step.name);
  }
  return kind;
}

bool HoldsUri(const filter::DataPath& path) {
  for (const cdevents::Type* type : cdevents::Catalogue::Get().types()) {
    for (const cdevents::Form* form : type->forms) {
      if (form == nullptr) continue;
      const Member* const member = Resolve(form->root, path);
      if (member == nullptr) continue;
      if (member->format == cdevents::Format::kUri ||
          member->format == cdevents::Format::kUriReference) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace cdgate::policy
