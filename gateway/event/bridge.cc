#include "gateway/event/bridge.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cdevents/validator.h"

namespace cdgate::event {
namespace {

using cdevents::Family;
using cdevents::Form;
using cdevents::Kind;
using cdevents::Member;
using cdevents::Object;
using cdevents::ReleaseOf;
using cdevents::RenamedValue;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status NotConvertible(absl::string_view type, Family to, absl::string_view why) {
  return base::MakeError(
      base::Reason::kNotConvertible,
      absl::StrCat(base::Shorten(type), " cannot be converted to ", ReleaseOf(to), ": ", why),
      {{"type", base::Shorten(type)}, {"release", std::string(ReleaseOf(to))}});
}

Message* Mutable(Message* message, const char* name) {
  const FieldDescriptor* const field = message->GetDescriptor()->FindFieldByName(name);
  return message->GetReflection()->MutableMessage(message, field);
}

void Clear(Message* message, const char* name) {
  const FieldDescriptor* const field = message->GetDescriptor()->FindFieldByName(name);
  message->GetReflection()->ClearField(message, field);
}

void Set(Message* message, const char* name, absl::string_view value) {
  const FieldDescriptor* const field = message->GetDescriptor()->FindFieldByName(name);
  message->GetReflection()->SetString(message, field, std::string(value));
}

// The text of a field that is set; none otherwise.
std::optional<std::string> Take(Message* message, const char* name) {
  const FieldDescriptor* const field = message->GetDescriptor()->FindFieldByName(name);
  if (!message->GetReflection()->HasField(*message, field)) return std::nullopt;
  std::string value = message->GetReflection()->GetString(*message, field);
  message->GetReflection()->ClearField(message, field);
  return value;
}

// What the context says of the release.
void ConvertContext(const Form& to, Message* context) {
  Clear(context, "version");
  Clear(context, "specversion");
  Set(context, to.family >= Family::k05 ? "specversion" : "version", ReleaseOf(to.family));
  if (!to.type.empty()) Set(context, "type", to.type);
  if (const auto chain = Take(context, "snake_chain_id")) Set(context, "chain_id", *chain);
}

void ConvertSubject(const Form& to, absl::string_view custom_subject, Message* subject) {
  Clear(subject, "type");
  // That of other events is in the message itself.
  if (to.type.empty() && to.family < Family::k05) Set(subject, "type", custom_subject);
}

absl::string_view Renamed(const RenamedValue& value, Family from, Family to,
                          absl::string_view text) {
  if (from < value.since && value.since <= to && text == value.before) return value.after;
  if (to < value.since && value.since <= from && text == value.after) return value.before;
  return text;
}

void RenameValues(const Object& model, Family from, Family to, Message* message) {
  const auto* const reflection = message->GetReflection();
  for (const Member& member : model.members) {
    if (member.of_parent || !reflection->HasField(*message, member.field)) continue;
    if (member.kind == Kind::kObject) {
      RenameValues(*member.object, from, to, reflection->MutableMessage(message, member.field));
    }
    for (const RenamedValue& value : member.renamed_values) {
      const std::string text = reflection->GetString(*message, member.field);
      const absl::string_view renamed = Renamed(value, from, to, text);
      if (renamed == text) continue;
      reflection->SetString(message, member.field, std::string(renamed));
      break;
    }
  }
}

// The content is a field beside the subject, whose object it is in.
void RenameContent(const Form& from, Family to, Message* event) {
  const Member& content = *from.root->Find("subject")->object->Find("content");
  if (content.kind != Kind::kObject) return;
  RenameValues(*content.object, from.family, to, Mutable(event, "content"));
}

std::unique_ptr<Message> NewMessage(const Form& form) {
  const auto* const factory = google::protobuf::MessageFactory::generated_factory();
  return std::unique_ptr<Message>(
      const_cast<google::protobuf::MessageFactory*>(factory)->GetPrototype(form.message)->New());
}

}  // namespace

absl::StatusOr<Family> ParseConvertTo(absl::string_view release, absl::string_view field) {
  if (release == "0.4.1") return Family::k041;
  if (release == "0.5.1") return Family::k05;
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat(field, ": events are converted to 0.4.1 or 0.5.1, not to \"",
                                      base::Shorten(release), "\""),
                         {{"field", std::string(field)}});
}

absl::StatusOr<std::optional<Converted>> Bridge::Convert(absl::string_view json, Family to) {
  CDGATE_RETURN_IF_ERROR(parser_.ParseAdmitted(json).status());
  cdevents::Envelope envelope;
  const cdevents::Verdict verdict = cdevents::Judge(parser_.document(), &envelope);
  if (verdict == cdevents::Verdict::kUnknownType) {
    return NotConvertible(envelope.type, to, "no release that is known has the type");
  }
  if (verdict == cdevents::Verdict::kInvalid) {
    return NotConvertible(envelope.type, to,
                          cdevents::ToText(cdevents::FindFaults(parser_.document()).list.front()));
  }
  if (envelope.form->family == to) return std::nullopt;
  const std::string type(envelope.type);  // the document goes
  CDGATE_ASSIGN_OR_RETURN(Converted converted, ConvertFrom(*envelope.form, type, json, to));
  return converted;
}

absl::StatusOr<Converted> Bridge::ConvertFrom(const Form& from, absl::string_view type,
                                              absl::string_view json, Family to) {
  const Form* const form = cdevents::Catalogue::Get().FindForm(from.message, to);
  if (form == nullptr) return NotConvertible(type, to, "that release has no such event");
  const std::unique_ptr<Message> event = NewMessage(from);
  CDGATE_RETURN_IF_ERROR(reader_.Read(json, from, event.get()));
  ConvertContext(*form, Mutable(event.get(), "context"));
  ConvertSubject(*form, cdevents::CustomSubjectOf(type), Mutable(event.get(), "subject"));
  RenameContent(from, to, event.get());
  absl::StatusOr<std::string> written = cdevents::WriteJson(*event, to);
  if (!written.ok()) return NotConvertible(type, to, written.status().message());
  Converted converted{*std::move(written), std::string(form->type.empty() ? type : form->type)};
  const absl::Status judged = Judge(converted, *form);
  if (!judged.ok()) return NotConvertible(type, to, judged.message());
  return converted;
}

absl::Status Bridge::Judge(const Converted& converted, const Form& to) {
  CDGATE_RETURN_IF_ERROR(parser_.ParseIJson(converted.json).status());
  const cdevents::Faults faults = cdevents::FindFaults(parser_.document());
  if (faults.list.empty()) return absl::OkStatus();
  return cdevents::FaultsError(faults,
                               absl::StrCat(converted.type, " of release ", ReleaseOf(to.family)));
}

}  // namespace cdgate::event
