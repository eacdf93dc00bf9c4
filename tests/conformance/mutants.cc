#include "tests/conformance/mutants.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/conformance/mutant_texts.h"

namespace cdgate::test {
namespace {

using cdevents::Family;
using cdevents::Form;
using cdevents::Format;
using cdevents::Kind;
using cdevents::Member;
using cdevents::Object;

// Names that some releases have in some objects, and names that none has.
constexpr absl::string_view kNames[] = {
    "unknown",     "a/b~c",    "",         "ID",        "__proto__",  "version",
    "specversion", "chain_id", "chainId",  "links",     "schemaUri",  "url",
    "uri",         "type",     "severity", "contextId", "context_id", "domainId",
    "link_type",   "linkKind", "content",  "source"};

// Values that some releases have, as they are and in another spelling.
constexpr absl::string_view kValues[] = {
    "success",  "failure",  "pass",     "fail",      "cancel",  "error",       "cancelled",
    "canceled", "SUCCESS",  "Success",  "manual",    "low",     "critical",    "unit",
    "report",   "approved", "delegate", "escalated", "expired", "pipelineRun", "pipelinerun",
    "build",    "END",      "end",      ""};

std::string Under(const std::string& path, absl::string_view name) {
  return absl::StrCat(path, "/", absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}}));
}

std::string TextOf(const JsonTree* object, absl::string_view name) {
  const JsonTree* const member = object == nullptr ? nullptr : object->Find(name);
  return member == nullptr || member->kind != JsonTree::Kind::kText ? "" : member->text;
}

bool IsOneOf(absl::string_view text, const std::vector<absl::string_view>& values) {
  return std::find(values.begin(), values.end(), text) != values.end();
}

// Values of each type of JSON.
std::vector<JsonTree> OneOfEachType() {
  std::vector<JsonTree> values;
  for (const char* const raw : {"null", "true", "false", "0", "-1.5", "12345678901234567890123"}) {
    values.push_back(JsonTree::Raw(raw));
  }
  for (const char* const json : {"[]", "[\"a\"]", "{}", "{\"a\":1}"}) {
    values.push_back(ParseJsonTree(json));
  }
  return values;
}

// Changes one place after the other of one document, and takes each change back.
class Mutator {
 public:
  // `form` is null for a link that stands alone.
  Mutator(const Form* form, JsonTree root) : form_(form), root_(std::move(root)) {}

  void MutateObject(const Object& model, const std::string& path, JsonTree* object);
  void MutateLink(const std::vector<const Object*>& alternatives, const Object& model,
                  const std::string& path, JsonTree* link);
  void MutateDeclarations();
  JsonTree& root() { return root_; }
  std::vector<Mutant> Take() { return std::move(mutants_); }

  void Emit(std::string what, std::optional<bool> valid, std::optional<std::string> path);

 private:
  void MutateMember(const Member& member, const std::string& path, JsonTree* value);
  void MutateTypes(const Member& member, const std::string& path, JsonTree* value);
  void MutateText(const Member& member, const std::string& path, JsonTree* value);
  void MutateTexts(const std::string& path, JsonTree* value);
  void MutateLinks(const Member& member, const std::string& path, JsonTree* value);
  void MutateLinkType(const std::vector<const Object*>& alternatives, const Object& model,
                      const std::string& path, JsonTree* link);
  void RemoveMembers(const Object& model, const std::string& path, JsonTree* object);
  void AddMembers(const Object& model, const std::string& path, JsonTree* object);
  void EmptyObject(const Object& model, const std::string& path, JsonTree* object);
  void MutateVersion(absl::string_view name, JsonTree* context);
  void MutateType(JsonTree* context);
  // One mutant that has `replacement` for `value`.
  void Replace(JsonTree* value, JsonTree replacement, const std::string& path,
               std::optional<bool> valid, std::optional<std::string> fault);
  void ReplaceText(JsonTree* value, absl::string_view text, const std::string& path,
                   std::optional<bool> valid) {
    Replace(value, JsonTree::Text(text), path, valid, path);
  }
  bool custom() const { return form_ != nullptr && form_->type.empty(); }
  // Of a custom event what it declares decides on all rules, so that a change of that has
  // faults elsewhere.
  bool Decides(const std::string& path) const {
    return custom() && (path == "/context/version" || path == "/context/specversion");
  }
  // The rules of links are the same in all events of a release: a few events stand for all.
  bool ChangesWholeLinks() const {
    return custom() || absl::StartsWith(form_->type, "dev.cdevents.build.queued");
  }
  std::string Release() const;

