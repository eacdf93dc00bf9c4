#include "federation/session/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/codec.h"
#include "federation/session/export_stop.h"
#include "federation/session/interest_history.h"
#include "federation/session/relay.h"
#include "gateway/base/encoding.h"
#include "gateway/base/logging.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::session {
namespace {

using base::Reason;
using base::Sequence;

// Text of a fresh link epoch: 128 random bits.
constexpr size_t kLinkEpochBytes = 16;

link::ImportCursor CursorOnDisk(const state::Store& store, const std::string& peer) {
  const auto move = store.Cursor(ImportCursorName(peer));
  if (!move) return {};
  return {base::Position(move->position()), move->token(), move->epoch(), move->digest()};
}

link::Rate RateOf(const admin::v1::Limits& limits) {
  return {limits.events_per_second(), limits.burst()};
}

link::Rate ExportRate(const PeerPolicy& policy) {
  return policy.compiled == nullptr ? link::Rate{} : RateOf(policy.compiled->exports().limits);
}

link::Rate ImportRate(const PeerPolicy& policy) {
  return policy.compiled == nullptr ? link::Rate{} : RateOf(policy.compiled->imports().limits);
}

}  // namespace

Sequence AcknowledgedThrough(const state::Store& store, const admin::v1::Peer& peer) {
  const uint64_t agreed = peer.agreed_sequence();
  return std::max(RecordedThrough(store, peer.domain()), Sequence(agreed == 0 ? 0 : agreed - 1));
}

std::shared_ptr<Session> Session::Start(const SessionDeps& deps, SessionOptions options,
                                        const PeerMetrics& metrics, rpc::FrameStreamPtr stream,
                                        Callbacks callbacks) {
  std::shared_ptr<Session> session(
      new Session(deps, std::move(options), metrics, std::move(stream), std::move(callbacks)));
  session->Post([s = session.get()] { s->Begin(); });
  return session;
}

Session::Session(const SessionDeps& deps, SessionOptions options, const PeerMetrics& metrics,
                 rpc::FrameStreamPtr stream, Callbacks callbacks)
    : deps_(deps),
      options_(std::move(options)),
      peer_(options_.peer.domain()),
      metrics_(metrics),
      stream_(std::move(stream)),
      strand_(base::Strand::Create(deps.executor)),
      callbacks_(std::move(callbacks)),
      policy_(deps.store, deps.pseudonyms, peer_),
      cursor_(CursorOnDisk(deps.store, peer_)),
      acknowledged_(RecordedThrough(deps.store, peer_)),
      given_(deps.given, peer_, deps.clock),
      replayed_(deps.given, peer_, deps.clock) {}

Session::~Session() {
  deps_.timers.Cancel(timer_);
  deps_.timers.Cancel(cut_timer_);
}

// ---------------------------------------------------------------- beginning

void Session::Begin() {
  policy_.Refresh();
  MakeParts();
  link_.emplace(MakeConfig());
  heard_at_ = deps_.clock.Monotonic();
  StartStream();
  Step(link::StreamOpened{});
}

