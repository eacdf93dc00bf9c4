// A valid event is equal as JSON after its typed form; what is no event is refused by the
// reader, whatever form it is taken for; and any message gives JSON or an error. Bytes that
// have to be an object never become members of what is around them.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "cdevents/v1/custom.pb.h"
#include "cdevents/v1/event.pb.h"
#include "gateway/base/errors.h"
#include "gateway/cdevents/typed.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/digests.h"
#include "gateway/event/json_parser.h"

namespace {

using cdgate::cdevents::Catalogue;
using cdgate::cdevents::Family;
using cdgate::cdevents::Form;
using google::protobuf::Message;

void Check(bool condition) {
  if (!condition) abort();
}

std::unique_ptr<Message> NewMessage(const Form& form) {
  auto* const factory = google::protobuf::MessageFactory::generated_factory();
  return std::unique_ptr<Message>(factory->GetPrototype(form.message)->New());
}

const std::vector<const Form*>& AllForms() {
  static const auto* const forms = [] {
    auto* const all = new std::vector<const Form*>;
    const auto add = [all](const cdgate::cdevents::Type& type) {
      for (const Form* const form : type.forms) {
        if (form != nullptr) all->push_back(form);
      }
    };
    for (const auto* const type : Catalogue::Get().types()) add(*type);
    add(Catalogue::Get().custom());
    return all;
  }();
  return *forms;
}

cdgate::cdevents::TypedReader& Reader() {
  static cdgate::cdevents::TypedReader reader;  // reused, as a worker does
  return reader;
}

void CheckValid(absl::string_view json) {
  static cdgate::event::JsonParser parser;
  cdgate::cdevents::Envelope envelope;
  if (!parser.ParseIJson(json).ok()) return;
  if (cdgate::cdevents::Judge(parser.document(), &envelope) != cdgate::cdevents::Verdict::kValid) {
    return;
  }
  const Form& form = *envelope.form;
  const auto message = NewMessage(form);
  Check(Reader().Read(json, form, message.get()).ok());
  Check(*cdgate::cdevents::FamilyOf(*message) == form.family);
  const auto written = cdgate::cdevents::WriteJson(*message, form.family);
  Check(written.ok());
  Check(*cdgate::event::CanonicalJsonDigest(*written) == *cdgate::event::CanonicalJsonDigest(json));
}

// As a form that the bytes themselves choose: all of them take too long.
void CheckAsAnyForm(absl::string_view bytes) {
  const size_t chosen = bytes.empty() ? 0 : static_cast<unsigned char>(bytes.back());
  const Form& form = *AllForms()[(chosen + bytes.size()) % AllForms().size()];
  const auto message = NewMessage(form);
  const absl::Status read = Reader().Read(bytes, form, message.get());
  Check(read.ok() || cdgate::base::ReasonOf(read).has_value());
}

void CheckWrites(const Message& event, Family family) {
  const auto written = cdgate::cdevents::WriteJson(event, family);
  if (!written.ok()) {
    Check(cdgate::base::ReasonOf(written.status()).has_value());
    return;
  }
  static cdgate::event::JsonParser parser;
  const auto parsed = parser.ParseIJson(*written);
  // What is ambiguous in the objects that a message holds as bytes stays so.
  Check(parsed.ok() ||
        cdgate::base::ReasonOf(parsed.status()) == cdgate::base::Reason::kAmbiguousJson);
}

void CheckAsMessage(absl::string_view bytes) {
  cdevents::v1::CdEvent any;
  if (!any.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  std::vector<const google::protobuf::FieldDescriptor*> set;
  any.GetReflection()->ListFields(any, &set);
  for (const auto* const field : set) {
    const Message& event = any.GetReflection()->GetMessage(any, field);
    (void)cdgate::cdevents::FamilyOf(event);
    for (const Family family :
         {Family::k03, Family::k040, Family::k041, Family::k05, Family::k06}) {
      CheckWrites(event, family);
    }
  }
}

void CheckAsObject(absl::string_view bytes) {
  cdevents::v1::CustomEvent event;
  event.mutable_context()->set_specversion("0.5.1");
  event.mutable_subject()->set_id("s");
  event.set_content(std::string(bytes));
  const auto written = cdgate::cdevents::WriteJson(event, Family::k05);
  if (!written.ok()) return;
  static cdgate::event::JsonParser parser;
  const auto root = parser.ParseAdmitted(*written);
  Check(root.ok());
  Check(simdjson::dom::object(*root).size() == 2);
  Check(simdjson::dom::object((*root)["subject"]).size() == 2);
  Check((*root)["subject"]["content"].is_object());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckValid(bytes);
  CheckAsAnyForm(bytes);
  CheckAsMessage(bytes);
  CheckAsObject(bytes);
  return 0;
}
