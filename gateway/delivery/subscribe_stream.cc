#include "gateway/delivery/subscribe_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/frames.h"
#include "gateway/delivery/start_position.h"
#include "gateway/delivery/subscription_settings.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::delivery {
namespace {

absl::Status OutOfOrder(absl::string_view what) {
  return base::MakeError(
      base::Reason::kInvalidArgument,
      absl::StrCat("Subscribe: ", what, "; send `start` first and once, then only `ack`"));
}

absl::Status NotShared() {
  return base::MakeError(
      base::Reason::kInvalidArgument,
      "Subscribe: nack, extend and ack by single sequences are of shared subscriptions; "
      "acknowledge by `ack.sequence`");
}

absl::Status Overloaded() {
  return base::MakeError(base::Reason::kOverloaded,
                         "the gateway has more work queued than it accepts");
}

absl::Status WaitsForNothing() {
  return base::MakeError(base::Reason::kInvalidArgument,
                         "Subscribe: wait is of ordered subscriptions; name one",
                         {{"field", "wait"}});
}

// No ack of one sequence is larger.
constexpr size_t kPlainAckBytes = 32;

}  // namespace

std::shared_ptr<SubscribeStream> SubscribeStream::Subscribe(rpc::ServerStreamPtr stream,
                                                            const SubscribeDeps& deps) {
  std::shared_ptr<SubscribeStream> self(
      new SubscribeStream(std::move(stream), deps, Kind::kSubscribe));
  self->Run(std::nullopt);
  return self;
}

std::shared_ptr<SubscribeStream> SubscribeStream::Watch(rpc::ServerStreamPtr stream,
                                                        const events::v1::WatchRequest& request,
                                                        const SubscribeDeps& deps) {
  std::shared_ptr<SubscribeStream> self(new SubscribeStream(std::move(stream), deps, Kind::kWatch));
  events::v1::SubscribeStart start;
  start.set_filter(request.filter());
  if (request.has_from()) *start.mutable_from() = request.from();
  start.set_max_events(request.max_events());
  start.set_auto_ack(true);
  start.set_convert_to(request.convert_to());
  self->Run(std::move(start));
  return self;
}

SubscribeStream::SubscribeStream(rpc::ServerStreamPtr stream, const SubscribeDeps& deps, Kind kind)
    : stream_(std::move(stream)),
      deps_(deps),
      frame_room_(deps_.frame_room.Take()),
      kind_(kind),
      strand_(base::Strand::Create(deps.pool)) {}

void SubscribeStream::Run(std::optional<events::v1::SubscribeStart> start) {
  // The callbacks keep the session alive until on_closed has run.
  const auto self = shared_from_this();
  stream_->Start(
      {.on_message = [self](grpc::ByteBuffer message) { self->Receive(std::move(message)); },
       .on_end = [self] { self->Post([self] { self->OnClientDone(); }); },
       .on_closed = [self](const absl::Status&) { self->Post([self] { self->OnClosed(); }); }});
  deps_.holders.Add(self);
  if (start) {
    Post([self, start = *std::move(start)] { self->OnStart(start); });
  }
}

void SubscribeStream::Post(base::Task task) {
  if (strand_->Post(std::move(task))) return;
  stream_->Cancel(Overloaded());
}

void SubscribeStream::RunOrPost(base::Task task) {
  if (strand_->RunOrPost(std::move(task))) return;
  stream_->Cancel(Overloaded());
}

void SubscribeStream::Drain() {
  Post([self = shared_from_this()] {
    self->GoAway(base::MakeError(base::Reason::kDraining,
                                 "the gateway is shutting down; resume after the last position"));
  });
}

void SubscribeStream::TakenOver() {
  Post([self = shared_from_this()] {
    self->GoAway(base::MakeError(base::Reason::kTakenOver,
                                 absl::StrCat("another stream reads subscription ", self->name_,
                                              " now; one stream at a time holds a name")));
  });
}

void SubscribeStream::EndForChange(const absl::Status& why, std::function<void()> done) {
  const bool posted = strand_->Post([self = shared_from_this(), why, done] {
    self->changed_ = true;
    self->GoAway(why);
    done();
  });
  if (!posted) done();
}

// ------------------------------------------------------------ what comes in

