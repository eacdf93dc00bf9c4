// What other programs rely on: the shape of our public messages and methods.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/config/v1/config.pb.h"
#include "cdgate/events/v1/events.pb.h"
#include "cdgate/federation/v1/enrolment.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/golden.h"

namespace cdgate {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

std::string TypeOf(const FieldDescriptor& field) {
  if (field.type() == FieldDescriptor::TYPE_MESSAGE) return field.message_type()->full_name();
  if (field.type() == FieldDescriptor::TYPE_ENUM) return field.enum_type()->full_name();
  return field.type_name();
}

void AppendMessage(std::string* out, const Descriptor& message) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    absl::StrAppend(out, message.full_name(), " ", field.number(), " ", field.name(), " ",
                    field.is_repeated() ? "repeated " : "", TypeOf(field),
                    field.real_containing_oneof() != nullptr
                        ? absl::StrCat(" in ", field.real_containing_oneof()->name())
                        : "",
                    "\n");
  }
  for (int i = 0; i < message.nested_type_count(); ++i) {
    AppendMessage(out, *message.nested_type(i));
  }
}

void AppendEnum(std::string* out, const EnumDescriptor& type) {
  for (int i = 0; i < type.value_count(); ++i) {
    absl::StrAppend(out, type.full_name(), " ", type.value(i)->number(), " ", type.value(i)->name(),
                    "\n");
  }
}

void AppendService(std::string* out, const ServiceDescriptor& service) {
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    absl::StrAppend(out, "/", service.full_name(), "/", method.name(), " ",
                    method.client_streaming() ? "stream " : "", method.input_type()->full_name(),
                    " -> ", method.server_streaming() ? "stream " : "",
                    method.output_type()->full_name(), "\n");
  }
}

std::string Describe(const FileDescriptor& file) {
  std::string out = absl::StrCat("# ", file.name(), "\n");
  for (int i = 0; i < file.service_count(); ++i) AppendService(&out, *file.service(i));
  for (int i = 0; i < file.message_type_count(); ++i) AppendMessage(&out, *file.message_type(i));
  for (int i = 0; i < file.enum_type_count(); ++i) AppendEnum(&out, *file.enum_type(i));
  return out;
}

// A change of this file is a change of the API: fields and values may be added, never
// renumbered, retyped or removed without `reserved`.
TEST(ApiConformanceTest, PublicShapesAreAsRecorded) {
  const std::vector<const FileDescriptor*> files = {
      io::cloudevents::v1::CloudEvent::descriptor()->file(),
      events::v1::PublishRequest::descriptor()->file(),
      admin::v1::GetStatusRequest::descriptor()->file(),
      admin::v1::Policy::descriptor()->file(),
      config::v1::GatewayConfig::descriptor()->file(),
      federation::v1::Frame::descriptor()->file(),
      federation::v1::EnrolRequest::descriptor()->file(),
      storage::v1::CommitRecord::descriptor()->file(),
  };
  std::string all;
  for (const FileDescriptor* file : files) all += Describe(*file);
  EXPECT_TRUE(test::MatchesGolden("tests/conformance/testdata/api_v1.txt", all));
}

TEST(ApiConformanceTest, NoServiceIsDefinedInTheCloudEventsPackage) {
  EXPECT_EQ(io::cloudevents::v1::CloudEvent::descriptor()->file()->service_count(), 0);
}

}  // namespace
}  // namespace cdgate
