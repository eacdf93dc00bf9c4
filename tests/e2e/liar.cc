// cdgate_e2e_liar: a gateway that lies. Stands between two gateways with the keys of both, the
// dialled one's attestor too, and passes on what that sends, with lies in it, signed as it would
// sign them. What it is to lie about it reads from its standard input, a line for each lie; an
// empty one: nothing.
//
//   cdgate_e2e_liar --listen-as beta/identity/gateway --attestor beta/identity/attestor
//       --to 127.0.0.1:7400 --domain beta.example
//       --as gamma/identity/gateway
//
// Prints {"port": N} first, and {"lie": "..."} when a lie has come into use. Lies concern events
// whose id begins with "lie". "withhold" leaves them out before anything is said of them, as a
// transit does whose own log never had them: no position, no leaf, no token.
//
//   cdgate_e2e_liar flood --to ADDRESS --as beta/identity/gateway --trusting gamma/identity/gateway
//       --domain beta.example --agreement ID --events 1000 --times 5
//
// dials a gateway, sends it so many events at once whatever credit it gives, and prints for each
// time how that ended.
#include <grpcpp/grpcpp.h>
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cdgate/federation/v1/link.grpc.pb.h"
#include "federation/attestation/merkle.h"
#include "gateway/event/digests.h"
#include "gateway/event/event_fields.h"
#include "gateway/event/record.h"
#include "gateway/event/relayed_view.h"
#include "google/rpc/error_details.pb.h"
#include "tests/e2e/dial.h"
#include "tests/e2e/liar_signer.h"
#include "tests/e2e/withheld.h"

namespace cdgate::e2e {
namespace {

using attestation::Digest;
using federation::v1::Batch;
using federation::v1::FederationService;
using federation::v1::Frame;
using federation::v1::RelayedEvent;

constexpr char kMarker[] = "lie";

// --- lies about one event

Digest ContentOf(const event::CloudEventView& view, crypto::Sha256Hasher& hasher) {
  hasher.Reset();
  hasher.Update(view.data());
  return hasher.FinalTo();
}

const std::map<std::string, std::function<void(RelayedEvent*)>>& EventLies() {
  static const auto* const lies = new std::map<std::string, std::function<void(RelayedEvent*)>>{
      {"content",
       [](RelayedEvent* e) {
         e->set_cloud_event(absl::StrReplaceAll(e->cloud_event(), {{"truth", "false"}}));
       }},
      {"substitute",
       [](RelayedEvent* e) {
         // The first character of a pseudonym of alpha's.
         std::string text = e->cloud_event();
         const size_t who = text.find("\"who\":");
         const size_t at = who == text.npos ? who : text.find('"', who + 6);
         if (at == text.npos) GiveUp("no pseudonym to write into");
         text[at + 1] = text[at + 1] == 'q' ? 'r' : 'q';
         e->set_cloud_event(text);
       }},
      {"origin",
       [](RelayedEvent* e) {
         // Its own event, as another's.
         e->set_origin("alpha.example");
         e->mutable_path()->Clear();
         e->add_path("alpha.example");
         e->add_path("beta.example");
         e->set_hops(2);
       }},
      {"own",
       [](RelayedEvent* e) {
         // Another's event, as its own.
         e->set_origin("beta.example");
         e->mutable_path()->DeleteSubrange(0, 1);
         e->set_hops(1);
         e->clear_statements();
         e->clear_field_proof();
       }},
      {"terms", [](RelayedEvent* e) { e->mutable_export_()->mutable_terms()->set_onward(30); }},
      {"plane", [](RelayedEvent* e) { e->set_plane("security"); }},
      {"time", [](RelayedEvent* e) { e->set_accepted_time_nanos(e->accepted_time_nanos() - 1); }},
      {"identity",
       [](RelayedEvent* e) {
         // Its own event under the identity of another one of its own.
         e->set_cloud_event(absl::StrReplaceAll(e->cloud_event(), {{"lie-second", "lie-before"}}));
         event::CloudEventView view;
         if (!view.Assign(e->cloud_event())) GiveUp("no event");
         event::FieldCommitter fields;
         crypto::Sha256Hasher hasher;
         const bool of_fields = (e->notes() & event::kNoteFieldsCommitted) != 0;
         const auto commitment =
             of_fields ? *fields.Commit(e->salt(), view)
                       : event::Commitment(e->salt(), ContentOf(view, hasher), hasher);
         e->set_commitment(std::string(event::AsBytes(commitment)));
       }},
      {"statement", [](RelayedEvent* e) { e->clear_statements(); }},
  };
  return *lies;
}

bool Concerns(const RelayedEvent& event) { return absl::StrContains(event.cloud_event(), kMarker); }

bool Concerns(const Batch& batch) {
  return std::any_of(batch.events().begin(), batch.events().end(),
                     [](const RelayedEvent& event) { return Concerns(event); });
}

// --- the liar

// What both ends think of the sender's history, and the lie of the moment. Over all links, of
// which there is one at a time.
class Story {
 public:
  explicit Story(Signer signer) : signer_(std::move(signer)) {}