void SubscribeStream::Receive(grpc::ByteBuffer message) {
  if (PutAck(message)) return stream_->Read();
  Post([self = shared_from_this(), message = std::move(message)] { self->OnMessage(message); });
}

bool SubscribeStream::PutAck(const grpc::ByteBuffer& message) {
  if (message.Length() > kPlainAckBytes) return false;
  events::v1::SubscribeRequest request;
  if (!rpc::Parse(message, &request).ok() || !request.has_ack()) return false;
  const events::v1::Ack& ack = request.ack();
  if (ack.confirm() || !ack.sequences().empty()) return false;
  const AckBox::Kept kept = acks_.Put(base::Sequence(ack.sequence()));
  if (kept == AckBox::Kept::kNow) Post([self = shared_from_this()] { self->OnRoom(); });
  return kept != AckBox::Kept::kNo;
}

void SubscribeStream::OnMessage(const grpc::ByteBuffer& message) {
  if (closed_ || closing_) return;
  events::v1::SubscribeRequest request;
  if (absl::Status parsed = rpc::Parse(message, &request); !parsed.ok()) return Close(parsed);
  if (request.has_start()) {
    if (scope_) return Close(OutOfOrder("a second start"));
    OnStart(request.start());
  } else if (request.request_case() == events::v1::SubscribeRequest::REQUEST_NOT_SET) {
    return Close(OutOfOrder("a message with neither start nor ack"));
  } else if (!window_) {
    return Close(OutOfOrder("an ack before the subscription started"));
  } else if (shared_.subscription != nullptr) {
    OnSharedMessage(std::move(request));
  } else if (request.has_ack()) {
    OnAck(request.ack());
  } else {
    return Close(NotShared());
  }
  if (!closed_) stream_->Read();
}

void SubscribeStream::OnStart(const events::v1::SubscribeStart& start) {
  if (absl::Status opened = Open(start); !opened.ok()) Close(opened);
}

void SubscribeStream::OnAck(const events::v1::Ack& ack) {
  if (!ack.sequences().empty()) return Close(NotShared());
  const base::Sequence sequence(ack.sequence());
  if (absl::Status status = window_->Acknowledge(sequence); !status.ok()) return Close(status);
  if (ack.confirm()) confirm_.push_back(sequence);
  if (name_.empty()) {
    Confirm(sequence);
  } else {
    PersistAck();
  }
  Pump();
}

void SubscribeStream::OnRoom() {
  if (!closed_ && !closing_) Pump();
}

// Those in the box are for what was delivered.
void SubscribeStream::TakeAcks() {
  if (const auto ack = acks_.Take()) (void)window_->Acknowledge(*ack);
}

void SubscribeStream::OnClientDone() {
  client_done_ = true;
  if (!persisting_) Close(absl::OkStatus());
}

void SubscribeStream::OnClosed() {
  closed_ = true;
  StopAsking();
  if (heartbeat_ != 0) deps_.timers.Cancel(heartbeat_);
  LeaveShared();
  over_ = true;
  LeaveOrdered();
}

void SubscribeStream::OnCommits(eventlog::Feed::Commits commits) {
  asking_ = false;
  if (closed_ || closing_) return;
  if (!commits.ok()) return GoAway(commits.status());
  TakeWritten();
  if (writing_) return AwaitWritten();  // asked again behind it
  window_->Offer(*std::move(commits));
  Pump();
}

void SubscribeStream::OnHeartbeatDue() {
  heartbeat_ = 0;
  if (closed_ || closing_) return;
  TakeWritten();
  if (turn_limits_ && !StillWaits()) return;
  if (!wrote_since_heartbeat_ && !writing_ && kind_ == Kind::kSubscribe) {
    events::v1::SubscribeResponse response;
    // By a shared subscription there is no place to go on from: the gateway keeps it. One that
    // waits has none yet.
    if (window_ && shared_.subscription == nullptr) {
      if (asking_ && matched_ != nullptr && ticket_ == 0) window_->SkipThrough(matched_->Seen());
      *response.mutable_heartbeat()->mutable_position() = PositionAt(window_->scanned());
    }
    response.mutable_heartbeat()->set_head(deps_.feed.head().value());
    control_.push_back(std::move(response));
  }
  ArmHeartbeat();
  Pump();
  wrote_since_heartbeat_ = false;  // the heartbeat itself does not put off the next
}

