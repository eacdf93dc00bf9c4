// SPDX-License-Identifier: Apache-2.0
// A worker on a shared subscription: gets events, does its work, and says which are done.
//
//   cdgate subscription create workers --shared
//   worker --gateway localhost:7443 --identity ~/.config/cdgate/ci --subscription workers
//
// Start as many as there is work for: each event goes to one of them. Where one dies, another gets
// what it had, with a higher attempt; so the work must bear to be done twice. Here the work is to
// write a line to standard output: "got SEQUENCE ATTEMPT ID" before it is acknowledged, and
// "done SEQUENCE" once the gateway has that on disk.
//
// --fail-every N stands for work that fails: events whose sequence N divides are given back, come
// again after the subscription's backoff, and end in its dead letters
// (`cdgate subscription dead-letters workers`).
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "cdgate/events/v1/events.grpc.pb.h"

namespace {

using cdgate::events::v1::EventsService;
using cdgate::events::v1::SubscribeRequest;
using cdgate::events::v1::SubscribeResponse;
using Stream = grpc::ClientReaderWriter<SubscribeRequest, SubscribeResponse>;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  if (file) return content.str();
  std::cerr << "worker: cannot read " << path << "\n";
  std::exit(2);
}

// By the files that `cdgate cert issue` writes: tls.crt, tls.key and bundle.pem.
std::shared_ptr<grpc::Channel> Dial(const std::string& gateway, const std::string& identity) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ReadFile(identity + "/bundle.pem");
  tls.pem_private_key = ReadFile(identity + "/tls.key");
  tls.pem_cert_chain = ReadFile(identity + "/tls.crt");
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A gateway that says nothing for so long is gone: it sends a heartbeat every 5 seconds.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 15'000);
  return grpc::CreateCustomChannel(gateway, grpc::SslCredentials(tls), arguments);
}

class Worker {
 public:
  explicit Worker(const std::map<std::string, std::string>& flags)
      : stub_(EventsService::NewStub(Dial(flags.at("--gateway"), flags.at("--identity")))),
        subscription_(flags.at("--subscription")),
        outstanding_(static_cast<uint32_t>(std::stoul(flags.at("--outstanding")))),
        fail_every_(std::stoull(flags.at("--fail-every"))) {}

  // Until the process ends. A stream that ends is begun anew: the gateway restarts, or somebody
  // changes the subscription.
  [[noreturn]] void Run() {
    for (;;) {
      const grpc::Status status = RunStream();
      std::cerr << "worker: the stream ended: " << status.error_message() << std::endl;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

 private:
  grpc::Status RunStream() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const auto stream = stub_->Subscribe(&context);
    SubscribeRequest start;
    start.mutable_start()->set_subscription(subscription_);
    start.mutable_start()->set_max_outstanding_events(outstanding_);
    stream->Write(start);
    SubscribeResponse response;
    while (stream->Read(&response)) {
      if (response.has_events()) Work(response.events(), *stream);
      for (const uint64_t sequence : response.ack_confirmed().sequences()) {
        std::printf("done %llu\n", static_cast<unsigned long long>(sequence));
      }
      std::fflush(stdout);
    }
    return stream->Finish();
  }

  void Work(const cdgate::events::v1::EventBatch& batch, Stream& stream) const {
    SubscribeRequest done;
    SubscribeRequest failed;
    for (const auto& event : batch.events()) {
      std::printf("got %llu %u %s\n", static_cast<unsigned long long>(event.sequence()),
                  event.attempt(), event.event().id().c_str());
      if (fail_every_ != 0 && event.sequence() % fail_every_ == 0) {
        failed.mutable_nack()->add_sequences(event.sequence());
      } else {
        done.mutable_ack()->add_sequences(event.sequence());
      }
    }
    std::fflush(stdout);
    done.mutable_ack()->set_confirm(true);
    if (done.ack().sequences_size() > 0) stream.Write(done);
    if (failed.nack().sequences_size() > 0) stream.Write(failed);
  }

  const std::unique_ptr<EventsService::Stub> stub_;
  const std::string subscription_;
  const uint32_t outstanding_;
  const uint64_t fail_every_;
};

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> flags = {{"--gateway", ""},
                                              {"--identity", ""},
                                              {"--subscription", ""},
                                              {"--outstanding", "100"},
                                              {"--fail-every", "0"}};
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  if (flags.size() != 5 || flags["--gateway"].empty() || flags["--identity"].empty() ||
      flags["--subscription"].empty()) {
    std::cerr << "usage: worker --gateway HOST:PORT --identity DIR --subscription NAME "
                 "[--outstanding N] [--fail-every N]\n";
    return 2;
  }
  Worker(flags).Run();
}