  void Tell(const std::string& lie) {
    const std::lock_guard<std::mutex> lock(mu_);
    lie_ = lie;
  }

  // What goes to the gateway that is lied to, instead of `frame`.
  std::vector<Frame> Down(Frame frame) {
    const std::lock_guard<std::mutex> lock(mu_);
    if (frame.has_hello()) context_.agreement = frame.hello().agreement_id();
    if (frame.has_heartbeat()) {
      federation::v1::Heartbeat& heartbeat = *frame.mutable_heartbeat();
      heartbeat.set_last_position(
          withheld_[heartbeat.link_epoch()].Shown(heartbeat.last_position()));
    }
    if (!frame.has_batch()) return DownOther(std::move(frame));
    Batch& batch = *frame.mutable_batch();
    const bool lies = Concerns(batch) && !lie_.empty();
    epoch_ = batch.link_epoch();
    const Place before = {epoch_, batch.first_position() - 1};
    const Place last = {epoch_,
                        batch.first_position() + static_cast<uint64_t>(batch.events_size()) - 1};
    const Digests known = digests_[before];
    Digests after;
    after.told = signer_.After(batch, known.told);
    after.shown = known.shown;
    Withhold(&batch);
    if (lies) LieAboutEvents(&batch);
    context_.before = known.shown;
    if (batch.events_size() > 0) after.shown = signer_.Sign(context_, &batch);
    digests_[last] = after;
    if (batch.events_size() == 0) return {};
    if (lies) return LieAboutBatch(std::move(frame));
    return {std::move(frame)};
  }

  // What goes to the gateway that lies, instead of `frame`: its own history back.
  std::vector<Frame> Up(Frame frame) {
    const std::lock_guard<std::mutex> lock(mu_);
    if (frame.has_hello()) context_.receiver = frame.hello().domain();
    if (frame.has_ack()) Acknowledge(frame.mutable_ack());
    if (frame.has_resume()) Resume(frame.mutable_resume());
    if (!frame.has_heartbeat()) return {std::move(frame)};
    frame.mutable_heartbeat()->clear_receipt();
    // What was withheld behind the last Ack is acknowledged by nobody else.
    Frame rest;
    rest.mutable_ack()->set_position(acknowledged_);
    Acknowledge(rest.mutable_ack());
    if (rest.ack().position() == acknowledged_told_) return {std::move(frame)};
    acknowledged_told_ = rest.ack().position();
    return {std::move(rest), std::move(frame)};
  }

 private:
  using Place = std::pair<std::string, uint64_t>;
  struct Digests {
    Digest told{};   // by the gateway that lies
    Digest shown{};  // to the one that is lied to
  };