// ------------------------------------------------------------------ opening

absl::Status SubscribeStream::Open(const events::v1::SubscribeStart& start) {
  granted_by_ = deps_.grants.Current();
  filter_ = start.filter();
  epoch_ = deps_.store.head().epoch;
  auto_ack_ = start.auto_ack();
  wait_ = start.wait();
  if (wait_ && start.subscription().empty()) return WaitsForNothing();
  CDGATE_ASSIGN_OR_RETURN(converter_, Converter::Make(start.convert_to()));
  const WindowLimits limits = LimitsOf(start, kind_ == Kind::kWatch);
  if (!start.subscription().empty()) return OpenNamed(start, limits);
  CDGATE_ASSIGN_OR_RETURN(scope_,
                          ReadScope::Make(*granted_by_, stream_->call().principal, filter_));
  CDGATE_ASSIGN_OR_RETURN(const base::Sequence after, ResolveStart(deps_.store, start.from()));
  Activate(limits, after);
  return absl::OkStatus();
}

void SubscribeStream::Activate(WindowLimits limits, base::Sequence after) {
  const bool reads_log = shared_.subscription == nullptr;
  if (reads_log && filter_.empty()) rounds_ = &deps_.rounds.Next();
  if (reads_log && !filter_.empty()) {
    auto matched = deps_.matcher.Register(filter_);
    if (!matched.ok()) return Close(matched.status());
    matched_ = *std::move(matched);
  }
  window_.emplace(limits, after);
  persisted_ = after;
  written_ = after;
  AllowAcks();
  if (kind_ == Kind::kSubscribe) {
    events::v1::SubscribeResponse response;
    *response.mutable_started()->mutable_position() = PositionAt(after);
    response.mutable_started()->set_head(deps_.feed.head().value());
    response.mutable_started()->set_shared(shared_.subscription != nullptr);
    control_.push_back(std::move(response));
  }
  ArmHeartbeat();
  Pump();
}

// ----------------------------------------------------------- what goes out

void SubscribeStream::Pump() {
  if (closed_ || closing_) return;
  TakeWritten();
  if (!window_) return PumpWaiting();
  if (shared_.subscription != nullptr) return PumpShared();
  if (!StillGranted()) return;
  TakeAcks();
  if (!writing_ && !WriteNext() && !WriteFromTail() && window_->complete()) {
    // All that was asked for is delivered; a named subscription waits for its acks.
    const bool settled = name_.empty() || (window_->outstanding() == 0 && !persisting_);
    if (settled) return Close(absl::OkStatus());
  }
  if (WaitsForWrite()) return AwaitWritten();
  if (window_->hungry()) return Ask();
  // By the strand: a client that acknowledges without end is no reason to go on without one.
  if (window_->blocked() && !acks_.Await()) Post([self = shared_from_this()] { self->OnRoom(); });
}

void SubscribeStream::Ask() {
  if (asking_) return;
  asking_ = true;
  ticket_ = 0;
  round_ = 0;
  if (!AskMatcher() && !AskRounds()) AskFeed();
}

// Where it is at the head, and reads everything.
bool SubscribeStream::AskRounds() {
  if (rounds_ == nullptr) return false;
  round_ = rounds_->Wait(window_->next(), [self = shared_from_this()](Rounds::Commits commits) {
    self->RunOrPost(
        [self, commits = std::move(commits)]() mutable { self->OnRound(std::move(commits)); });
  });
  return round_ != 0;
}

void SubscribeStream::OnRound(Rounds::Commits commits) {
  if (!commits.empty()) return OnCommits(std::move(commits));
  round_ = 0;
  asking_ = false;
  if (closed_ || closing_) return;
  asking_ = true;
  AskFeed();  // which says why
}

// Where the stream is at the head, and reads by a filter.
bool SubscribeStream::AskMatcher() {
  return matched_ != nullptr &&
         matched_->Wait(window_->next(), [self = shared_from_this()](event::CommitPtr commit) {
           self->RunOrPost([self, commit = std::move(commit)] { self->OnMatched(commit); });
         });
}

void SubscribeStream::OnMatched(const event::CommitPtr& commit) {
  if (commit != nullptr) return OnCommits(std::vector<event::CommitPtr>{commit});
  asking_ = false;
  if (closed_ || closing_) return;
  asking_ = true;
  AskFeed();  // which says why
}