void Session::MakeParts() {
  link::ImportCursor on_disk = cursor_;
  if (options_.begin_anew) on_disk.digest.clear();  // which is of what was sent before
  const Poster post = [weak = weak_from_this()](base::Task task) {
    if (const auto self = weak.lock()) self->Post(std::move(task));
  };
  const Failed failed = [this](const absl::Status& why) { Fail(why); };
  const auto take_policy = [this] { return TakePolicy(); };
  signer_.emplace(
      ExportSigner::Deps{.attestor = deps_.attestor,
                         .attestors = deps_.attestors,
                         .clock = deps_.clock,
                         .random = deps_.random},
      ExportSigner::Parties{
          .sender = deps_.domain, .receiver = peer_, .agreement = options_.peer.agreement_id()});
  ledger_.emplace(
      deps_, peer_, post, [this](Sequence through) { Step(link::HorizonWritten{through}); },
      failed);
  exporter_.emplace(
      deps_, peer_, policy_, *signer_, metrics_.exports, take_policy, post,
      [this](link::Decided decided, std::vector<storage::v1::DeadLetter> letters) {
        ledger_->AddDeadLetters(std::move(letters));
        Step(std::move(decided));
      },
      failed);
  exporter_->SetGiven(&given_);
  exporter_->SetSignAhead([this](const link::BatchTree& tree, size_t events) {
    if (const auto claim = link_->exporter().NextClaim(events)) signer_->SignAhead(tree, *claim);
  });
  importer_.emplace(
      deps_, peer_, options_.peer.agreement_id(), on_disk, policy_, metrics_.imports, take_policy,
      *ledger_, post, [this](link::Committed committed) { Step(std::move(committed)); }, failed);
  MakeReplayParts(post, failed);
}

void Session::MakeReplayParts(const Poster& post, const Failed& failed) {
  jobs_.emplace(deps_, peer_, post);
  jobs_->Refresh();
  decider_.emplace(deps_, options_.peer, policy_, [this] { return exporter_->interest(); });
  replayer_.emplace(
      deps_, peer_, *signer_,
      ReplayReader::Calls{
          .take_policy = [this] { return TakePolicy(); },
          .policy_epoch = [this] { return exporter_->policy_epoch(); },
          .decide = [this](const event::Record& record) { return decider_->Decide(record); },
          .flush = [this] { ledger_->Flush(); },
          .answer =
              [this](link::ReplayDecided decided, std::vector<storage::v1::DeadLetter> letters) {
                ledger_->AddDeadLetters(std::move(letters));
                Step(std::move(decided));
              }},
      post, failed);
  replayer_->SetGiven(&replayed_);
}

void Session::StartStream() {
  auto self = shared_from_this();  // the stream forgets its callbacks when it is over
  stream_->Start({
      .on_message = [self](grpc::ByteBuffer bytes) { self->OnMessage(std::move(bytes)); },
      // At a client the stream's status follows and says more.
      .on_end =
          [self] {
            if (self->options_.dialled) return;
            self->Post([s = self.get()] { s->Step(link::StreamClosed{absl::OkStatus()}); });
          },
      .on_closed =
          [self](const absl::Status& why) {
            self->Post([s = self.get(), why] { s->OnClosed(why); });
          },
  });
}

link::LinkConfig Session::MakeConfig() {
  link::LinkConfig config;
  config.domain = deps_.domain;
  config.instance = deps_.instance;
  config.software = deps_.software;
  config.peer = peer_;
  config.agreement_id = options_.peer.agreement_id();
  config.capabilities = {link::kGroupsCapability, link::kReplayCapability, link::kTrustCapability};
  if (deps_.attestors != nullptr) config.capabilities.push_back(link::kStatementsCapability);
  if (deps_.given != nullptr) config.capabilities.push_back(link::kCatalogueCapability);
  if (callbacks_.on_count_request) config.capabilities.push_back(link::kCountsCapability);
  config.max_frame_bytes = options_.max_frame_bytes;
  config.heartbeat = options_.heartbeat;
  config.refuse = options_.refuse;
  config.retry_after_offence = options_.retry_after_offence;
  config.paces = options_.paces.get();
  ConfigureExports(&config);
  ConfigureImports(&config);
  return config;
}

