// cdgate_e2e_tap: stands between two gateways with the keys of both, passes every frame of
// their link on, and writes down what the one that is dialled sends: all that a receiver ever
// sees of a sender, without TLS.
//
//   cdgate_e2e_tap --listen-as alpha/identity/gateway --to 127.0.0.1:7400 --out DIR
//       --as beta.example=beta/identity/gateway --as gamma.example=gamma/identity/gateway
//
// Prints {"port": N} first; DIR/DOMAIN.frames has the serialised frames sent to DOMAIN, one
// behind the other, and is complete up to every frame that DOMAIN has. Ends with its standard
// input.
#include <sys/prctl.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cdgate/federation/v1/link.grpc.pb.h"
#include "tests/e2e/dial.h"

#include <grpcpp/grpcpp.h>

namespace cdgate::e2e {
namespace {

using federation::v1::FederationService;
using federation::v1::Frame;

class Tap final : public FederationService::Service {
 public:
  struct Side {
    std::shared_ptr<grpc::Channel> channel;  // to the dialled gateway, as the other one
    std::ofstream file;
    std::mutex writing;
  };

  // `dialled`: the identity of the gateway at `to`, another domain's than those that dial it.
  Tap(const std::string& to, const std::string& dialled,
      const std::map<std::string, std::string>& identities, const std::string& out) {
    for (const auto& [domain, identity] : identities) {
      Side& side = sides_[domain];
      side.channel = Dial(to, identity, dialled);
      side.file.open(absl::StrCat(out, "/", domain, ".frames"), std::ios::binary);
    }
  }

  grpc::Status Link(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<Frame, Frame>* dialer) override {
    Side* const side = SideOf(*context);
    if (side == nullptr) return {grpc::StatusCode::PERMISSION_DENIED, "of no domain"};
    grpc::ClientContext onward;
    const auto dialled = FederationService::NewStub(side->channel)->Link(&onward);
    std::thread up([&] {
      Frame frame;
      while (dialer->Read(&frame) && dialled->Write(frame)) {
      }
      dialled->WritesDone();
    });
    Frame frame;
    while (dialled->Read(&frame)) {
      Record(*side, frame);
      if (!dialer->Write(frame)) break;
    }
    context->TryCancel();
    onward.TryCancel();
    up.join();
    return dialled->Finish();
  }

 private:
  // Whoever the dialer's certificate says it is.
  Side* SideOf(const grpc::ServerContext& context) {
    for (const char* name : {"peer_spiffe_id", "x509_subject_alternative_name"}) {
      for (const auto& value : context.auth_context()->FindPropertyValues(name)) {
        const std::string text(value.data(), value.size());
        for (auto& [domain, side] : sides_) {
          if (absl::StartsWith(text, absl::StrCat("spiffe://", domain, "/"))) return &side;
        }
      }
    }
    return nullptr;
  }
  static void Record(Side& side, const Frame& frame) {
    const std::lock_guard<std::mutex> lock(side.writing);
    side.file << frame.SerializeAsString() << std::flush;
  }

  std::map<std::string, Side> sides_;
};

std::shared_ptr<grpc::ServerCredentials> ServerIdentity(const std::string& folder) {
  grpc::SslServerCredentialsOptions tls(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  tls.pem_key_cert_pairs.push_back({ReadFile(folder + "/tls.key"), ReadFile(folder + "/tls.crt")});
  return grpc::SslServerCredentials(tls);
}

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string listen_as, to, out;
  std::vector<std::string> as;
  CLI::App app{"reads what crosses a link"};
  app.add_option("--listen-as", listen_as)->required();
  app.add_option("--to", to)->required();
  app.add_option("--as", as, "DOMAIN=FOLDER")->required();
  app.add_option("--out", out)->required();
  CLI11_PARSE(app, argc, argv);
  std::map<std::string, std::string> identities;
  for (const std::string& one : as) {
    const size_t at = one.find('=');
    if (at == one.npos) GiveUp("not DOMAIN=FOLDER: " + one);
    identities[one.substr(0, at)] = one.substr(at + 1);
  }
  Tap tap(to, listen_as, identities, out);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", ServerIdentity(listen_as), &port);
  builder.RegisterService(&tap);
  builder.SetMaxReceiveMessageSize(-1);
  const auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) GiveUp("cannot listen");
  std::cout << "{\"port\": " << port << "}" << std::endl;
  while (std::cin.get() != EOF) {
  }
  _exit(0);
}

}  // namespace
}  // namespace cdgate::e2e

int main(int argc, char** argv) { return cdgate::e2e::Main(argc, argv); }
