#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/base/status_macros.h"
#include "gateway/cdevents/faults.h"
#include "gateway/cdevents/json_numbers.h"
#include "gateway/cdevents/json_text.h"
#include "gateway/cdevents/typed.h"

namespace cdgate::cdevents {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status Fail(absl::string_view path, absl::string_view rule) {
  Faults faults;
  faults.list.push_back({std::string(path), std::string(rule), ""});
  return FaultsError(faults, "message of cdevents.v1");
}

const Message& Sub(const Message& message, const FieldDescriptor* field) {
  return message.GetReflection()->GetMessage(message, field);
}

bool Has(const Message& message, const FieldDescriptor* field) {
  return message.GetReflection()->HasField(message, field);
}

absl::string_view Text(const Message& message, const FieldDescriptor* field, std::string* scratch) {
  return message.GetReflection()->GetStringReference(message, field, scratch);
}

// Writes one event. `path_` is where it is, for errors.
class Writer {
 public:
  Writer(const Form& form, std::string* out) : form_(form), out_(*out) {}

  absl::Status WriteObject(const Message& message, const Object& model, const Message* parent);

 private:
  absl::Status CheckFields(const Message& message, const Object& model) const;
  absl::Status WriteMembers(const Message& message, const Object& model, const Message* parent,
                            bool* first);
  absl::Status WriteValue(const Message& owner, const Member& member);
  absl::Status WriteOthers(const Message& message, const Object& model, bool* first);
  bool IsObject(absl::string_view json);
  absl::Status WriteAnyObject(absl::string_view json);
  absl::Status WriteObjectOrText(const Message& message);
  absl::Status WriteLinks(const Message& message, const Member& member);
  absl::Status WriteLink(const Message& link, const Member& member);
  void WriteTexts(const Message& message);
  void WriteText(const Message& message, const FieldDescriptor* field);
  void Name(absl::string_view name, bool* first);

  const Form& form_;
  std::string& out_;
  std::string path_;
  std::string scratch_;
  simdjson::dom::parser parser_;
};

void Writer::Name(absl::string_view name, bool* first) {
  if (!*first) out_.push_back(',');
  *first = false;
  AppendJsonText(name, &out_);
  out_.push_back(':');
}

void Writer::WriteText(const Message& message, const FieldDescriptor* field) {
  AppendJsonText(Text(message, field, &scratch_), &out_);
}

// Whatever else passed would become members of the objects around it.
bool Writer::IsObject(absl::string_view json) {
  simdjson::dom::element element;
  auto error = parser_.parse(json.data(), json.size()).get(element);
  if (error == simdjson::NUMBER_ERROR) {
    std::string copy(json);
    if (!ReplaceNumbers(&copy)) return false;
    error = parser_.parse(copy).get(element);
  }
  return error == simdjson::SUCCESS && element.is_object();
}

absl::Status Writer::WriteAnyObject(absl::string_view json) {
  if (!IsObject(json)) return Fail(path_, "type object, as JSON");
  absl::StrAppend(&out_, json);
  return absl::OkStatus();
}

absl::Status Writer::WriteObjectOrText(const Message& message) {
  const auto* const descriptor = message.GetDescriptor();
  if (Has(message, descriptor->field(0))) {
    return WriteAnyObject(std::string(Text(message, descriptor->field(0), &scratch_)));
  }
  WriteText(message, descriptor->field(1));
  return absl::OkStatus();
}

void Writer::WriteTexts(const Message& message) {
  const FieldDescriptor* const field = message.GetDescriptor()->field(0);
  const auto* const reflection = message.GetReflection();
  out_.push_back('[');
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    if (i > 0) out_.push_back(',');
    AppendJsonText(reflection->GetRepeatedStringReference(message, field, i, &scratch_), &out_);
  }
  out_.push_back(']');
}

absl::Status Writer::WriteLink(const Message& link, const Member& member) {
  for (size_t i = 0; i < member.alternatives.size(); ++i) {
    const FieldDescriptor* const field = link.GetDescriptor()->field(static_cast<int>(i));
    if (Has(link, field)) return WriteObject(Sub(link, field), *member.alternatives[i], nullptr);
  }
  return Fail(path_, "one of its fields set");
}

absl::Status Writer::WriteLinks(const Message& message, const Member& member) {
  const FieldDescriptor* const field = message.GetDescriptor()->field(0);
  const auto* const reflection = message.GetReflection();
  const size_t size = path_.size();
  out_.push_back('[');
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    if (i > 0) out_.push_back(',');
    absl::StrAppend(&path_, "/", i);
    CDGATE_RETURN_IF_ERROR(WriteLink(reflection->GetRepeatedMessage(message, field, i), member));
    path_.resize(size);
  }
  out_.push_back(']');
  return absl::OkStatus();
}

absl::Status Writer::WriteValue(const Message& owner, const Member& member) {
  switch (member.kind) {
    case Kind::kText: WriteText(owner, member.field); return absl::OkStatus();
    case Kind::kAnyObject: return WriteAnyObject(std::string(Text(owner, member.field, &scratch_)));
    case Kind::kTexts: WriteTexts(Sub(owner, member.field)); return absl::OkStatus();
    case Kind::kObjectOrText: return WriteObjectOrText(Sub(owner, member.field));
    case Kind::kLinks: return WriteLinks(Sub(owner, member.field), member);
    case Kind::kObject: return WriteObject(Sub(owner, member.field), *member.object, &owner);
  }
  return absl::OkStatus();
}