void SubscribeStream::StopAsking() {
  if (!asking_) return;
  if (matched_ != nullptr) matched_->Cancel();
  if (ticket_ != 0) deps_.feed.Cancel(ticket_);
  if (round_ != 0) rounds_->Cancel(round_);
}

void SubscribeStream::AskFeed() {
  ticket_ = deps_.feed.Next(window_->next(), kFeedLimits,
                            [self = shared_from_this()](eventlog::Feed::Commits commits) {
                              self->RunOrPost([self, commits = std::move(commits)]() mutable {
                                self->OnCommits(std::move(commits));
                              });
                            });
}

bool SubscribeStream::StillGranted() {
  std::shared_ptr<const authz::Grants> now = deps_.grants.Current();
  if (now == granted_by_) return true;
  auto scope = ReadScope::Make(*now, stream_->call().principal, filter_);
  if (!scope.ok()) {
    GoAway(scope.status());
    return false;
  }
  granted_by_ = std::move(now);
  scope_ = *std::move(scope);
  return true;
}

// -------------------------------------------------------------------- acks

void SubscribeStream::PersistAck() {
  // What was handed to the stream but not written yet is not delivered.
  const base::Sequence acknowledged = auto_ack_ ? written_ : window_->acknowledged();
  if (changed_) return;
  if (persisting_ || acknowledged <= persisted_) {
    if (!persisting_) Confirm(persisted_);
    return;
  }
  persisting_ = true;
  state::Proposal proposal;
  state::CursorEdit cursor;
  cursor.move = MakeCursor(name_, epoch_, acknowledged, window_->delivered());
  proposal.cursors.push_back(std::move(cursor));
  const auto self = shared_from_this();
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [self, acknowledged](state::Outcome outcome) {
        self->Post([self, acknowledged, status = std::move(outcome.status)] {
          self->persisting_ = false;
          if (self->over_) return self->LeaveOrdered();
          if (self->closed_) return;
          if (!status.ok()) return self->GoAway(status);
          self->persisted_ = acknowledged;
          self->Confirm(acknowledged);
          self->PersistAck();
          if (self->client_done_ && !self->persisting_) return self->Close(absl::OkStatus());
          self->Pump();
        });
      });
  if (queued.ok()) return;
  persisting_ = false;
  GoAway(queued);
}

void SubscribeStream::Confirm(base::Sequence persisted) {
  const auto rest = std::stable_partition(confirm_.begin(), confirm_.end(),
                                          [&](base::Sequence s) { return s <= persisted; });
  for (auto it = confirm_.begin(); it != rest; ++it) {
    events::v1::SubscribeResponse response;
    response.mutable_ack_confirmed()->set_sequence(it->value());
    control_.push_back(std::move(response));
  }
  confirm_.erase(confirm_.begin(), rest);
}

// --------------------------------------------------------------------- end

void SubscribeStream::ArmHeartbeat() {
  const std::weak_ptr<SubscribeStream> weak = weak_from_this();
  heartbeat_ = deps_.timers.At(deps_.clock.Monotonic() + kHeartbeatInterval, [weak] {
    if (const auto self = weak.lock()) self->Post([self] { self->OnHeartbeatDue(); });
  });
}

void SubscribeStream::GoAway(absl::Status why) {
  if (closed_ || closing_) return;
  closing_ = sent_away_ = true;
  close_status_ = std::move(why);
  TakeWritten();
  if (writing_) return AwaitWritten();
  if (kind_ == Kind::kWatch) return Close(close_status_);
  events::v1::SubscribeResponse response;
  const auto reason = base::ReasonOf(close_status_).value_or(base::Reason::kInternal);
  response.mutable_go_away()->set_reason(std::string(base::ReasonText(reason)));
  response.mutable_go_away()->set_message(std::string(close_status_.message()));
  Write(response.SerializeAsString());
  AwaitWritten();
}

void SubscribeStream::Close(const absl::Status& status) {
  if (closed_) return;
  closed_ = true;
  stream_->Close(status);
}

events::v1::LogPosition SubscribeStream::PositionAt(base::Sequence sequence) const {
  events::v1::LogPosition position;
  position.set_epoch(epoch_.value());
  position.set_sequence(sequence.value());
  return position;
}

}  // namespace cdgate::delivery