  const Form* const form_;
  JsonTree root_;
  std::vector<Mutant> mutants_;
};

// Within a family's types the release that the event declares decides.
std::string Mutator::Release() const {
  const std::string version = TextOf(root_.Find("context"), "version");
  const std::string specversion = TextOf(root_.Find("context"), "specversion");
  const bool draft = absl::StartsWith(specversion, "0.6");
  if (custom()) return specversion.empty() ? "v0.4.1" : draft ? "0.6.0-draft" : "v0.5.1";
  switch (form_->family) {
    case Family::k040:
    case Family::k041: return version == "0.4.0" ? "v0.4.0" : "v0.4.1";
    case Family::k05: return draft ? "0.6.0-draft" : "v0.5.1";
    case Family::k06: {
      const bool released =
          cdevents::Catalogue::Get().FindForm(form_->message, Family::k05) != nullptr;
      return draft || !released ? "0.6.0-draft" : "v0.5.1";
    }
    default: return SchemasOf(form_->family);
  }
}

void Mutator::Emit(std::string what, std::optional<bool> valid, std::optional<std::string> path) {
  Mutant mutant{std::move(what), root_.ToText(), valid, std::move(path), "", ""};
  if (valid.value_or(false)) mutant.path.reset();
  if (form_ != nullptr) {
    mutant.release = Release();
    const auto& event = cdevents::Catalogue::Get();
    const cdevents::Type* const type = event.FindType(form_->type);
    mutant.schema = custom() ? "custom" : absl::StrCat(type->subject, type->predicate);
  }
  mutants_.push_back(std::move(mutant));
}

void Mutator::Replace(JsonTree* value, JsonTree replacement, const std::string& path,
                      std::optional<bool> valid, std::optional<std::string> fault) {
  std::swap(*value, replacement);
  if (Decides(path)) fault.reset();
  Emit(absl::StrCat(path, ": ", value->ToText()), valid, std::move(fault));
  std::swap(*value, replacement);
}

void Mutator::MutateObject(const Object& model, const std::string& path, JsonTree* object) {
  RemoveMembers(model, path, object);
  AddMembers(model, path, object);
  EmptyObject(model, path, object);
  for (const Member& member : model.members) {
    MutateMember(member, Under(path, member.name), object->Find(member.name));
  }
}

void Mutator::RemoveMembers(const Object& model, const std::string& path, JsonTree* object) {
  for (const Member& member : model.members) {
    const JsonTree saved = *object;
    object->Remove(member.name);
    const std::string at = Under(path, member.name);
    Emit(absl::StrCat(at, " removed"), !member.required,
         Decides(at) ? std::nullopt : std::optional<std::string>(at));
    *object = saved;
  }
}

void Mutator::AddMembers(const Object& model, const std::string& path, JsonTree* object) {
  for (const absl::string_view name : kNames) {
    if (object->Find(name) != nullptr) continue;
    object->Set(name, JsonTree::Text("x"));
    const std::string at = Under(path, name);
    Emit(absl::StrCat(at, " added"), model.open,
         Decides(at) ? std::nullopt : std::optional<std::string>(at));
    object->Remove(name);
  }
}

// Of a context without anything in it not even the release is known.
void Mutator::EmptyObject(const Object& model, const std::string& path, JsonTree* object) {
  std::string fault = path;
  for (const Member& member : model.members) {
    if (!member.required) continue;
    fault = Under(path, member.name);
    break;
  }
  const bool valid = model.required == 0 && !model.one_member;
  Replace(object, JsonTree::Object(), path, valid,
          path == "/context" ? std::nullopt : std::optional<std::string>(fault));
}

void Mutator::MutateMember(const Member& member, const std::string& path, JsonTree* value) {
  MutateTypes(member, path, value);
  switch (member.kind) {
    case Kind::kText:
      if (path != "/context/type" && path != "/context/version" && path != "/context/specversion") {
        MutateText(member, path, value);
      }
      return;
    case Kind::kTexts: return MutateTexts(path, value);
    case Kind::kObject: return MutateObject(*member.object, path, value);
    case Kind::kLinks: return MutateLinks(member, path, value);
    default: return;
  }
}

