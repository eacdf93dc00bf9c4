#include "gateway/app/fetch_back.h"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/credentials/credentials.h"
#include "cdgate/federation/v1/recovery.pb.h"
#include "federation/attestation/event_file.h"
#include "federation/attestation/judgement.h"
#include "federation/session/registry_directory.h"
#include "gateway/api/times.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/rpc/client_channel.h"

namespace cdgate::app {
namespace {

using admin::v1::FetchEventsResponse;
using base::Reason;
using federation::v1::FetchBackRequest;
using federation::v1::FetchBackResponse;
using federation::v1::HeldEvent;

constexpr char kMethod[] = "/cdgate.federation.v1.RecoveryService/FetchBack";
// A page may have one large event alone.
constexpr int kMaxPageBytes = 80 << 20;
constexpr absl::Duration kPageTimeout = absl::Seconds(60);
// How often somebody who waits for a page looks whether the gateway ends.
constexpr absl::Duration kLook = absl::Milliseconds(200);
// A peer may have a long log with little of ours in it, but not one without end.
constexpr absl::Duration kFruitless = absl::Minutes(10);
constexpr absl::Duration kMaxFetch = absl::Hours(12);
constexpr int kMaxNotTaken = 100;

absl::Status Stopping() {
  return base::MakeError(Reason::kDraining, "the gateway is shutting down; try again");
}

// Answers, taken in order by whoever waits for them.
template <typename T>
class Box {
 public:
  void Put(absl::StatusOr<T> value) {
    base::MutexLock lock(mu_);
    values_.push_back(std::move(value));
    ready_.SignalAll();
  }
  absl::StatusOr<T> Take() {
    for (;;) {
      if (auto value = TakeWithin(absl::Hours(1))) return *std::move(value);
    }
  }
  // None where nothing came.
  std::optional<absl::StatusOr<T>> TakeWithin(absl::Duration limit) {
    base::MutexLock lock(mu_);
    while (values_.empty()) {
      if (!ready_.WaitFor(mu_, limit) && values_.empty()) return std::nullopt;
    }
    if (!values_.front().ok()) return values_.front();  // what ended it stays the answer
    absl::StatusOr<T> value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

 private:
  base::Mutex mu_;
  base::CondVar ready_;
  std::deque<absl::StatusOr<T>> values_ CDGATE_GUARDED_BY(mu_);
};

// The stream to the peer, one page after the other.
class Pages {
 public:
  Pages(const FetchBackDeps& deps, const admin::v1::Peer& peer,
        const std::function<bool()>& stopped)
      : deps_(deps),
        stopped_(stopped),
        channel_(peer.endpoint(),
                 credentials::PeerChannelCredentials(
                     deps.identity, deps.trust, peer.domain(),
                     credentials::WithAddress(deps.observer, peer.endpoint()), deps.clock),
                 {.clock = deps.clock, .timers = deps.timers, .max_message_bytes = kMaxPageBytes}),
        stream_(channel_.OpenStream(kMethod)) {
    stream_->Start(
        {.on_message = [box = box_](grpc::ByteBuffer page) { box->Put(std::move(page)); },
         .on_end = {},
         .on_closed =
             [box = box_](const absl::Status& why) {
               box->Put(why.ok() ? base::MakeError(Reason::kUnreachable, "the peer ended the call")
                                 : why);
             }});
  }
  ~Pages() { stream_->Close(absl::OkStatus()); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  absl::StatusOr<FetchBackResponse> Next(const FetchBackRequest& request) {
    if (begun_) stream_->Read();
    begun_ = true;
    stream_->Send(rpc::Serialise(request), [](bool) {});
    const absl::StatusOr<grpc::ByteBuffer> bytes = Wait();
    if (!bytes.ok()) {
      stream_->Cancel(bytes.status());
      return bytes.status();
    }
    FetchBackResponse page;
    CDGATE_RETURN_IF_ERROR(rpc::Parse(*bytes, &page));
    return page;
  }

 private:
  absl::StatusOr<grpc::ByteBuffer> Wait() {
    const absl::Duration due = deps_.clock.Monotonic() + kPageTimeout;
    for (;;) {
      if (auto page = box_->TakeWithin(kLook)) return *std::move(page);
      if (stopped_ && stopped_()) return Stopping();
      if (deps_.clock.Monotonic() >= due) {
        return base::MakeError(Reason::kDeadlineExceeded, "the peer did not answer");
      }
    }
  }

  const FetchBackDeps& deps_;
  const std::function<bool()>& stopped_;
  rpc::ClientChannel channel_;
  const std::shared_ptr<Box<grpc::ByteBuffer>> box_ = std::make_shared<Box<grpc::ByteBuffer>>();
  const rpc::FrameStreamPtr stream_;
  bool begun_ = false;
};

// The log never had more of it than the peer: it cannot become whole again.
bool IsAltered(const federation::v1::RelayedEvent& event) {
  return event.salt().empty() || event.export_().withheld_size() > 0 ||
         event.export_().substituted_size() > 0;
}

// Takes pages into the log.
class Taker {
 public:
  Taker(const FetchBackDeps& deps, const std::string& peer, const FetchBackOptions& options)
      : deps_(deps), peer_(peer), options_(options), keys_(deps.attestors) {}

  absl::Status Take(FetchBackResponse page) {
    TakeAttestors(std::move(*page.mutable_attestors()));
    std::vector<std::string> bytes;
    std::vector<event::RelayedView> views;
    bytes.reserve(static_cast<size_t>(page.events_size()));
    for (HeldEvent& held : *page.mutable_events()) {
      if (!IsOurs(held)) continue;
      held.mutable_event()->clear_statements();
      bytes.push_back(held.event().SerializeAsString());
      event::RelayedView view;
      if (view.Assign(bytes.back())) views.push_back(std::move(view));
    }
    return Commit(views, deps_.admission.Recover(peer_, views));
  }

