#include "gateway/event/typed_data.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cdevents/typed.h"

namespace cdgate::event {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr absl::string_view kPackage = "cdevents.v1.";
constexpr absl::string_view kAnyEvent = "cdevents.v1.CdEvent";

absl::Status Unsupported(absl::string_view what) {
  return base::MakeError(base::Reason::kUnsupportedData,
                         absl::StrCat("proto_data ", what,
                                      ", expected an event of cdevents.v1, or a CDEvent's JSON in "
                                      "binary_data or text_data"));
}

// "cdevents.v1.BuildQueued" of "type.googleapis.com/cdevents.v1.BuildQueued".
std::string NameOf(const google::protobuf::Any& any) {
  return any.type_url().substr(any.type_url().rfind('/') + 1);
}

// The one event that a CdEvent has; the message itself otherwise.
const Message* EventIn(const Message& message) {
  if (message.GetDescriptor()->full_name() != kAnyEvent) return &message;
  const FieldDescriptor* const set = message.GetReflection()->GetOneofFieldDescriptor(
      message, message.GetDescriptor()->oneof_decl(0));
  return set == nullptr ? nullptr : &message.GetReflection()->GetMessage(message, set);
}

bool HasUnknownFields(const Message& message) {
  const auto* const reflection = message.GetReflection();
  if (!reflection->GetUnknownFields(message).empty()) return true;
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(message, &set);
  for (const FieldDescriptor* const field : set) {
    if (field->message_type() == nullptr) continue;
    const int size = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (HasUnknownFields(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                : reflection->GetMessage(message, field))) {
        return true;
      }
    }
  }
  return false;
}

absl::StatusOr<std::unique_ptr<Message>> Unpack(const google::protobuf::Any& any) {
  const std::string name = NameOf(any);
  const Descriptor* const descriptor =
      absl::StartsWith(name, kPackage)
          ? google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name)
          : nullptr;
  const bool event = descriptor != nullptr &&
                     (descriptor->FindFieldByName("context") != nullptr || name == kAnyEvent);
  if (!event) return Unsupported(absl::StrCat("holds \"", base::Shorten(name), "\""));
  std::unique_ptr<Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
  if (!message->ParseFromString(any.value())) {
    return Unsupported(absl::StrCat("is no ", name));
  }
  if (HasUnknownFields(*message)) {
    return Unsupported(absl::StrCat("has fields that ", name, " does not have here"));
  }
  return message;
}

}  // namespace

absl::StatusOr<std::string> JsonOfTypedData(absl::string_view bytes) {
  google::protobuf::Any any;
  if (!any.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Unsupported("is no google.protobuf.Any");
  }
  CDGATE_ASSIGN_OR_RETURN(const std::unique_ptr<Message> message, Unpack(any));
  const Message* const event = EventIn(*message);
  if (event == nullptr) return Unsupported("is a CdEvent without an event");
  CDGATE_ASSIGN_OR_RETURN(const cdevents::Family family, cdevents::FamilyOf(*event));
  return cdevents::WriteJson(*event, family);
}

}  // namespace cdgate::event