// Each type of JSON; what of it is valid depends on more than the type only where the
// member is an object of known members.
void Mutator::MutateTypes(const Member& member, const std::string& path, JsonTree* value) {
  for (JsonTree& other : OneOfEachType()) {
    const bool object = other.kind == JsonTree::Kind::kObject;
    const bool array = other.kind == JsonTree::Kind::kArray;
    if (object && member.kind == Kind::kObject) continue;
    if (array && !other.items.empty() && member.kind == Kind::kLinks) continue;
    const bool valid = array ? member.kind == Kind::kTexts || member.kind == Kind::kLinks
                       : object
                           ? member.kind == Kind::kAnyObject || member.kind == Kind::kObjectOrText
                           : false;
    Replace(value, std::move(other), path, valid, path);
  }
  if (member.kind == Kind::kText) return;
  for (const char* const text : {"", "text", "{}"}) {
    ReplaceText(value, text, path, member.kind == Kind::kObjectOrText);
  }
}

void Mutator::MutateText(const Member& member, const std::string& path, JsonTree* value) {
  const bool any = member.values.empty() && member.format == Format::kNone;
  for (const FormatText& row : TextsOf(member.format)) {
    if (row.text.empty()) continue;
    ReplaceText(value, row.text, path, row.valid);
  }
  const bool empty = any || (member.values.empty() && member.format == Format::kUriReference);
  ReplaceText(value, "", path, empty && !member.not_empty);
  if (any) {
    for (const char* const text : {" ", "\u00e9\U0001f600", "\n", "null"}) {
      ReplaceText(value, text, path, true);
    }
  }
  if (member.values.empty()) return;
  std::vector<std::string> texts(std::begin(kValues), std::end(kValues));
  for (const absl::string_view valid : member.values) {
    texts.push_back(std::string(valid));
    texts.push_back(absl::AsciiStrToUpper(valid));
    texts.push_back(absl::AsciiStrToLower(valid));
    texts.push_back(absl::StrCat(valid, " "));
    texts.push_back(absl::StrCat(valid, "s"));
    texts.push_back(std::string(valid.substr(1)));
  }
  for (const std::string& text : texts) {
    ReplaceText(value, text, path, IsOneOf(text, member.values));
  }
}

void Mutator::MutateTexts(const std::string& path, JsonTree* value) {
  for (const char* const valid : {"[]", "[\"\"]", "[\"a\",\"a\",\"\\u0000\"]"}) {
    Replace(value, ParseJsonTree(valid), path, true, path);
  }
  for (const char* const wrong : {"null", "1", "[\"a\"]", "{}", "false"}) {
    JsonTree texts = JsonTree::Array({JsonTree::Text("a"), ParseJsonTree(wrong)});
    Replace(value, std::move(texts), path, false, path + "/1");
  }
}

void Mutator::MutateLinks(const Member& member, const std::string& path, JsonTree* value) {
  for (const char* const wrong : {"null", "1", "\"END\"", "[]", "true"}) {
    JsonTree links = JsonTree::Array({value->items[0], ParseJsonTree(wrong)});
    Replace(value, std::move(links), path, false, path + "/1");
  }
  JsonTree twice = *value;
  twice.items.insert(twice.items.end(), value->items.begin(), value->items.end());
  Replace(value, std::move(twice), path, true, path);
  for (size_t i = 0; i < value->items.size(); ++i) {
    const std::string at = absl::StrCat(path, "/", i);
    const Object& model = *member.alternatives[i];
    if (ChangesWholeLinks()) {
      MutateLink(member.alternatives, model, at, &value->items[i]);
    } else {
      MutateLinkType(member.alternatives, model, at, &value->items[i]);
    }
  }
}

void Mutator::MutateLink(const std::vector<const Object*>& alternatives, const Object& model,
                         const std::string& path, JsonTree* link) {
  RemoveMembers(model, path, link);
  AddMembers(model, path, link);
  Replace(link, JsonTree::Object(), path, false, Under(path, "linkType"));
  for (const Member& member : model.members) {
    JsonTree* const value = link->Find(member.name);
    const std::string at = Under(path, member.name);
    if (member.name == "linkType") {
      MutateTypes(member, at, value);
    } else {
      MutateMember(member, at, value);
    }
  }
  MutateLinkType(alternatives, model, path, link);
}