  FetchEventsResponse& result() { return result_; }
  // Events of ours so far.
  uint64_t known() const { return result_.recovered() + result_.present() + result_.altered(); }

 private:
  // A certificate that does not verify is logged by the registry, and proves nothing.
  void TakeAttestors(google::protobuf::RepeatedPtrField<federation::v1::AttestorCertificate> sent) {
    if (sent.empty()) return;
    federation::v1::Attestors frame;
    for (auto& one : sent) {
      if (frame.attestors_size() == session::kMaxAttestorsOfFrame) break;
      *frame.add_attestors() = std::move(one);
    }
    deps_.attestors.Take(peer_, frame).IgnoreError();
  }

  bool IsOurs(const HeldEvent& held) {
    if (IsAltered(held.event())) {
      result_.set_altered(result_.altered() + 1);
      Note(held.event().cloud_event(), "altered");
      return false;
    }
    const absl::Status proven = Prove(held);
    if (proven.ok()) return true;
    if (options_.unproven && base::ReasonOf(proven) == Reason::kAttestationUnproven) return true;
    result_.set_unproven(result_.unproven() + 1);
    Note(held.event().cloud_event(), LabelOf(proven));
    return false;
  }

  // By our own signature, under our own bundle.
  absl::Status Prove(const HeldEvent& held) {
    federation::v1::EventFile file;
    file.set_version(attestation::kEventFileVersion);
    file.set_receiver(peer_);
    *file.mutable_event() = held.event();
    file.set_sender_statement(held.sender_statement());
    // It went to its first receiver and no further: there are no earlier terms to be within.
    const auto never = [](absl::string_view, absl::string_view) { return false; };
    return attestation::Judge(file, keys_, never).proven;
  }

  absl::Status Commit(const std::vector<event::RelayedView>& views,
                      std::vector<admission::Imported> recovered) {
    state::Proposal proposal;
    std::vector<size_t> proposed;
    for (size_t i = 0; i < recovered.size(); ++i) {
      if (!recovered[i].status.ok()) {
        Refuse(views[i], recovered[i].status);
        continue;
      }
      proposal.events.push_back(std::move(recovered[i].event));
      proposed.push_back(i);
    }
    if (proposed.empty()) return absl::OkStatus();
    CDGATE_ASSIGN_OR_RETURN(const state::Outcome outcome, Propose(std::move(proposal)));
    for (size_t k = 0; k < proposed.size(); ++k) {
      const state::EventResult& event = outcome.events[k];
      if (!event.status.ok()) {
        Refuse(views[proposed[k]], event.status);
      } else if (event.duplicate) {
        result_.set_present(result_.present() + 1);
      } else {
        result_.set_recovered(result_.recovered() + 1);
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<state::Outcome> Propose(state::Proposal proposal) {
    const auto box = std::make_shared<Box<state::Outcome>>();
    CDGATE_RETURN_IF_ERROR(deps_.store.Propose(
        std::move(proposal), [box](state::Outcome outcome) { box->Put(std::move(outcome)); }));
    CDGATE_ASSIGN_OR_RETURN(state::Outcome outcome, box->Take());
    CDGATE_RETURN_IF_ERROR(outcome.status);
    return outcome;
  }

  static std::string LabelOf(const absl::Status& why) {
    return base::ReasonLabel(base::ReasonOf(why).value_or(Reason::kInternal));
  }

  void Refuse(const event::RelayedView& event, const absl::Status& why) {
    result_.set_refused(result_.refused() + 1);
    Note(event.cloud_event(), LabelOf(why));
  }

  void Note(absl::string_view cloud_event, const std::string& reason) {
    if (result_.not_taken_size() >= kMaxNotTaken) return;
    admin::v1::NotTaken& one = *result_.add_not_taken();
    one.set_reason(reason);
    event::CloudEventView view;
    if (!view.Assign(cloud_event)) return;
    one.set_source(base::Shorten(view.source()));
    one.set_id(base::Shorten(view.id()));
  }

  const FetchBackDeps& deps_;
  const std::string peer_;
  const FetchBackOptions options_;
  session::RegistryDirectory keys_;
  FetchEventsResponse result_;
};

}  // namespace

absl::StatusOr<FetchEventsResponse> FetchBack(const FetchBackDeps& deps,
                                              const admin::v1::Peer& peer,
                                              const FetchBackOptions& options) {
  Pages pages(deps, peer, options.stopped);
  Taker taker(deps, peer.domain(), options);
  FetchBackRequest request;
  request.set_agreement_id(peer.agreement_id());
  request.set_accepted_from_nanos(absl::ToUnixNanos(options.accepted_from));
  const absl::Duration began = deps.clock.Monotonic();
  absl::Duration fruitful = began;
  for (bool done = false; !done;) {
    CDGATE_ASSIGN_OR_RETURN(FetchBackResponse page, pages.Next(request));
    done = page.done();
    const uint64_t known = taker.known();
    CDGATE_RETURN_IF_ERROR(taker.Take(std::move(page)));
    request.Clear();
    const absl::Duration now = deps.clock.Monotonic();
    if (taker.known() != known) fruitful = now;
    if (!done && (now - fruitful > kFruitless || now - began > kMaxFetch)) {
      return base::MakeError(Reason::kDeadlineExceeded,
                             "the peer comes to no end; what came is kept, and --from a later "
                             "time goes on from there");
    }
    if (!done && options.stopped && options.stopped()) return Stopping();
  }
  *taker.result().mutable_fetch_time() = api::ToProto(deps.clock.Now());
  return std::move(taker.result());
}

}  // namespace cdgate::app