void Session::ConfigureExports(link::LinkConfig* config) {
  const eventlog::Head head = deps_.store.head();
  config->log_epoch = head.epoch;
  config->earlier_epochs = EarlierEpochs();
  config->head = head.sequence;
  config->agreed_sequence = Sequence(options_.peer.agreed_sequence());
  config->acknowledged = acknowledged_;
  config->fresh_link_epoch = base::Base32Encode(deps_.random.Bytes(kLinkEpochBytes));
  config->sealer = &deps_.sealer;
  config->policy_epoch = exporter_->policy_epoch();
  config->export_rate = ExportRate(policy_.current());
  config->exports_held = ExportsStopped(*deps_.store.Resources());
  link::ReplayChanged replay = jobs_->current();
  config->replay = std::move(replay.job);
  config->replay_through = replay.through;
  config->signer = &*signer_;
  if (const auto move = deps_.store.Cursor(ReceiptCursorName(peer_))) {
    config->receipt.emplace().ParseFromString(move->receipt());
    config->receipt_epoch = move->epoch();
  }
  ConfigureLedger(config);
}

// How far anything was sent, and by which decisions the last of it. Without it nothing could be
// accounted for.
void Session::ConfigureLedger(link::LinkConfig* config) const {
  const auto facts = deps_.store.Ledger(peer_, Sequence(UINT64_MAX));
  if (facts.ok()) {
    config->horizon = facts->horizon;
    config->sent_epoch = facts->sent_epoch;
    config->sent_epoch_first = facts->sent_epoch_first;
  } else if (!config->refuse) {
    config->refuse = link::Refuse{base::ReasonOf(facts.status()).value_or(Reason::kInternal),
                                  std::string(facts.status().message()),
                                  {}};
  }
}

void Session::ConfigureImports(link::LinkConfig* config) const {
  if (!options_.begin_anew) config->import_cursor = cursor_;
  config->interest = policy_.current().interest;
  config->import_rate = ImportRate(policy_.current());
}

// ------------------------------------------------------------ from outside

void Session::RefreshPolicy() {
  Post([this] {
    TakeExportStop();
    TakePolicy();
    TakeJobs();
  });
}

void Session::TakeExportStop() {
  Step(link::ExportsHeld{ExportsStopped(*deps_.store.Resources())});
}

void Session::TakeJobs() {
  if (jobs_->Refresh()) Step(jobs_->current());
}

bool Session::TakePolicy() {
  if (!policy_.Refresh()) return false;
  const PeerPolicy& policy = policy_.current();
  Step(link::PolicyChanged{exporter_->policy_epoch(), ExportRate(policy)});
  Step(link::InterestChanged{policy.interest, ImportRate(policy)});
  return true;
}

void Session::Drain(std::string message) {
  Post([this, drain = link::Drain{std::move(message)}]() mutable { Step(std::move(drain)); });
}

void Session::End(Reason reason, std::string message, absl::Duration retry_after) {
  Post([this, end = link::End{reason, std::move(message), retry_after}]() mutable {
    Step(std::move(end));
  });
}

SessionStatus Session::status() const {
  base::MutexLock lock(mu_);
  return status_;
}

// --------------------------------------------------------- strand and stream

void Session::Post(base::Task task) {
  if (strand_->Post([self = shared_from_this(), task = std::move(task)] {
        task();
        self->FinishIfDone();
      })) {
    return;
  }
  Abandon();
}

// Without a strand nothing can be worked on. The stream is cut; what is proposed ends by
// itself. Nothing else runs of the session any more, so this thread may finish it.
void Session::Abandon() {
  if (abandoned_.exchange(true)) return;
  const absl::Status why = base::MakeError(
      Reason::kOverloaded, "the gateway has no room for the link's work; it is tried again");
  base::LogError(base::LogLevel::kError, "link abandoned", why, {{"peer", peer_}});
  metrics_.up.Set(0);
  stream_->Cancel(why);
  if (std::exchange(done_, true)) return;
  if (!std::exchange(ended_, true)) {
    callbacks_.on_end({.reason = Reason::kOverloaded, .message = std::string(why.message())});
  }
  callbacks_.on_done();
}

