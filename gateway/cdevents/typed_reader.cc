#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cdevents/json_text.h"
#include "gateway/cdevents/typed.h"

namespace cdgate::cdevents {
namespace {

namespace od = simdjson::ondemand;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status NotSuchAnEvent(absl::string_view what) {
  return base::MakeError(
      base::Reason::kInvalidEvent,
      absl::StrCat("the event is not what it was judged to be: ", what, "; validate it first"));
}

absl::Status ToStatus(simdjson::error_code error) {
  if (error == simdjson::SUCCESS) return absl::OkStatus();
  const char* const message = simdjson::error_message(error);
  const bool other_type = error == simdjson::INCORRECT_TYPE || error == simdjson::NO_SUCH_FIELD;
  if (other_type) return NotSuchAnEvent(message);
  return base::MakeError(base::Reason::kInvalidJson,
                         absl::StrCat("the data is not JSON: ", message));
}

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

// A text as it stands in the JSON, decoded.
absl::Status TakeText(od::value value, std::string* out) {
  std::string_view text;
  CDGATE_RETURN_IF_ERROR(ToStatus(value.get_string().get(text)));
  out->assign(text);
  return absl::OkStatus();
}

// A value as it stands in the JSON.
absl::Status TakeRaw(od::value value, std::string_view* raw) {
  od::json_type type;
  CDGATE_RETURN_IF_ERROR(ToStatus(value.type().get(type)));
  if (type == od::json_type::object) {
    od::object object;
    CDGATE_RETURN_IF_ERROR(ToStatus(value.get_object().get(object)));
    return ToStatus(object.raw_json().get(*raw));
  }
  if (type == od::json_type::array) {
    od::array array;
    CDGATE_RETURN_IF_ERROR(ToStatus(value.get_array().get(array)));
    return ToStatus(array.raw_json().get(*raw));
  }
  *raw = value.raw_json_token();
  while (!raw->empty() && IsJsonSpace(raw->back())) raw->remove_suffix(1);
  return absl::OkStatus();
}

absl::Status TakeObject(od::value value, std::string* out) {
  od::object object;
  CDGATE_RETURN_IF_ERROR(ToStatus(value.get_object().get(object)));
  std::string_view raw;
  CDGATE_RETURN_IF_ERROR(ToStatus(object.raw_json().get(raw)));
  out->assign(raw);
  return absl::OkStatus();
}

absl::Status ReadObject(od::object object, const Object& model, Message* message, Message* parent);

Message* Mutable(Message* message, const FieldDescriptor* field) {
  return message->GetReflection()->MutableMessage(message, field);
}

absl::Status SetText(od::value value, Message* message, const FieldDescriptor* field) {
  std::string text;
  CDGATE_RETURN_IF_ERROR(TakeText(value, &text));
  message->GetReflection()->SetString(message, field, std::move(text));
  return absl::OkStatus();
}

absl::Status SetAnyObject(od::value value, Message* message, const FieldDescriptor* field) {
  std::string raw;
  CDGATE_RETURN_IF_ERROR(TakeObject(value, &raw));
  message->GetReflection()->SetString(message, field, std::move(raw));
  return absl::OkStatus();
}

absl::Status SetObjectOrText(od::value value, Message* message) {
  od::json_type type;
  CDGATE_RETURN_IF_ERROR(ToStatus(value.type().get(type)));
  const auto* const descriptor = message->GetDescriptor();
  return type == od::json_type::object ? SetAnyObject(value, message, descriptor->field(0))
                                       : SetText(value, message, descriptor->field(1));
}

absl::Status AddTexts(od::value value, Message* message) {
  const FieldDescriptor* const field = message->GetDescriptor()->field(0);
  od::array array;
  CDGATE_RETURN_IF_ERROR(ToStatus(value.get_array().get(array)));
  for (auto element : array) {
    od::value item;
    CDGATE_RETURN_IF_ERROR(ToStatus(element.get(item)));
    std::string text;
    CDGATE_RETURN_IF_ERROR(TakeText(item, &text));
    message->GetReflection()->AddString(message, field, std::move(text));
  }
  return absl::OkStatus();
}

// True for a name that is `name`, escapes decoded. The library's own search compares what is
// written, and a name that was decoded cannot be decoded again: only those with escapes are,
// whose two copies its buffer has room for.
absl::StatusOr<bool> HasName(od::field field, std::string_view name) {
  const char* const raw = field.key().raw();
  const char* end = raw;
  while (*end != '"' && *end != '\\') ++end;
  if (*end == '"') return std::string_view(raw, end - raw) == name;
  std::string_view key;
  CDGATE_RETURN_IF_ERROR(ToStatus(field.unescaped_key().get(key)));
  return key == name;
}

// The object has to be reset afterwards.
absl::Status FindLinkType(od::object object, std::string_view* type) {
  for (auto member : object) {
    od::field field;
    CDGATE_RETURN_IF_ERROR(ToStatus(std::move(member).get(field)));
    CDGATE_ASSIGN_OR_RETURN(const bool found, HasName(field, "linkType"));
    if (found) return ToStatus(field.value().get_string().get(*type));
  }
  return NotSuchAnEvent("a link without linkType");
}

// A link becomes the field of the message whose linkType it has.
absl::Status ReadLink(od::value value, const Member& member, Message* link) {
  od::object object;
  CDGATE_RETURN_IF_ERROR(ToStatus(value.get_object().get(object)));
  std::string_view type;
  CDGATE_RETURN_IF_ERROR(FindLinkType(object, &type));
  const Object* chosen = nullptr;
  int index = 0;
  for (const Object* const alternative : member.alternatives) {
    if (alternative->Find("linkType")->values.front() == ToAbsl(type)) {
      chosen = alternative;
      break;
    }
    ++index;
  }
  if (chosen == nullptr) return NotSuchAnEvent("a link of no known linkType");
  CDGATE_RETURN_IF_ERROR(ToStatus(object.reset().error()));
  return ReadObject(object, *chosen, Mutable(link, link->GetDescriptor()->field(index)), nullptr);
}

absl::Status AddLinks(od::value value, const Member& member, Message* message) {
  const FieldDescriptor* const field = message->GetDescriptor()->field(0);
  od::array array;
  CDGATE_RETURN_IF_ERROR(ToStatus(value.get_array().get(array)));
  for (auto element : array) {
    od::value item;
    CDGATE_RETURN_IF_ERROR(ToStatus(element.get(item)));
    Message* const link = message->GetReflection()->AddMessage(message, field);
    CDGATE_RETURN_IF_ERROR(ReadLink(item, member, link));
  }
  return absl::OkStatus();
}

absl::Status ReadMember(od::value value, const Member& member, Message* message, Message* parent) {
  Message* const owner = member.of_parent ? parent : message;
  switch (member.kind) {
    case Kind::kText: return SetText(value, owner, member.field);
    case Kind::kAnyObject: return SetAnyObject(value, owner, member.field);
    case Kind::kTexts: return AddTexts(value, Mutable(owner, member.field));
    case Kind::kObjectOrText: return SetObjectOrText(value, Mutable(owner, member.field));
    case Kind::kLinks: return AddLinks(value, member, Mutable(owner, member.field));
    case Kind::kObject: break;
  }
  od::object object;
  CDGATE_RETURN_IF_ERROR(ToStatus(value.get_object().get(object)));
  return ReadObject(object, *member.object, Mutable(owner, member.field), owner);
}

absl::Status AddOther(absl::string_view name, od::value value, std::string* others) {
  std::string_view raw;
  CDGATE_RETURN_IF_ERROR(TakeRaw(value, &raw));
  others->append(others->empty() ? "{" : ",");
  AppendJsonText(name, others);
  absl::StrAppend(others, ":", ToAbsl(raw));
  return absl::OkStatus();
}

absl::Status ReadObject(od::object object, const Object& model, Message* message, Message* parent) {
  std::string others;
  size_t hint = 0;
  for (auto field : object) {
    std::string_view key;
    CDGATE_RETURN_IF_ERROR(ToStatus(field.unescaped_key().get(key)));
    od::value value;
    CDGATE_RETURN_IF_ERROR(ToStatus(field.value().get(value)));
    const absl::string_view name = ToAbsl(key);
    if (const Member* const member = model.Find(name, hint)) {
      hint = member - model.members.data() + 1;
      CDGATE_RETURN_IF_ERROR(ReadMember(value, *member, message, parent));
    } else if (model.open) {
      CDGATE_RETURN_IF_ERROR(AddOther(std::string(name), value, &others));
    } else {
      return NotSuchAnEvent(absl::StrCat("it has a member ", base::Shorten(name)));
    }
  }
  if (others.empty()) return absl::OkStatus();
  others.push_back('}');
  message->GetReflection()->SetString(message, model.others, std::move(others));
  return absl::OkStatus();
}

}  // namespace

absl::Status TypedReader::Read(absl::string_view json, const Form& form, Message* message) {
  message->Clear();
  padded_.assign(json.data(), json.size());
  padded_.append(simdjson::SIMDJSON_PADDING, ' ');
  od::document document;
  CDGATE_RETURN_IF_ERROR(
      ToStatus(parser_.iterate(padded_.data(), json.size(), padded_.size()).get(document)));
  od::object root;
  CDGATE_RETURN_IF_ERROR(ToStatus(document.get_object().get(root)));
  return ReadObject(root, *form.root, message, nullptr);
}

}  // namespace cdgate::cdevents
