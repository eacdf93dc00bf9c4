#include "gateway/cdevents/catalogue_builder.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cdevents/v1/event.pb.h"
#include "cdevents/v1/links.pb.h"

namespace cdgate::cdevents {
namespace {

namespace v1 = ::cdevents::v1;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

size_t Index(Family family) { return static_cast<size_t>(family); }
Family FromProto(v1::Family family) { return static_cast<Family>(family); }

bool Covers(const v1::FieldRule& rule, Family family) {
  const bool begun = rule.since() == 0 || FromProto(rule.since()) <= family;
  return begun && (rule.until() == 0 || family <= FromProto(rule.until()));
}

// The rule for the field in this family; null where the field is not in it.
const v1::FieldRule* RuleOf(const FieldDescriptor* field, Family family) {
  const auto& options = field->options();
  if (options.ExtensionSize(v1::rule) == 0) return &v1::FieldRule::default_instance();
  for (int i = 0; i < options.ExtensionSize(v1::rule); ++i) {
    const v1::FieldRule& rule = options.GetExtension(v1::rule, i);
    if (Covers(rule, family)) return &rule;
  }
  return nullptr;
}

v1::JsonForm JsonFormOf(const Descriptor* message) {
  return message->options().GetExtension(v1::json_form);
}

Member ToMember(const FieldDescriptor* field, const v1::FieldRule& rule) {
  Member member;
  member.field = field;
  member.name = rule.name().empty() ? field->json_name() : rule.name();
  member.required = rule.required();
  member.not_empty = rule.not_empty();
  member.format = static_cast<Format>(rule.format());
  member.of_parent = field->options().GetExtension(v1::of_subject);
  member.values.assign(rule.value().begin(), rule.value().end());
  member.known_values.assign(rule.known_value().begin(), rule.known_value().end());
  for (int i = 0; i < field->options().ExtensionSize(v1::renamed_value); ++i) {
    const v1::RenamedValue& value = field->options().GetExtension(v1::renamed_value, i);
    member.renamed_values.push_back({FromProto(value.since()), value.before(), value.after()});
  }
  return member;
}

Member* FindMember(Object* object, absl::string_view name) {
  return const_cast<Member*>(object->Find(name));
}

void CountRequired(Object* object) {
  object->required = 0;
  for (size_t i = 0; i < object->members.size(); ++i) {
    if (object->members[i].required) object->required |= uint32_t{1} << i;
  }
}

// The families whose rules events of a type may be judged by.
std::vector<Family> FamiliesOf(Family first, bool custom) {
  if (custom) return {Family::k041, Family::k05, Family::k06};
  if (first == Family::k041) return {Family::k040, Family::k041};
  if (first == Family::k05) return {Family::k05, Family::k06};
  return {first};
}

std::vector<absl::string_view> ReleasesOf(Family first) {
  switch (first) {
    case Family::k03: return {"0.3.0"};
    case Family::k041: return {"0.4.0", "0.4.1"};
    case Family::k05: return {"0.5.0", "0.5.1", "0.6.0-draft"};
    default: return {ReleaseOf(first)};
  }
}

}  // namespace

const Catalogue* CatalogueBuilder::Build() {
  CatalogueBuilder builder;
  Catalogue* const catalogue = new Catalogue();  // lives as long as the process
  builder.out_ = catalogue;
  const Descriptor* const any = v1::CdEvent::descriptor();
  for (int i = 0; i < any->field_count(); ++i) builder.AddEvent(any->field(i)->message_type());
  for (const Family family : {Family::k041, Family::k05, Family::k06}) builder.AddLinks(family);
  std::sort(catalogue->types_.begin(), catalogue->types_.end(),
            [](const Type* a, const Type* b) { return a->name < b->name; });
  return catalogue;
}

void CatalogueBuilder::AddEvent(const Descriptor* message) {
  const v1::Event& event = message->options().GetExtension(v1::event);
  for (const v1::TypeVersion& version : event.version()) AddType(message, version);
}

void CatalogueBuilder::AddType(const Descriptor* message, const v1::TypeVersion& version) {
  const v1::Event& event = message->options().GetExtension(v1::event);
  const bool custom = event.subject().empty();
  out_->owned_types_.push_back(std::make_unique<Type>());
  Type& type = *out_->owned_types_.back();
  const Family first = FromProto(version.family());
  type.subject = event.subject();
  type.predicate = event.predicate();
  type.description = event.description();
  if (!custom) {
    type.name = absl::StrCat("dev.cdevents.", event.subject(), ".", event.predicate(), ".",
                             version.number());
  }
  for (const Family family : FamiliesOf(first, custom)) {
    type.forms[Index(family)] = AddForm(message, family, type.name);
  }
  type.releases = custom ? std::vector<absl::string_view>{"0.4.1", "0.5.0", "0.5.1", "0.6.0-draft"}
                         : ReleasesOf(first);
  if (custom) {
    out_->custom_ = &type;
  } else {
    out_->types_.push_back(&type);
    out_->by_name_[type.name] = &type;
  }
}

const Form* CatalogueBuilder::AddForm(const Descriptor* message, Family family,
                                      absl::string_view type) {
  const v1::Event& event = message->options().GetExtension(v1::event);
  out_->forms_.push_back(std::make_unique<Form>());
  Form& form = *out_->forms_.back();
  form.message = message;
  form.family = family;
  form.type = type;
  form.subject_type = event.subject_type();
  Object* const root = NewObject(message, family);
  for (Member& member : root->members) {
    if (member.name != "context" && member.name != "subject") continue;
    Object* const own = NewObject(member.field->message_type(), family);
    member.object = own;
    if (member.name == "context") AdaptContext(form, event, own);
    if (member.name == "subject") AdaptSubject(form, event, own);
  }
  // In JSON the content is within the subject.
  const auto content = std::find_if(root->members.begin(), root->members.end(),
                                    [](const Member& member) { return member.of_parent; });
  Object* const subject = const_cast<Object*>(root->Find("subject")->object);
  subject->members.push_back(std::move(*content));
  root->members.erase(content);
  CountRequired(subject);
  CountRequired(root);
  form.root = root;
  out_->by_message_[message][Index(family)] = &form;
  return &form;
}

void CatalogueBuilder::AdaptContext(const Form& form, const v1::Event& event, Object* context) {
  Member* const type = FindMember(context, "type");
  if (form.type.empty()) {
    type->format = Format::kCustomType;
  } else {
    type->values = {form.type};
  }
  if (event.loose_source()) FindMember(context, "source")->format = Format::kNone;
  CountRequired(context);
}

void CatalogueBuilder::AdaptSubject(const Form& form, const v1::Event& event, Object* subject) {
  if (event.loose_source()) {
    Member* const source = FindMember(subject, "source");
    source->format = Format::kNone;
    source->not_empty = false;
  }
  Member* type = FindMember(subject, "type");
  if (type == nullptr && event.keeps_subject_type()) {
    const FieldDescriptor* const field = subject->message->FindFieldByName("type");
    subject->members.push_back(ToMember(field, v1::FieldRule::default_instance()));
    type = &subject->members.back();
  }
  if (type == nullptr) return;
  if (form.type.empty()) {
    type->format = Format::kCustomSubject;
  } else {
    type->values = {form.subject_type};
  }
}

void CatalogueBuilder::AddLinks(Family family) {
  const Descriptor* const link = v1::Link::descriptor();
  for (int i = 0; i < link->field_count(); ++i) {
    out_->links_[Index(family)].push_back(Shared(link->field(i)->message_type(), family));
  }
}

const Object* CatalogueBuilder::Shared(const Descriptor* message, Family family) {
  const auto it = shared_.find({message, family});
  if (it != shared_.end()) return it->second;
  const Object* const object = NewObject(message, family);
  shared_[{message, family}] = object;
  return object;
}

Object* CatalogueBuilder::NewObject(const Descriptor* message, Family family) {
  out_->objects_.push_back(std::make_unique<Object>());
  Object* const object = out_->objects_.back().get();
  object->message = message;
  const auto one = FromProto(message->options().GetExtension(v1::one_member_since));
  object->one_member = one != Family::kNone && one <= family;
  AddMembers(message, family, object);
  CountRequired(object);
  return object;
}

void CatalogueBuilder::AddMembers(const Descriptor* message, Family family, Object* object) {
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* const field = message->field(i);
    if (field->options().GetExtension(v1::holds_others)) {
      object->others = field;
      object->open = true;
      continue;
    }
    const v1::FieldRule* const rule = RuleOf(field, family);
    if (rule == nullptr) continue;
    Member member = ToMember(field, *rule);
    SetKind(field, family, &member);
    object->members.push_back(std::move(member));
  }
}

void CatalogueBuilder::SetKind(const FieldDescriptor* field, Family family, Member* member) {
  if (field->type() == FieldDescriptor::TYPE_BYTES) {
    member->kind = Kind::kAnyObject;
    return;
  }
  const Descriptor* const message = field->message_type();
  if (message == nullptr) return;
  if (JsonFormOf(message) == v1::JSON_FORM_OBJECT_OR_TEXT) {
    member->kind = Kind::kObjectOrText;
  } else if (JsonFormOf(message) != v1::JSON_FORM_ARRAY) {
    member->kind = Kind::kObject;
    member->object = Shared(message, family);
  } else if (const Descriptor* const element = message->field(0)->message_type()) {
    member->kind = Kind::kLinks;
    for (int i = 0; i < element->field_count(); ++i) {
      member->alternatives.push_back(Shared(element->field(i)->message_type(), family));
    }
  } else {
    member->kind = Kind::kTexts;
  }
}

}  // namespace cdgate::cdevents
