#include "gateway/rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "grpc/reflection/v1/reflection.pb.h"

namespace cdgate::rpc {
namespace {

// Both versions have the same messages, field for field, so one implementation serves
// both: the bytes are the same.
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

const DescriptorPool& Pool() { return *DescriptorPool::generated_pool(); }

void SetError(ServerReflectionResponse* response, absl::string_view what, absl::string_view name) {
  auto* error = response->mutable_error_response();
  error->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
  error->set_error_message(absl::StrCat("there is no ", what, " ", base::Shorten(name)));
}

// `file` and everything it needs, each once, `file` first.
void AddFile(const FileDescriptor& file, std::set<std::string>* seen,
             ServerReflectionResponse* response) {
  if (!seen->insert(file.name()).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response->mutable_file_descriptor_response()->add_file_descriptor_proto(
      proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), seen, response);
}

void AnswerFile(const FileDescriptor* file, absl::string_view what, const std::string& name,
                ServerReflectionResponse* response) {
  if (file == nullptr) return SetError(response, what, name);
  std::set<std::string> seen;
  AddFile(*file, &seen, response);
}

void AnswerExtension(const grpc::reflection::v1::ExtensionRequest& asked,
                     ServerReflectionResponse* response) {
  const Descriptor* type = Pool().FindMessageTypeByName(asked.containing_type());
  const FieldDescriptor* extension =
      type == nullptr ? nullptr : Pool().FindExtensionByNumber(type, asked.extension_number());
  AnswerFile(extension == nullptr ? nullptr : extension->file(), "extension of",
             asked.containing_type(), response);
}

void AnswerExtensionNumbers(const std::string& name, ServerReflectionResponse* response) {
  const Descriptor* type = Pool().FindMessageTypeByName(name);
  if (type == nullptr) return SetError(response, "type", name);
  std::vector<const FieldDescriptor*> extensions;
  Pool().FindAllExtensions(type, &extensions);
  auto* answer = response->mutable_all_extension_numbers_response();
  answer->set_base_type_name(name);
  for (const FieldDescriptor* extension : extensions) {
    answer->add_extension_number(extension->number());
  }
}

ServerReflectionResponse AnswerTo(const Router& router, authz::Listener listener,
                                  const ServerReflectionRequest& request) {
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      AnswerFile(Pool().FindFileByName(request.file_by_filename()), "file",
                 request.file_by_filename(), &response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      AnswerFile(Pool().FindFileContainingSymbol(request.file_containing_symbol()), "symbol",
                 request.file_containing_symbol(), &response);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      AnswerExtension(request.file_containing_extension(), &response);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      AnswerExtensionNumbers(request.all_extension_numbers_of_type(), &response);
      break;
    case ServerReflectionRequest::kListServices: {
      auto* services = response.mutable_list_services_response();
      for (std::string& name : router.ServicesOf(listener)) {
        services->add_service()->set_name(std::move(name));
      }
      break;
    }
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET: SetError(&response, "such question", "");
  }
  return response;
}

// One call: answers each question, then reads the next.
class Reflection : public std::enable_shared_from_this<Reflection> {
 public:
  Reflection(const Router& router, ServerStreamPtr stream)
      : router_(router), stream_(std::move(stream)) {}

  void Begin() {
    auto self = shared_from_this();
    stream_->Start({.on_message = [self](const grpc::ByteBuffer& m) { self->Answer(m); },
                    .on_end = [self] { self->stream_->Close(absl::OkStatus()); },
                    .on_closed = [self](const absl::Status&) {}});
  }

 private:
  void Answer(const grpc::ByteBuffer& message) {
    ServerReflectionRequest request;
    if (absl::Status parsed = Parse(message, &request); !parsed.ok()) return stream_->Close(parsed);
    stream_->Send(Serialise(AnswerTo(router_, stream_->call().listener, request)),
                  [self = shared_from_this()](bool ok) {
                    if (ok) self->stream_->Read();
                  });
  }

  const Router& router_;
  const ServerStreamPtr stream_;
};

}  // namespace

absl::Status RegisterReflection(Router& router) {
  const auto handler = [&router](ServerStreamPtr stream) {
    std::make_shared<Reflection>(router, std::move(stream))->Begin();
  };
  CDGATE_RETURN_IF_ERROR(router.Register(
      Guarded::Bidi("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", handler)));
  return router.Register(
      Guarded::Bidi("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", handler));
}

}  // namespace cdgate::rpc