// A link with the linkType of another kind is one of that kind where it has its members
// and no others.
void Mutator::MutateLinkType(const std::vector<const Object*>& alternatives, const Object& model,
                             const std::string& path, JsonTree* link) {
  JsonTree* const value = link->Find("linkType");
  const std::string at = Under(path, "linkType");
  const auto has = [](const Object& object, const Member& member) {
    return object.Find(member.name) != nullptr;
  };
  std::vector<absl::string_view> kinds;
  for (const Object* const other : alternatives) {
    kinds.push_back(other->Find("linkType")->values.front());
    const bool known = std::all_of(model.members.begin(), model.members.end(),
                                   [&](const Member& member) { return has(*other, member); });
    const bool complete =
        std::all_of(other->members.begin(), other->members.end(),
                    [&](const Member& member) { return !member.required || has(model, member); });
    Replace(value, JsonTree::Text(kinds.back()), at, known && complete, std::nullopt);
  }
  for (const char* const text : {"START", "END", "PATH", "RELATION", "path", "End", "", "LINK"}) {
    if (!IsOneOf(text, kinds)) ReplaceText(value, text, at, false);
  }
}

void Mutator::MutateDeclarations() {
  JsonTree* const context = root_.Find("context");
  MutateVersion(form_->family < Family::k05 ? "version" : "specversion", context);
  MutateType(context);
}

void Mutator::MutateVersion(absl::string_view name, JsonTree* context) {
  const std::string path = Under("/context", name);
  JsonTree* const value = context->Find(name);
  ReplaceText(value, "", path, false);
  for (const char* const text : {"0.3.0", "0.4.0", "0.4.0-draft", "0.4.1", "0.5.0", "0.5.1", "0.6",
                                 "0.6.0-draft", "1.0", "banana", " ", "\u00e9"}) {
    // Free text, except where the rules that it chooses do not know a member.
    const bool stricter = form_->family == Family::k040 && text != std::string("0.4.0");
    // There the rules of the draft are others for a content that is free text until then.
    const bool ask = form_->family == Family::k05 && absl::StartsWith(text, "0.6");
    Replace(value, JsonTree::Text(text), path, ask ? std::nullopt : std::optional<bool>(!stricter),
            stricter ? std::optional<std::string>("/context/chain_id") : std::nullopt);
  }
  const JsonTree saved = *context;
  context->Set(name == "version" ? "specversion" : "version", *value);
  context->Remove(name);
  Emit(path + " by its other name", false, custom() ? std::nullopt : std::optional(path));
  *context = saved;
}

void Mutator::MutateType(JsonTree* context) {
  const std::string path = "/context/type";
  JsonTree* const value = context->Find("type");
  const std::string type = value->text;
  for (const FormatText& row : TextsOf(custom() ? Format::kCustomType : Format::kNone)) {
    ReplaceText(value, row.text, path, row.valid);
  }
  for (const std::string& wrong :
       {std::string(), absl::AsciiStrToUpper(type), type + "-draft", type + ".0", type + " ",
        "x" + type, type.substr(0, type.rfind('.')), std::string("dev.cdevents"),
        absl::StrReplaceAll(type, {{"dev.cdevents", "com.example"}})}) {
    ReplaceText(value, wrong, path, false);
  }
  // The types of the same event in other releases: judged by their rules.
  const auto& catalogue = cdevents::Catalogue::Get();
  for (const cdevents::Type* const other : catalogue.types()) {
    const bool same = std::any_of(other->forms.begin(), other->forms.end(), [&](const Form* form) {
      return form != nullptr && form->message == form_->message;
    });
    if (!same || other->name == type) continue;
    Replace(value, JsonTree::Text(other->name), path, std::nullopt, std::nullopt);
    mutants_.back().release = mutants_.back().schema = "";
  }
}

}  // namespace

std::vector<Mutant> MutantsOf(const Form& form, const JsonTree& event) {
  Mutator mutator(&form, event);
  mutator.Emit("complete", true, std::nullopt);
  mutator.MutateObject(*form.root, "", &mutator.root());
  mutator.MutateDeclarations();
  return mutator.Take();
}

std::vector<Mutant> LinkMutantsOf(const Object& link,
                                  const std::vector<const Object*>& alternatives) {
  Mutator mutator(nullptr, CompleteLink(link));
  mutator.Emit("complete", true, std::nullopt);
  mutator.MutateLink(alternatives, link, "", &mutator.root());
  return mutator.Take();
}

std::string SchemasOf(cdevents::Family family) {
  const absl::string_view release = cdevents::ReleaseOf(family);
  return family == Family::k06 ? std::string(release) : absl::StrCat("v", release);
}

}  // namespace cdgate::test