void Session::OnMessage(grpc::ByteBuffer bytes) {
  // Reading goes on while there is room for one more, and only when this message has its place on
  // the strand, whoever asks for the next one: that may come on another thread at once. So it is
  // counted after that, and the strand may have worked on it by then.
  Post([this, bytes = std::move(bytes)] {
    Receive(bytes);
    if (reading_.fetch_sub(1) == kReadAhead) stream_->Read();
  });
  if (reading_.fetch_add(1) + 1 < kReadAhead) stream_->Read();
}

void Session::Receive(const grpc::ByteBuffer& bytes) {
  if (ended_) return;
  link::FrameReceived received;
  heard_at_ = deps_.clock.Monotonic();
  const auto flat = std::make_shared<rpc::FlatBytes>(bytes);
  if (!link::DecodeFrame(flat->view(), flat, &received)) return Step(link::FrameMalformed{});
  // A place is judged against the log as it is now.
  if (received.frame.has_resume()) Step(HeadNow());
  Step(std::move(received));
}

void Session::OnClosed(const absl::Status& why) {
  stream_closed_ = true;
  Step(link::StreamClosed{why});
}

// ------------------------------------------------------------------ the link

absl::Time Session::LinkTime() const { return absl::UnixEpoch() + deps_.clock.Monotonic(); }

link::HeadMoved Session::HeadNow() const {
  const absl::Time now = deps_.clock.Now();
  return {deps_.store.head().sequence, now};
}

void Session::StepAll() {
  if (std::exchange(stepping_, true)) return;  // what follows from an output comes after it
  do {
    while (std::optional<link::Input> next = NextInput()) {
      for (link::Output& output : link_->Step(*std::move(next), LinkTime())) {
        std::visit([this](auto&& out) { Do(std::move(out)); }, std::move(output));
      }
    }
  } while (link_->awaits_written() && !write_.Await());
  stepping_ = false;
  PublishStatus();
}

std::optional<link::Input> Session::NextInput() {
  if (write_.Take()) return link::Written{};
  if (inputs_.empty()) return std::nullopt;
  link::Input next = std::move(inputs_.front());
  inputs_.pop_front();
  return next;
}

void Session::Do(link::SendFrame send) {
  if (send.frame.has_batch()) {
    metrics_.exports.events->Add(static_cast<double>(link_->exporter().sent_position().value() + 1 -
                                                     send.frame.batch().first_position()));
  }
  if (send.frame.has_heartbeat()) AddReceipt(&send.frame);
  std::string head = link::EncodeHead(send);  // counts the events: before they are moved
  write_.Begin();
  stream_->Send(rpc::ToBytes(std::move(head), std::move(send.events)),
                [weak = weak_from_this()](bool ok) {
                  const auto self = weak.lock();
                  if (!ok || self == nullptr) return;  // on_closed says the rest
                  if (self->write_.Finish()) self->Post([s = self.get()] { s->StepAll(); });
                });
}

void Session::Do(link::CheckPlace check) {
  const auto event = deps_.store.ReadEvent(check.sequence);
  const bool trimmed = base::ReasonOf(event.status()) == Reason::kTrimmed;
  if (!event.ok() && !trimmed && base::ReasonOf(event.status()) != Reason::kNotFound) {
    return Fail(event.status());
  }
  Step(link::PlaceChecked{trimmed || (event.ok() && MarkOf(*event->record) == check.mark)});
}

void Session::Do(link::RecordLedger record) {
  CountRefusals(record.rows);
  given_.Acknowledged(record.acknowledged_sequence);
  ledger_->Record(std::move(record));
}

void Session::Do(link::RecordReplay record) {
  CountRefusals(record.rows);
  jobs_->NoteRecorded(record.number, record.through);
  replayed_.Acknowledged(record.through);
  ledger_->Record(std::move(record));
}

void Session::CountRefusals(const std::vector<storage::v1::LedgerRow>& rows) const {
  size_t refused = 0;
  for (const auto& row : rows) {
    for (const auto& exception : row.exceptions()) refused += exception.state() == "refused";
  }
  metrics_.exports.refusals->Add(static_cast<double>(refused));
}