// Fields that this family does not have must not be lost. In an open object they are
// members like any others.
absl::Status Writer::CheckFields(const Message& message, const Object& model) const {
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const FieldDescriptor* const field : set) {
    const bool known = std::any_of(model.members.begin(), model.members.end(),
                                   [&](const Member& member) { return member.field == field; });
    const bool elsewhere = model.open || (&model == form_.root && field->name() == "content");
    if (!known && !elsewhere) {
      return Fail(absl::StrCat(path_, "/", field->json_name()),
                  absl::StrCat("not in release ", ReleaseOf(form_.family)));
    }
  }
  return absl::OkStatus();
}

absl::Status Writer::WriteMembers(const Message& message, const Object& model,
                                  const Message* parent, bool* first) {
  const size_t size = path_.size();
  for (const Member& member : model.members) {
    const Message& owner = member.of_parent ? *parent : message;
    if (!Has(owner, member.field)) {
      // What has one value only need not be set: the message says it.
      if (!member.required || member.values.size() != 1) continue;
      Name(member.name, first);
      AppendJsonText(member.values.front(), &out_);
      continue;
    }
    Name(member.name, first);
    absl::StrAppend(&path_, "/", member.name);
    CDGATE_RETURN_IF_ERROR(WriteValue(owner, member));
    path_.resize(size);
  }
  return absl::OkStatus();
}

absl::Status Writer::WriteOthers(const Message& message, const Object& model, bool* first) {
  const auto* const descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* const field = descriptor->field(i);
    const bool known = field == model.others ||
                       std::any_of(model.members.begin(), model.members.end(),
                                   [&](const Member& member) { return member.field == field; });
    if (known || !Has(message, field)) continue;
    Name(field->json_name(), first);
    WriteText(message, field);
  }
  if (!Has(message, model.others)) return absl::OkStatus();
  const size_t at = out_.size();
  CDGATE_RETURN_IF_ERROR(WriteAnyObject(std::string(Text(message, model.others, &scratch_))));
  // The members without their braces.
  std::string members = out_.substr(at);
  out_.resize(at);
  const size_t open = members.find('{') + 1;
  members = members.substr(open, members.rfind('}') - open);
  if (std::all_of(members.begin(), members.end(), IsJsonSpace)) return absl::OkStatus();
  if (!*first) out_.push_back(',');
  *first = false;
  absl::StrAppend(&out_, members);
  return absl::OkStatus();
}

absl::Status Writer::WriteObject(const Message& message, const Object& model,
                                 const Message* parent) {
  CDGATE_RETURN_IF_ERROR(CheckFields(message, model));
  bool first = true;
  out_.push_back('{');
  CDGATE_RETURN_IF_ERROR(WriteMembers(message, model, parent, &first));
  if (model.open) CDGATE_RETURN_IF_ERROR(WriteOthers(message, model, &first));
  out_.push_back('}');
  return absl::OkStatus();
}

std::string ContextText(const Message& event, const char* name) {
  const FieldDescriptor* const context = event.GetDescriptor()->FindFieldByName("context");
  if (context == nullptr || context->message_type() == nullptr) return "";
  const Message& sub = Sub(event, context);
  const FieldDescriptor* const field = sub.GetDescriptor()->FindFieldByName(name);
  return field == nullptr ? "" : sub.GetReflection()->GetString(sub, field);
}

}  // namespace

absl::StatusOr<Family> FamilyOf(const Message& event) {
  const std::string version = ContextText(event, "version");
  const std::string specversion = ContextText(event, "specversion");
  if (version.empty() == specversion.empty()) {
    return Fail(specversion.empty() ? "/context/specversion" : "/context/version",
                "either version or specversion");
  }
  Family family = absl::StartsWith(specversion, "0.6") ? Family::k06 : Family::k05;
  if (!version.empty()) {
    family = absl::StartsWith(version, "0.3") ? Family::k03
             : version == "0.4.0"             ? Family::k040
                                              : Family::k041;
  }
  const Catalogue& catalogue = Catalogue::Get();
  // What is declared is free text; where the type says more, it decides.
  if (const Type* const type = catalogue.FindType(ContextText(event, "type"))) {
    const Form& form = type->FormOf(version, specversion);
    if (form.message == event.GetDescriptor()) return form.family;
  }
  if (catalogue.FindForm(event.GetDescriptor(), family) != nullptr) return family;
  if (catalogue.FindForm(event.GetDescriptor(), Family::k06) != nullptr && family == Family::k05) {
    return Family::k06;
  }
  return Fail("/context/specversion",
              absl::StrCat("a release that has ", event.GetDescriptor()->name()));
}

absl::StatusOr<std::string> WriteJson(const Message& event, Family family) {
  const Form* const form = Catalogue::Get().FindForm(event.GetDescriptor(), family);
  if (form == nullptr) {
    return Fail("", absl::StrCat("in release ", ReleaseOf(family), " there is no ",
                                 event.GetDescriptor()->name()));
  }
  std::string json;
  json.reserve(event.ByteSizeLong() * 2);
  CDGATE_RETURN_IF_ERROR(Writer(*form, &json).WriteObject(event, *form->root, nullptr));
  return json;
}

}  // namespace cdgate::cdevents
