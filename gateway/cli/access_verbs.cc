// Whether somebody may do something, and why.
#include <grpcpp/channel.h>

#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cdgate/admin/v1/access.grpc.pb.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Access = admin::v1::AccessService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

std::string MethodText(const std::string& method) {
  return std::string(absl::StripPrefix(method, "/"));
}

template <typename Request, typename Response>
absl::StatusOr<Response> Call(grpc::Status (Access::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                              const Request& request, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(Connection* const connection, run.Connect());
  const auto stub = admin::v1::AccessService::NewStub(connection->channel());
  return connection->Call(*stub, method, request);
}

void PrintVerdict(const admin::v1::ExplainAccessRequest& request,
                  const admin::v1::ExplainAccessResponse& answer, std::ostream& out) {
  if (answer.allowed()) {
    out << "yes: " << request.principal() << " may call " << MethodText(answer.method());
    if (!answer.grant().empty()) out << " by the grant " << answer.grant();
  } else {
    out << "no: " << answer.message() << " (" << absl::AsciiStrToLower(answer.reason()) << ")";
  }
  out << "\n";
  for (const admin::v1::GrantVerdict& grant : answer.grants()) {
    out << "  grant " << grant.grant() << " (" << grant.role()
        << "): " << (grant.suffices() ? "would do" : grant.why()) << "\n";
  }
}

absl::StatusOr<int> Explain(const admin::v1::ExplainAccessRequest& request, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto answer, Call(&Access::ExplainAccess, request, run));
  run.Print(answer, [&] { PrintVerdict(request, answer, run.out()); });
  return answer.allowed() ? kExitDone : kExitNo;
}

absl::StatusOr<int> List(const admin::v1::ExplainAccessRequest& asked, Invocation& run) {
  if (!asked.source().empty() || !asked.type().empty()) {
    return UsageError("--source and --type go with a method that publishes");
  }
  admin::v1::ListAccessRequest request;
  request.set_principal(asked.principal());
  request.set_listener(asked.listener());
  request.set_peer(asked.peer());
  CDGATE_ASSIGN_OR_RETURN(const auto answer, Call(&Access::ListAccess, request, run));
  run.Print(answer, [&] {
    Table table({{"METHOD"}, {"MAY"}, {"BY"}});
    for (const admin::v1::MethodAccess& method : answer.methods()) {
      table.AddRow({MethodText(method.method()), method.allowed() ? "yes" : "no",
                    method.allowed() ? method.grant() : absl::AsciiStrToLower(method.reason())});
    }
    run.Print(table, "the listener serves no method");
  });
  return kExitDone;
}

}  // namespace

void AddAccessVerbs(Verbs& verbs) {
  const auto request = std::make_shared<admin::v1::ExplainAccessRequest>();
  CLI::App* const verb = verbs.AddVerb(
      nullptr, "can", "Say whether a principal may call a method, and why",
      "cdgate can spiffe://alpha.example/user/ann FreezePeer --peer beta.example\n"
      "cdgate can oidc:corp:ada@alpha.example publish --source /alpha/jenkins/7\n"
      "cdgate can spiffe://alpha.example/service/jenkins",
      kBoth, [request](Invocation& run) {
        return request->method().empty() ? List(*request, run) : Explain(*request, run);
      });
  verb->add_option("PRINCIPAL", *request->mutable_principal(),
                   "SPIFFE ID, oidc:PROVIDER:SUBJECT, token:NAME or local:USER")
      ->required();
  verb->add_option("METHOD", *request->mutable_method(),
                   "FreezePeer, package.Service/Method, publish or subscribe; none: all methods");
  verb->add_option("--peer", *request->mutable_peer(), "The peer that the call would name")
      ->option_text("DOMAIN");
  verb->add_option("--listener", *request->mutable_listener(),
                   "api (default), local, peers or enrolment")
      ->option_text("NAME");
  verb->add_option("--source", *request->mutable_source(), "publish: the event's source")
      ->option_text("SOURCE");
  verb->add_option("--type", *request->mutable_type(), "publish: the event's type")
      ->option_text("TYPE");
}

}  // namespace cdgate::cli