void Session::Do(link::ReplayDone done) {
  jobs_->Finish(done.number);
  Step(jobs_->current());
}

void Session::Do(link::InterestReceived received) {
  const uint64_t known = interest_ == nullptr ? 0 : interest_->version();
  if (received.interest.version() != known) {
    interest_ = std::make_shared<const policy::CompiledInterest>(
        policy::CompiledInterest::Compile(received.interest));
    exporter_->SetInterest(interest_);
    RecordInterest(deps_.store, deps_.clock.Now(), peer_, received.interest);
  }
}

void Session::Do(link::PeerExports exports) {
  peer_exports_stopped_ = exports.stopped;
  base::Log(base::LogLevel::kInfo,
            exports.stopped ? "peer stopped its exports" : "peer resumed its exports",
            {{"peer", peer_}});
}

void Session::Do(link::SetTimer timer) {
  deps_.timers.Cancel(timer_);
  const absl::Duration due = timer.at - absl::UnixEpoch();
  timer_ = deps_.timers.At(due, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->Post([s = self.get()] {
      s->Step(s->HeadNow());
      s->Step(link::Tick{});
    });
  });
}

void Session::Do(link::StateChanged changed) {
  base::Log(base::LogLevel::kDebug, "link state",
            {{"peer", peer_},
             {"from", std::string(link::StateName(changed.from))},
             {"to", std::string(link::StateName(changed.to))}});
  metrics_.up.Set(changed.to == link::State::kUp ? 1 : 0);
  if (changed.to != link::State::kUp) return;
  metrics_.reconnects.Add();
  callbacks_.on_up();
}

void Session::Do(link::CloseStream close) {
  ended_ = true;
  deps_.timers.Cancel(std::exchange(timer_, 0));
  exporter_->Stop();
  replayer_->Stop();
  importer_->Stop();
  ledger_->Flush();
  absl::Status why = base::MakeError(close.reason, close.message);
  if (close.retry_after > absl::ZeroDuration() && !close.by_peer) {
    why = base::WithRetryAfter(std::move(why), close.retry_after);
  }
  stream_->Close(why);
  // An other side that does not let go is cut off.
  cut_timer_ = deps_.timers.At(deps_.clock.Monotonic() + kCutAfter,
                               [stream = stream_, why] { stream->Cancel(why); });
  callbacks_.on_end(close);
}

void Session::Fail(const absl::Status& why) {
  if (ended_) return;
  base::LogError(base::LogLevel::kError, "link fails", why, {{"peer", peer_}});
  Step(link::End{base::ReasonOf(why).value_or(Reason::kInternal), std::string(why.message()), {}});
}

void Session::PublishStatus() {
  const link::Exporter& exports = link_->exporter();
  const link::Importer& imports = link_->importer();
  base::MutexLock lock(mu_);
  status_.state = link_->state();
  status_.sent = exports.sent_position();
  status_.acknowledged = exports.acknowledged_position();
  status_.sent_through = exports.sent_through();
  status_.acknowledged_through = exports.acknowledged_through();
  status_.paused_by_peer = exports.paused();
  status_.exports_held = exports.held();
  status_.peer_exports_stopped = peer_exports_stopped_;
  status_.received = imports.received();
  status_.committed = imports.committed();
  status_.peer_caught_up = peer_caught_up_;
  status_.heard_at = heard_at_;
  status_.import_stall = importer_->stall();
  status_.counts = link_->BothKnow(link::kCountsCapability);
  status_.interest = interest_;
}

void Session::FinishIfDone() {
  if (done_ || !ended_ || !stream_closed_) return;
  if (!importer_->idle() || !ledger_->idle()) return;
  done_ = true;
  deps_.timers.Cancel(std::exchange(cut_timer_, 0));
  // Whoever is called may begin the next session; of this one nothing is left.
  callbacks_.on_done();
  callbacks_ = {};
}

}  // namespace cdgate::session