  void Acknowledge(federation::v1::Ack* ack) {
    const Withheld& withheld = withheld_[epoch_];
    acknowledged_ = ack->position();
    ack->set_position(withheld.Told(ack->position()));
    for (auto& refusal : *ack->mutable_refusals()) {
      // The first that is shown so: nothing that was withheld is refused.
      uint64_t told = refusal.position();
      while (withheld.Shown(told) < refusal.position()) ++told;
      refusal.set_position(told);
    }
    acknowledged_told_ = std::max(acknowledged_told_, ack->position());
  }
  void Resume(federation::v1::Resume* frame) {
    federation::v1::Resume& resume = *frame;
    epoch_ = resume.link_epoch();
    acknowledged_ = resume.position();
    acknowledged_told_ = withheld_[epoch_].Told(resume.position());
    resume.set_position(acknowledged_told_);
    if (resume.digest().empty()) return;
    const auto known = digests_.find({resume.link_epoch(), resume.position()});
    if (known == digests_.end()) {
      // From before this program: the story goes on from there.
      const auto digest = attestation::ReadDigest(resume.digest());
      if (digest) digests_[{resume.link_epoch(), resume.position()}] = {*digest, *digest};
      return;
    }
    resume.set_digest(std::string(event::AsBytes(known->second.told)));
  }
  // Those events, and their positions: what is behind them moves up.
  void Withhold(Batch* batch) {
    Withheld& withheld = withheld_[batch->link_epoch()];
    const uint64_t first = batch->first_position();
    batch->set_first_position(withheld.Shown(first - 1) + 1);
    if (lie_ != "withhold") return;
    auto& events = *batch->mutable_events();
    for (int i = 0; i < events.size(); ++i) {
      if (Concerns(events[i])) withheld.Add(first + static_cast<uint64_t>(i));
    }
    events.erase(std::remove_if(events.begin(), events.end(),
                                [](const RelayedEvent& event) { return Concerns(event); }),
                 events.end());
  }

  std::vector<Frame> DownOther(Frame frame) {
    if (lie_ != "protocol" || !frame.has_heartbeat()) return {std::move(frame)};
    Frame hello;
    hello.mutable_hello()->set_domain("beta.example");
    return {std::move(hello), std::move(frame)};
  }
  void LieAboutEvents(Batch* batch) {
    const auto lie = EventLies().find(lie_);
    if (lie == EventLies().end()) return;
    for (RelayedEvent& event : *batch->mutable_events()) {
      if (Concerns(event)) lie->second(&event);
    }
  }
  // It is signed by now.
  std::vector<Frame> LieAboutBatch(Frame frame) {
    if (lie_ == "drop") return {};  // and the next heartbeat announces it
    if (lie_ == "replay") return {frame, frame};
    if (lie_ == "swap") {
      auto* const events = frame.mutable_batch()->mutable_events();
      if (events->size() < 2) GiveUp("nothing to swap");
      events->SwapElements(0, 1);
    }
    if (lie_ == "reorder") {
      if (!held_) {
        held_ = std::move(frame);
        return {};
      }
      return {std::move(frame), *std::exchange(held_, std::nullopt)};
    }
    return {std::move(frame)};
  }

  std::mutex mu_;
  std::string lie_;
  Signer signer_;
  Signer::Context context_;
  std::map<Place, Digests> digests_;
  std::map<std::string, Withheld> withheld_;  // by link epoch
  std::string epoch_;                         // of the link
  uint64_t acknowledged_ = 0, acknowledged_told_ = 0;
  std::optional<Frame> held_;
};

class Liar final : public FederationService::Service {
 public:
  Liar(std::shared_ptr<grpc::Channel> dialled, Story& story)
      : dialled_(std::move(dialled)), story_(story) {}

  grpc::Status Link(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<Frame, Frame>* dialer) override {
    grpc::ClientContext onward;
    const auto dialled = FederationService::NewStub(dialled_)->Link(&onward);
    std::thread up([&] {
      Frame frame;
      bool open = true;
      while (open && dialer->Read(&frame)) {
        for (const Frame& told : story_.Up(std::move(frame))) open = open && dialled->Write(told);
      }
      dialled->WritesDone();
    });
    Frame frame;
    bool open = true;
    while (open && dialled->Read(&frame)) {
      for (const Frame& told : story_.Down(std::move(frame))) open = open && dialer->Write(told);
    }
    context->TryCancel();
    onward.TryCancel();
    up.join();
    return dialled->Finish();
  }

