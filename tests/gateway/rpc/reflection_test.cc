#include "gateway/rpc/reflection.h"

#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <vector>

#include "grpc/reflection/v1/reflection.pb.h"
#include "tests/gateway/rpc/test_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kV1[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr char kV1Alpha[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

class ReflectionTest : public testing::Test {
 protected:
  ServerReflectionResponse Ask(ClientChannel& channel, const ServerReflectionRequest& request,
                               const char* method = kV1) {
    auto probe = StreamProbe::Start(channel.OpenStream(method));
    EXPECT_TRUE(probe->Send(request.SerializeAsString()));
    ServerReflectionResponse response;
    EXPECT_TRUE(response.ParseFromString(probe->Receive().value_or("?")));
    probe->stream().Close(absl::OkStatus());
    CDGATE_EXPECT_OK(probe->WaitClosed());
    return response;
  }

  std::vector<std::string> Services(ClientChannel& channel, const char* method) {
    ServerReflectionRequest request;
    request.set_list_services("");
    std::vector<std::string> names;
    const ServerReflectionResponse response = Ask(channel, request, method);
    for (const auto& service : response.list_services_response().service()) {
      names.push_back(service.name());
    }
    return names;
  }

  TestGateway gateway_;
};

TEST_F(ReflectionTest, ListsTheServicesOfTheAskedListenerAlone) {
  auto api = gateway_.Api("reader");
  auto local = gateway_.Local();
  for (const char* method : {kV1, kV1Alpha}) {
    EXPECT_THAT(Services(*api, method),
                ElementsAre("cdgate.admin.v1.AdminService", "cdgate.events.v1.EventsService",
                            "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                            "grpc.reflection.v1alpha.ServerReflection"));
    EXPECT_THAT(Services(*local, method), Not(Contains("cdgate.events.v1.EventsService")));
    EXPECT_THAT(Services(*local, method), Contains("cdgate.admin.v1.AdminService"));
  }
}

TEST_F(ReflectionTest, FileComesWithWhatItNeeds) {
  auto channel = gateway_.Api("reader");
  ServerReflectionRequest request;
  request.set_host("gateway.example");
  request.set_file_containing_symbol("cdgate.events.v1.EventsService.Publish");
  const ServerReflectionResponse response = Ask(*channel, request);
  EXPECT_EQ(response.valid_host(), "gateway.example");
  EXPECT_EQ(response.original_request().file_containing_symbol(), request.file_containing_symbol());
  std::vector<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.front(), "cdgate/events/v1/events.proto");
  EXPECT_THAT(names, Contains("google/rpc/status.proto"));
  EXPECT_THAT(names, Contains("google/protobuf/any.proto"));
}

TEST_F(ReflectionTest, FileIsFoundByItsName) {
  auto channel = gateway_.Api("reader");
  ServerReflectionRequest request;
  request.set_file_by_filename("google/rpc/status.proto");
  EXPECT_EQ(Ask(*channel, request).file_descriptor_response().file_descriptor_proto_size(), 2);
}

TEST_F(ReflectionTest, WhatDoesNotExistIsSaidToBeNotFound) {
  auto channel = gateway_.Api("reader");
  ServerReflectionRequest request;
  request.set_file_containing_symbol("no.such.Thing");
  const auto error = Ask(*channel, request).error_response();
  EXPECT_EQ(error.error_code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_THAT(error.error_message(), HasSubstr("no.such.Thing"));
  request.set_all_extension_numbers_of_type("no.such.Type");
  EXPECT_TRUE(Ask(*channel, request).has_error_response());
  request.clear_message_request();
  EXPECT_TRUE(Ask(*channel, request).has_error_response());
}

TEST_F(ReflectionTest, ExtensionNumbersOfAType) {
  auto channel = gateway_.Api("reader");
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("google.protobuf.Any");
  const auto response = Ask(*channel, request);
  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(), "google.protobuf.Any");
  EXPECT_EQ(response.all_extension_numbers_response().extension_number_size(), 0);
}

TEST_F(ReflectionTest, ManyQuestionsOnOneStream) {
  auto channel = gateway_.Api("reader");
  auto probe = StreamProbe::Start(channel->OpenStream(kV1));
  for (int i = 0; i < 100; ++i) {
    ServerReflectionRequest request;
    request.set_host(absl::StrCat(i));
    request.set_list_services("");
    ASSERT_TRUE(probe->Send(request.SerializeAsString()));
    ServerReflectionResponse response;
    ASSERT_TRUE(response.ParseFromString(probe->Receive().value_or("?")));
    ASSERT_EQ(response.valid_host(), absl::StrCat(i));
  }
}

}  // namespace
}  // namespace cdgate::rpc
