#include "federation/link/link.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/codec.h"
#include "federation/link/offence.h"
#include "federation/link/protocol_error.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"

namespace cdgate::link {
namespace {

using base::Reason;
using federation::v1::Frame;

// The reason of an error of ours or of the transport.
Reason ReasonOr(const absl::Status& status, Reason otherwise) {
  return base::ReasonOf(status).value_or(otherwise);
}

// Those that one frame holds, in their order: of the others the peer knows no members.
federation::v1::Groups GroupsThatFit(federation::v1::Groups groups, uint32_t max_frame_bytes) {
  constexpr size_t kOverhead = 16;  // of the frame
  const size_t most = std::min<size_t>(kMaxGroupsBytes, max_frame_bytes) - kOverhead;
  while (groups.groups_size() > kMaxGroups || groups.ByteSizeLong() > most) {
    groups.mutable_groups()->RemoveLast();
  }
  return groups;
}

void FillGoAway(const CloseStream& end, federation::v1::GoAway* go_away) {
  go_away->set_reason(std::string(base::ReasonText(end.reason)));
  go_away->set_message(end.message);
  if (end.retry_after > absl::ZeroDuration()) {
    go_away->mutable_retry_after()->set_seconds(absl::ToInt64Seconds(end.retry_after));
  }
}

// As many offers as one frame holds.
federation::v1::Catalogue CatalogueThatFits(federation::v1::Catalogue catalogue,
                                            uint32_t max_frame_bytes) {
  constexpr size_t kOverhead = 16;  // of the frame, and to say that it was cut
  const size_t most = std::min<size_t>(kMaxCatalogueBytes, max_frame_bytes) - kOverhead;
  size_t size = catalogue.ByteSizeLong();
  int keep = catalogue.offers_size();
  for (; keep > 0 && size > most; --keep) {
    size -= std::min(size, catalogue.offers(keep - 1).ByteSizeLong());
  }
  if (keep == catalogue.offers_size()) return catalogue;
  catalogue.set_truncated(true);
  catalogue.mutable_offers()->DeleteSubrange(keep, catalogue.offers_size() - keep);
  return catalogue;
}

// What a peer may ask us to wait.
constexpr absl::Duration kGreatestRetryAfter = absl::Minutes(5);

}  // namespace

absl::string_view StateName(State state) {
  switch (state) {
    case State::kIdle: return "idle";
    case State::kHandshake: return "handshake";
    case State::kEstablishing: return "establishing";
    case State::kUp: return "up";
    case State::kDraining: return "draining";
    case State::kClosing: return "closing";
    case State::kClosed: return "closed";
  }
  return "closed";
}

Link::Link(LinkConfig config)
    : config_(std::move(config)), exporter_(config_), importer_(config_) {}

Outputs Link::Step(Input input, absl::Time now) {
  Outputs out;
  if (state_ == State::kClosed) return out;
  out_ = &out;
  now_ = std::max(now_, now);
  std::visit([this](auto&& in) { On(std::move(in)); }, std::move(input));
  CheckTimes();
  if (greeted()) {
    exporter_.Pump(now_, &out);
    CheckEstablished();
    CheckDrained();
  }
  SendNext();
  awaits_written_ = writing_ && FrameDue();
  ArmTimer();
  out_ = nullptr;
  return out;
}

// ------------------------------------------------------------------- inputs

void Link::On(StreamOpened) {
  if (state_ != State::kIdle) return;
  opened_at_ = heard_at_ = now_;
  SetState(State::kHandshake);
  if (config_.refuse) {
    return On(End{config_.refuse->reason, config_.refuse->message, config_.refuse->retry_after});
  }
  hello_due_ = true;
}

void Link::On(FrameReceived received) {
  if (!alive()) return;
  heard_at_ = now_;
  const absl::Status status = OnFrame(std::move(received));
  if (!status.ok()) Fail(status);
}

void Link::On(FrameMalformed) {
  if (alive()) Fail(ProtocolError("bytes came that are no frame"));
}

void Link::On(StreamClosed closed) {
  if (state_ == State::kClosing || state_ == State::kDraining) return Finish(end_);
  Finish({.reason = ReasonOr(closed.why, Reason::kLinkDown),
          .message = closed.why.ok() ? "the other side closed the stream"
                                     : std::string(closed.why.message())});
}

void Link::On(Written) {
  writing_ = false;
  if (go_away_writing_ && state_ == State::kClosing) Finish(end_);
}

void Link::On(PlaceChecked checked) {
  const absl::Status status = exporter_.OnPlaceChecked(checked.same);
  if (!status.ok() && alive()) Fail(status);
}

void Link::On(ExportsHeld change) {
  if (!exporter_.SetHeld(change.held)) return;
  heartbeat_at_ = std::min(heartbeat_at_, now_);  // which tells the peer
}

void Link::On(GroupsChanged change) { groups_ = std::move(change.groups); }

void Link::On(TrustChanged change) { trust_ = std::move(change.update); }

void Link::On(SendCount send) {
  if (counts_.size() < kMaxCountsWaiting) counts_.push_back(std::move(send.frame));
}

void Link::On(InterestChanged change) {
  config_.interest = std::move(change.interest);
  importer_.SetRate(change.import_rate);
  interest_due_ = interest_due_ || greeted();
  // Credit is not taken back: what was given under a greater rate ends with the link.
  if (importer_.credit_exceeds_rate()) On(Drain{"a rate was changed; the link is made again"});
}

void Link::On(Drain drain) {
  if (state_ == State::kDraining || state_ == State::kClosing) return;
  End end{Reason::kDraining, std::move(drain.message), {}};
  if (!greeted()) return On(std::move(end));  // nothing can be on its way
  end_ = {.reason = end.reason, .message = std::move(end.message)};
  go_away_due_ = true;
  StartDraining();
}

void Link::On(End end) {
  CloseStream close{.reason = end.reason, .message = std::move(end.message)};
  close.retry_after = end.retry_after;
  if (close.retry_after == absl::ZeroDuration() && IsOffence(close.reason)) {
    close.retry_after = config_.retry_after_offence;
  }
  if (state_ == State::kIdle) return Finish(std::move(close));
  if (state_ == State::kClosing) return;
  end_ = std::move(close);
  go_away_due_ = true;
  deadline_ = now_ + kCloseGrace;
  exporter_.Stop();
  SetState(State::kClosing);
}

void Link::Fail(const absl::Status& why) {
  On(End{ReasonOr(why, Reason::kInternal), std::string(why.message()), absl::ZeroDuration()});
}

// ------------------------------------------------------------------- frames

absl::Status Link::OnFrame(FrameReceived received) {
  const Frame& frame = received.frame;
  if (frame.has_go_away()) return OnGoAway(frame.go_away()), absl::OkStatus();
  if (state_ == State::kHandshake) {
    if (!frame.has_hello()) return ProtocolError("the first frame is not a Hello");
    return OnHello(frame.hello());
  }
  switch (frame.frame_case()) {
    case Frame::kHello: return ProtocolError("a second Hello");
    case Frame::kInterest: return exporter_.OnInterest(frame.interest(), out_);
    case Frame::kResume: return exporter_.OnResume(frame.resume(), out_);
    case Frame::kCredit: return exporter_.OnCredit(frame.credit());
    case Frame::kAck: return exporter_.OnAck(frame.ack());
    case Frame::kBatch: return OnBatch(std::move(received));
    case Frame::kHeartbeat: return OnHeartbeat(frame.heartbeat());
    case Frame::kGroups: return OnGroups(frame.groups(), received.wire_bytes);
    case Frame::kTrust: return OnTrust(frame.trust(), received.wire_bytes);
    case Frame::kAttestors: return OnAttestors(frame.attestors(), received.wire_bytes);
    case Frame::kCatalogue:
      return OnCatalogue(std::move(*received.frame.mutable_catalogue()), received.wire_bytes);
    case Frame::kCountRequest:
    case Frame::kCountAnswer: return OnCount(frame, received.wire_bytes);
    default: return ProtocolError("a frame of a kind that version 1 does not have");
  }
}

absl::Status Link::OnBatch(FrameReceived received) {
  if (received.frame.batch().replay() && !BothKnow(kReplayCapability)) {
    return ProtocolError("a Batch of past events without the capability");
  }
  return importer_.OnBatch(std::move(received), out_);
}

absl::Status Link::OnGroups(const federation::v1::Groups& groups, size_t wire_bytes) {
  if (!BothKnow(kGroupsCapability)) return ProtocolError("Groups without the capability");
  if (groups.groups_size() > kMaxGroups || wire_bytes > kMaxGroupsBytes) {
    return ProtocolError(absl::StrCat(groups.groups_size(), " groups of ", wire_bytes,
                                      " bytes, the most are ", kMaxGroups, " of ",
                                      kMaxGroupsBytes));
  }
  out_->push_back(GroupsReceived{groups});
  return absl::OkStatus();
}

absl::Status Link::OnTrust(const federation::v1::TrustUpdate& update, size_t wire_bytes) {
  if (!BothKnow(kTrustCapability)) return ProtocolError("a TrustUpdate without the capability");
  if (wire_bytes > kMaxTrustBytes) {
    return ProtocolError(
        absl::StrCat("a TrustUpdate of ", wire_bytes, " bytes, the most are ", kMaxTrustBytes));
  }
  out_->push_back(TrustReceived{update});
  return absl::OkStatus();
}

absl::Status Link::OnCatalogue(federation::v1::Catalogue catalogue, size_t wire_bytes) {
  // Before there was the capability the frame was reserved, and ignored.
  if (!BothKnow(kCatalogueCapability)) return absl::OkStatus();
  if (wire_bytes > kMaxCatalogueBytes || catalogue.offers_size() > kMaxOffers ||
      catalogue.requests_size() > kMaxAccessRequests ||
      catalogue.answers_size() > kMaxAccessRequests) {
    return ProtocolError(
        absl::StrCat("a Catalogue of ", wire_bytes, " bytes with ", catalogue.offers_size(),
                     " offers, ", catalogue.requests_size(), " requests and ",
                     catalogue.answers_size(), " answers, the most are ", kMaxCatalogueBytes,
                     " bytes, ", kMaxOffers, " offers and ", kMaxAccessRequests, " of the others"));
  }
  out_->push_back(CatalogueReceived{std::move(catalogue)});
  return absl::OkStatus();
}

absl::Status Link::OnCount(const Frame& frame, size_t wire_bytes) {
  if (!BothKnow(kCountsCapability)) return ProtocolError("a count without the capability");
  if (wire_bytes > kMaxCountBytes) {
    return ProtocolError(
        absl::StrCat("a count of ", wire_bytes, " bytes, the most are ", kMaxCountBytes));
  }
  if (frame.has_count_request()) {
    out_->push_back(CountAsked{frame.count_request()});
  } else {
    out_->push_back(CountAnswered{frame.count_answer()});
  }
  return absl::OkStatus();
}

absl::Status Link::OnAttestors(const federation::v1::Attestors& attestors, size_t wire_bytes) {
  if (!BothKnow(kStatementsCapability)) return ProtocolError("Attestors without the capability");
  if (attestors.attestors_size() > kMaxAttestors || wire_bytes > kLeastMaxFrameBytes) {
    return ProtocolError(absl::StrCat(attestors.attestors_size(), " attestors of ", wire_bytes,
                                      " bytes, the most are ", kMaxAttestors, " of ",
                                      kLeastMaxFrameBytes));
  }
  out_->push_back(AttestorsReceived{attestors});
  return absl::OkStatus();
}

// As many as one frame holds; the others stay.
federation::v1::Attestors Link::TakeAttestors() {
  federation::v1::Attestors take, rest;
  size_t bytes = 0;
  for (auto& attestor : *attestors_.mutable_attestors()) {
    bytes += attestor.ByteSizeLong() + 4;
    const bool fits = bytes <= kMaxAttestorsBytes && take.attestors_size() < kMaxAttestors;
    (fits ? take : rest).add_attestors()->Swap(&attestor);
  }
  attestors_ = std::move(rest);
  return take;
}

// A key is told of before anything that it signed, also where it came into use after that was
// decided.
bool Link::AttestorsDue() {
  if (!BothKnow(kStatementsCapability)) return false;
  const bool signs = HeartbeatDue() || exporter_.HasBatch();
  if (signs && config_.signer != nullptr) config_.signer->Prepare(&attestors_);
  return attestors_.attestors_size() > 0;
}

bool Link::TrustDue() const {
  constexpr size_t kOverhead = 16;  // of the frame
  return trust_ && BothKnow(kTrustCapability) &&
         trust_->ByteSizeLong() + kOverhead <=
             std::min<size_t>(kMaxTrustBytes, agreed_.peer_max_frame_bytes);
}

absl::Status Link::OnHeartbeat(const federation::v1::Heartbeat& heartbeat) {
  if (std::exchange(peer_exports_stopped_, heartbeat.exports_stopped()) !=
      heartbeat.exports_stopped()) {
    out_->push_back(PeerExports{heartbeat.exports_stopped()});
  }
  if (heartbeat.has_receipt()) exporter_.OnReceipt(heartbeat.receipt(), out_);
  return importer_.OnHeartbeat(heartbeat, now_, out_);
}

bool Link::BothKnow(absl::string_view capability) const {
  const auto& both = agreed_.capabilities;
  return std::find(both.begin(), both.end(), capability) != both.end();
}

absl::Status Link::OnHello(const federation::v1::Hello& hello) {
  CDGATE_ASSIGN_OR_RETURN(agreed_, JudgeHello(hello, config_));
  exporter_.SetPeerMaxFrame(agreed_.peer_max_frame_bytes);
  if (BothKnow(kReplayCapability)) exporter_.EnableReplay();
  if (BothKnow(kStatementsCapability)) exporter_.EnableStatements();
  interest_due_ = resume_due_ = true;
  // What holds us back is told at once.
  heartbeat_at_ = exporter_.held() ? now_ : now_ + config_.heartbeat;
  SetState(State::kEstablishing);
  return absl::OkStatus();
}

void Link::OnGoAway(const federation::v1::GoAway& go_away) {
  CloseStream close;
  // A reason of a newer release than ours still ends the link.
  close.reason = base::ReasonFromText(go_away.reason()).value_or(Reason::kLinkDown);
  close.message = base::Shorten(go_away.message(), 200);
  close.by_peer = true;
  const auto& retry = go_away.retry_after();
  close.retry_after = std::clamp(absl::Seconds(retry.seconds()) + absl::Nanoseconds(retry.nanos()),
                                 absl::ZeroDuration(), kGreatestRetryAfter);
  if (close.reason != Reason::kDraining || !greeted()) return Finish(std::move(close));
  if (state_ == State::kDraining) return;  // both drain: each waits for its own
  end_ = std::move(close);
  StartDraining();
}

// ------------------------------------------------------------------ progress

void Link::SetState(State to) {
  out_->push_back(StateChanged{state_, to});
  state_ = to;
}

void Link::StartDraining() {
  exporter_.Stop();
  importer_.Stop(out_);
  deadline_ = now_ + kLinger;
  SetState(State::kDraining);
}

void Link::CheckTimes() {
  if (state_ == State::kClosing || state_ == State::kDraining) {
    if (now_ >= deadline_) Finish(end_);
    return;
  }
  if (!alive()) return;
  const bool greeted_before = greeted();
  const absl::Duration interval = greeted_before ? agreed_.peer_heartbeat : config_.heartbeat;
  if (now_ - heard_at_ >= kMissedHeartbeats * interval) {
    return Fail(
        base::MakeError(Reason::kHeartbeatLost,
                        absl::StrCat("nothing came for ", absl::FormatDuration(now_ - heard_at_))));
  }
  if (state_ != State::kUp && now_ - opened_at_ >= 2 * kMissedHeartbeats * config_.heartbeat) {
    Fail(base::MakeError(Reason::kHeartbeatLost, "the peer did not begin: no Resume came in time"));
  }
}

void Link::CheckEstablished() {
  if (state_ == State::kEstablishing && exporter_.resumed() && !resume_due_) SetState(State::kUp);
}

// What is on its way has arrived: acks for what we sent, commits and acks for what we took.
void Link::CheckDrained() {
  if (state_ != State::kDraining || writing_ || go_away_due_) return;
  if (exporter_.idle() && importer_.idle() && !importer_.HasAck()) Finish(end_);
}

bool Link::HeartbeatDue() const { return greeted() && now_ >= heartbeat_at_; }

void Link::SendNext() {
  if (writing_ || state_ == State::kClosed || state_ == State::kIdle) return;
  SendFrame send;
  if (NextControlFrame(&send.frame)) return Send(std::move(send));
  if (greeted() && exporter_.HasBatch()) return Send(exporter_.TakeBatch());
}

// Whether anything is to be sent as soon as the frame before it left, or to be done then.
bool Link::FrameDue() {
  if (state_ != State::kUp) return state_ != State::kClosed;
  return exporter_.HasBatch() || importer_.HasAck() || importer_.HasCredit(now_) ||
         HeartbeatDue() || interest_due_ || groups_ || trust_ || catalogue_ || !counts_.empty() ||
         attestors_.attestors_size() > 0;
}

// In order of urgency. Everything here is about the latest state, so that a slow
// transport merges what it could not send.
bool Link::NextControlFrame(Frame* frame) {
  if (go_away_due_) {
    go_away_due_ = false;
    go_away_writing_ = true;
    FillGoAway(end_, frame->mutable_go_away());
    return true;
  }
  if (state_ == State::kClosing) return false;
  if (std::exchange(hello_due_, false)) {
    *frame->mutable_hello() = MakeHello(config_);
  } else if (!greeted()) {
    return false;
  } else if (std::exchange(interest_due_, false)) {
    *frame->mutable_interest() = config_.interest;
  } else if (std::exchange(resume_due_, false)) {
    *frame->mutable_resume() = importer_.MakeResume();
  } else if (groups_ && BothKnow(kGroupsCapability)) {
    *frame->mutable_groups() =
        GroupsThatFit(*std::exchange(groups_, std::nullopt), agreed_.peer_max_frame_bytes);
  } else if (TrustDue()) {
    *frame->mutable_trust() = *std::exchange(trust_, std::nullopt);
  } else if (AttestorsDue()) {
    *frame->mutable_attestors() = TakeAttestors();
  } else if (catalogue_ && BothKnow(kCatalogueCapability)) {
    *frame->mutable_catalogue() =
        CatalogueThatFits(*std::exchange(catalogue_, std::nullopt), agreed_.peer_max_frame_bytes);
  } else if (importer_.HasAck()) {
    *frame->mutable_ack() = importer_.TakeAck();
  } else if (importer_.HasCredit(now_)) {
    *frame->mutable_credit() = importer_.TakeCredit();
  } else if (HeartbeatDue()) {
    exporter_.FillHeartbeat(frame->mutable_heartbeat());
    PadHeartbeat(frame);
    heartbeat_at_ = now_ + config_.heartbeat;
    exporter_.Pump(now_, out_);
  } else if (!counts_.empty() && BothKnow(kCountsCapability)) {
    *frame = std::move(counts_.front());
    counts_.pop_front();
  } else {
    return false;
  }
  return true;
}

void Link::Send(SendFrame send) {
  writing_ = true;
  out_->push_back(std::move(send));
  CheckEstablished();
}

void Link::ArmTimer() {
  if (state_ == State::kIdle || state_ == State::kClosed) return;
  absl::Time at = deadline_;
  if (alive() && state_ != State::kDraining) {
    at = std::min(at, heard_at_ + kMissedHeartbeats *
                                      (greeted() ? agreed_.peer_heartbeat : config_.heartbeat));
    if (state_ != State::kUp) {
      at = std::min(at, opened_at_ + 2 * kMissedHeartbeats * config_.heartbeat);
    }
  }
  if (greeted()) {
    for (const absl::Time t : {heartbeat_at_, exporter_.WakeAt(), importer_.WakeAt()}) {
      // What is due and waits for the transport goes on with its Written.
      if (t > now_) at = std::min(at, t);
    }
  }
  // A later time than armed needs no new timer: the early Tick is harmless.
  const bool armed = armed_ > now_ && armed_ <= at;
  if (armed || at == absl::InfiniteFuture()) return;
  armed_ = at;
  out_->push_back(SetTimer{at});
}

void Link::Finish(CloseStream close) {
  if (state_ == State::kClosed) return;
  exporter_.RecordRest(out_);
  importer_.ReturnCredit();
  SetState(State::kClosed);
  out_->push_back(std::move(close));
}

}  // namespace cdgate::link