 private:
  const std::shared_ptr<grpc::Channel> dialled_;
  Story& story_;
};

int Lie(const std::string& listen_as, const std::string& attestor, const std::string& to,
        const std::string& domain, const std::string& as) {
  Story story(Signer(domain, attestor));
  Liar liar(Dial(to, as, listen_as), story);
  grpc::SslServerCredentialsOptions tls(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  tls.pem_key_cert_pairs.push_back(
      {ReadFile(listen_as + "/tls.key"), ReadFile(listen_as + "/tls.crt")});
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
  builder.RegisterService(&liar);
  builder.SetMaxReceiveMessageSize(-1);
  const auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) GiveUp("cannot listen");
  std::cout << "{\"port\": " << port << "}" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    story.Tell(line);
    std::cout << "{\"lie\": \"" << line << "\"}" << std::endl;
  }
  _exit(0);
}

// --- the flood

struct FloodOptions {
  std::string to, as, trusting, domain, agreement;
  int events = 1000, times = 1;
};

Frame HelloOf(const FloodOptions& options) {
  Frame frame;
  federation::v1::Hello& hello = *frame.mutable_hello();
  hello.set_min_version(1);
  hello.set_max_version(1);
  hello.set_domain(options.domain);
  hello.set_instance("flood");
  hello.set_agreement_id(options.agreement);
  hello.set_max_frame_bytes(1 << 20);
  hello.mutable_heartbeat_interval()->set_seconds(5);
  return frame;
}

Frame BatchOf(const federation::v1::Resume& place, uint64_t position) {
  Frame frame;
  Batch& batch = *frame.mutable_batch();
  batch.set_first_position(position);
  batch.set_token("flood");
  batch.set_link_epoch(place.link_epoch().empty() ? "flood" : place.link_epoch());
  batch.add_events()->set_origin("beta.example");
  return frame;
}

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

std::string RetryOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::RetryInfo retry;
  if (!details.ParseFromString(status.error_details())) return "null";
  for (const auto& detail : details.details()) {
    if (detail.UnpackTo(&retry)) return absl::StrCat(Seconds(retry.retry_delay()));
  }
  return "null";
}

void FloodOnce(const FloodOptions& options, FederationService::Stub& stub) {
  grpc::ClientContext context;
  const auto stream = stub.Link(&context);
  stream->Write(HelloOf(options));
  Frame frame, interest;
  interest.mutable_interest()->set_paused(true);
  stream->Write(interest);
  int sent = 0;
  uint64_t credit = 0;
  federation::v1::GoAway go_away;
  std::optional<federation::v1::Resume> place;
  while (stream->Read(&frame)) {
    if (frame.has_go_away()) go_away = frame.go_away();
    if (frame.has_resume()) place = frame.resume();
    if (frame.has_credit()) credit = frame.credit().events();
    if (!place || credit == 0) continue;
    const uint64_t first = place->position() + 1;
    while (sent < options.events &&
           stream->Write(BatchOf(*place, first + static_cast<uint64_t>(sent)))) {
      ++sent;
    }
  }
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  std::cout << "{\"sent\": " << sent << ", \"credit\": " << credit
            << ", \"code\": " << status.error_code() << ", \"reason\": \"" << ReasonOf(status)
            << "\", \"retry_s\": " << RetryOf(status) << ", \"go_away\": \"" << go_away.reason()
            << "\", \"go_away_retry_s\": " << Seconds(go_away.retry_after()) << "}" << std::endl;
}

int Flood(const FloodOptions& options) {
  const auto stub = FederationService::NewStub(Dial(options.to, options.as, options.trusting));
  for (int i = 0; i < options.times; ++i) FloodOnce(options, *stub);
  return 0;
}

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string listen_as, attestor, to, domain, as;
  CLI::App app{"a gateway that lies"};
  app.add_option("--listen-as", listen_as);
  app.add_option("--attestor", attestor);
  app.add_option("--to", to);
  app.add_option("--domain", domain);
  app.add_option("--as", as, "FOLDER");
  FloodOptions flood;
  CLI::App* const flooding = app.add_subcommand("flood", "sends without credit");
  flooding->add_option("--to", flood.to)->required();
  flooding->add_option("--as", flood.as)->required();
  flooding->add_option("--trusting", flood.trusting)->required();
  flooding->add_option("--domain", flood.domain)->required();
  flooding->add_option("--agreement", flood.agreement)->required();
  flooding->add_option("--events", flood.events);
  flooding->add_option("--times", flood.times);
  CLI11_PARSE(app, argc, argv);
  return *flooding ? Flood(flood) : Lie(listen_as, attestor, to, domain, as);
}

}  // namespace
}  // namespace cdgate::e2e

int main(int argc, char** argv) { return cdgate::e2e::Main(argc, argv); }
