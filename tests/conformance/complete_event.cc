#include "tests/conformance/mutants.h"

namespace cdgate::test {
namespace {

using cdevents::Format;
using cdevents::Kind;
using cdevents::Member;
using cdevents::Object;

std::string ValidText(const Member& member) {
  if (!member.values.empty()) return std::string(member.values.front());
  switch (member.format) {
    case Format::kUri: return "https://example.com/a%20b?c=d#e";
    case Format::kUriReference: return "/a/b?c";
    case Format::kDateTime: return "2026-01-02T03:04:05.678901234+01:00";
    case Format::kDomainId: return "cdevents:v0:gitlab:gl-1:team:a/b:pr:42";
    case Format::kCustomType: return "dev.cdeventsx.mytool-resource.created.0.1.0";
    case Format::kCustomSubject: return "mytool-resource";
    case Format::kNone: break;
  }
  return member.known_values.empty() ? "some text" : std::string(member.known_values.back());
}

JsonTree AnyObject() {
  return ParseJsonTree(R"({"n": [1.0, 12345678901234567890123, -0], "o": {"": null, "b": true}})");
}

void Complete(const Object& model, JsonTree* object);

JsonTree Completed(const Object& model) {
  JsonTree object = JsonTree::Object();
  Complete(model, &object);
  return object;
}

JsonTree ValidValue(const Member& member) {
  switch (member.kind) {
    case Kind::kText: return JsonTree::Text(ValidText(member));
    case Kind::kTexts: return JsonTree::Array({JsonTree::Text("a"), JsonTree::Text("")});
    case Kind::kObject: return Completed(*member.object);
    case Kind::kAnyObject:
    case Kind::kObjectOrText: return AnyObject();
    case Kind::kLinks: break;
  }
  JsonTree links = JsonTree::Array();
  for (const Object* const link : member.alternatives) links.items.push_back(Completed(*link));
  return links;
}

void Complete(const Object& model, JsonTree* object) {
  for (const Member& member : model.members) {
    JsonTree* const value = object->Find(member.name);
    if (value != nullptr && member.kind == Kind::kObject) {
      Complete(*member.object, value);
    } else if (value == nullptr || member.kind == Kind::kLinks) {
      object->Set(member.name, ValidValue(member));
    }
  }
  if (model.open) object->Set("of no release", AnyObject());
}

}  // namespace

JsonTree CompleteEvent(const cdevents::Form& form, JsonTree event) {
  const char* const version = form.family < cdevents::Family::k05 ? "version" : "specversion";
  if (event.Find("context") == nullptr) event.Set("context", JsonTree::Object());
  // What is declared decides on the rules.
  event.Find("context")->Set(version, JsonTree::Text(cdevents::ReleaseOf(form.family)));
  Complete(*form.root, &event);
  return event;
}

JsonTree CompleteLink(const Object& link) { return Completed(link); }

}  // namespace cdgate::test
