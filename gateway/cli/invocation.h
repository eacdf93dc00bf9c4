// One run of one verb: its streams, its common flags, its connection, its output.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/exit.h"
#include "gateway/cli/format.h"
#include "gateway/cli/node.h"
#include "gateway/cli/target.h"

namespace cdgate::cli {

class Invocation {
 public:
  explicit Invocation(const Streams& streams) : streams_(streams) {}

  // Set by the parser.
  TargetFlags target;
  std::string output = "table";
  std::string verb;  // "policy apply"

  const Streams& streams() const { return streams_; }
  std::ostream& out() const { return streams_.out; }
  std::ostream& err() const { return streams_.err; }
  bool table() const { return output == "table"; }

  // Made at the first call.
  absl::StatusOr<Connection*> Connect();

  // One call of the admin API.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Admin(grpc::Status (admin::v1::AdminService::Stub::*method)(
                                     grpc::ClientContext*, const Request&, Response*),
                                 const Request& request,
                                 absl::Duration timeout = Connection::kCallTimeout) {
    absl::StatusOr<Connection*> connection = Connect();
    if (!connection.ok()) return connection.status();
    return (*connection)->Call((*connection)->admin(), method, request, timeout);
  }

  // One call of the API of agreements.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Agreement(grpc::Status (admin::v1::AgreementService::Stub::*method)(
                                         grpc::ClientContext*, const Request&, Response*),
                                     const Request& request,
                                     absl::Duration timeout = Connection::kCallTimeout) {
    absl::StatusOr<Connection*> connection = Connect();
    if (!connection.ok()) return connection.status();
    return (*connection)->Call((*connection)->agreements(), method, request, timeout);
  }

  // One call of the events API that is no stream.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Events(grpc::Status (events::v1::EventsService::Stub::*method)(
                                      grpc::ClientContext*, const Request&, Response*),
                                  const Request& request) {
    absl::StatusOr<Connection*> connection = Connect();
    if (!connection.ok()) return connection.status();
    return (*connection)->Call((*connection)->events(), method, request);
  }

  // `node` with -o json or yaml; otherwise what `people` prints.
  void Print(const Node& node, const std::function<void()>& people) const;
  void Print(const google::protobuf::Message& message, const std::function<void()>& people) const;
  // Prints a table, or `otherwise` where it has no rows.
  void Print(const Table& table, absl::string_view otherwise) const;

  // "error: MESSAGE (reason)", and on a second line what to do next. Returns the exit code
  // of the error.
  int Fail(const absl::Status& error) const;
  // A line on standard error: progress, advice.
  void Note(absl::string_view text) const;

 private:
  const Streams& streams_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace cdgate::cli
