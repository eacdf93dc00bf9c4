// A gateway that answers what a test tells it to, on a Unix socket.
//
//   FakeGateway gateway;
//   gateway.Answer("GetPeer", peer_status);
//   RunCli({"peer", "show", "beta.example", "--gateway", gateway.address()});
//   gateway.LastRequest("GetPeer", &request);
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "cdgate/admin/v1/admin.grpc.pb.h"
#include "cdgate/admin/v1/agreement.grpc.pb.h"
#include "cdgate/admin/v1/subscription.grpc.pb.h"
#include "cdgate/admin/v1/trust.grpc.pb.h"
#include "cdgate/events/v1/events.grpc.pb.h"
#include "gateway/base/mutex.h"
#include "tests/support/temp_dir.h"

namespace cdgate::cli {

// Thread-safe.
class FakeGateway {
 public:
  using PublishStream =
      grpc::ServerReaderWriter<events::v1::PublishStreamResponse, events::v1::PublishStreamRequest>;
  using SubscribeStream =
      grpc::ServerReaderWriter<events::v1::SubscribeResponse, events::v1::SubscribeRequest>;

  FakeGateway();
  ~FakeGateway();

  // "unix:…", for --gateway.
  std::string address() const { return "unix:" + dir_.File("s"); }

  // What a method of the admin API, or those of agreements and trust, answers from now on; others
  // answer NOT_FOUND.
  void Answer(const std::string& method, const google::protobuf::Message& response);
  void Fail(const std::string& method, absl::Status error);
  // The last request of a method; false where there was none.
  bool LastRequest(const std::string& method, google::protobuf::Message* request);

  std::function<grpc::Status(PublishStream*)> publish_stream;
  std::function<grpc::Status(SubscribeStream*)> subscribe;

 private:
  class Admin;
  class Subscriptions;
  class Agreements;
  class Trust;
  class Events;

  grpc::Status Handle(const std::string& method, const google::protobuf::Message& request,
                      google::protobuf::Message* response);

  const test::TempDir dir_;
  base::Mutex mu_;
  std::map<std::string, std::string> answers_ CDGATE_GUARDED_BY(mu_);
  std::map<std::string, absl::Status> errors_ CDGATE_GUARDED_BY(mu_);
  std::map<std::string, std::string> requests_ CDGATE_GUARDED_BY(mu_);
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::unique_ptr<Agreements> agreements_;
  std::unique_ptr<Trust> trust_;
  std::unique_ptr<Events> events_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace cdgate::cli
