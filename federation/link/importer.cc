#include "federation/link/importer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/protocol_error.h"
#include "gateway/base/status_macros.h"

namespace cdgate::link {
namespace {

using base::Position;
using base::Reason;

// 9999-12-31T23:59:59Z: what a Timestamp can hold.
constexpr int64_t kLastSecond = 253402300799;

}  // namespace

Importer::Importer(const LinkConfig& config)
    : max_frame_bytes_(config.max_frame_bytes),
      window_events_(std::max<uint64_t>(1, config.window_events)),
      window_bytes_(std::max<uint64_t>(1, config.window_bytes)),
      resumed_from_(config.import_cursor),
      link_epoch_(config.import_cursor.link_epoch),
      received_(config.import_cursor.position),
      committed_(config.import_cursor.position),
      acknowledged_(config.import_cursor.position),
      paces_(config.paces) {
  pace().SetRate(config.import_rate);
}

federation::v1::Resume Importer::MakeResume() {
  resumed_ = true;
  federation::v1::Resume resume;
  resume.set_token(resumed_from_.token);
  resume.set_position(resumed_from_.position.value());
  resume.set_link_epoch(resumed_from_.link_epoch);
  resume.set_digest(resumed_from_.digest);
  return resume;
}

absl::Status Importer::CheckPlace(absl::string_view link_epoch, absl::string_view token) const {
  if (token.empty() || token.size() > kMaxTokenBytes) {
    return ProtocolError(absl::StrCat("a token has ", token.size(), " bytes"));
  }
  if (link_epoch.empty() || link_epoch.size() > kMaxLinkEpochBytes) {
    return ProtocolError(absl::StrCat("a link epoch has ", link_epoch.size(), " bytes"));
  }
  if (!link_epoch_.empty() && link_epoch != link_epoch_) {
    return ProtocolError("the link epoch changed within a link");
  }
  return absl::OkStatus();
}

absl::Status Importer::CheckBatch(const federation::v1::Batch& batch, uint64_t events,
                                  size_t wire_bytes) const {
  if (!resumed_) return ProtocolError("Batch before our Resume");
  if (wire_bytes > max_frame_bytes_) {
    return base::MakeError(Reason::kTooLarge, absl::StrCat("a frame has ", wire_bytes,
                                                           " bytes, we take ", max_frame_bytes_));
  }
  if (events == 0) return ProtocolError("a batch has 0 events");
  if (events > kMaxBatchEvents) {
    return ProtocolError(absl::StrCat("a batch has more than ", kMaxBatchEvents, " events"));
  }
  CDGATE_RETURN_IF_ERROR(CheckPlace(batch.link_epoch(), batch.token()));
  if (batch.first_position() != received_.Next().value()) {
    return base::MakeError(Reason::kPositionGap,
                           absl::StrCat("a batch begins at position ", batch.first_position(),
                                        ", expected was ", received_.Next().value()));
  }
  if (used_events_ + events > granted_events_ || used_bytes_ >= granted_bytes_) {
    return base::MakeError(
        Reason::kCreditExceeded,
        absl::StrCat(events, " events came with credit for ", granted_events_ - used_events_));
  }
  return absl::OkStatus();
}

absl::Status Importer::OnBatch(FrameReceived received, Outputs* out) {
  federation::v1::Batch& batch = *received.frame.mutable_batch();
  const size_t wire_bytes = received.wire_bytes;
  const uint64_t events = received.events.size();
  if (stopped_) return absl::OkStatus();  // it is sent again when the link is back
  CDGATE_RETURN_IF_ERROR(CheckBatch(batch, events, wire_bytes));
  const Position first = received_.Next();
  link_epoch_ = batch.link_epoch();
  received_ = received_.Plus(events);
  used_events_ += events;
  used_bytes_ += wire_bytes;
  pending_.push_back({received_, events, wire_bytes});
  idle_token_.clear();

  CommitImport commit;
  commit.first_position = first;
  commit.replay = batch.replay();
  commit.events = std::move(received.events);
  commit.cursor = {received_, std::move(*batch.mutable_token()), link_epoch_};
  if (batch.has_export_statement()) {
    commit.statement = std::move(*batch.mutable_export_statement());
  }
  out->push_back(std::move(commit));
  return absl::OkStatus();
}

absl::Status Importer::OnHeartbeat(const federation::v1::Heartbeat& heartbeat, absl::Time now,
                                   Outputs* out) {
  if (heartbeat.link_epoch().empty() || stopped_) return absl::OkStatus();  // no place yet
  if (!resumed_) return ProtocolError("a place before our Resume");
  CDGATE_RETURN_IF_ERROR(CheckPlace(heartbeat.link_epoch(), heartbeat.token()));
  if (heartbeat.last_position() != received_.value()) {
    return base::MakeError(Reason::kPositionGap,
                           absl::StrCat("a heartbeat is at position ", heartbeat.last_position(),
                                        ", received is ", received_.value()));
  }
  link_epoch_ = heartbeat.link_epoch();
  idle_token_ = heartbeat.token();
  if (token_committed_ == absl::InfinitePast()) token_committed_ = now;
  if (idle() && now - token_committed_ >= kTokenCommitInterval) {
    token_committed_ = now;
    CommitIdleToken(out);
  }
  const int64_t as_of = heartbeat.caught_up_as_of().seconds();
  if (as_of > 0 && as_of <= kLastSecond) out->push_back(PeerCaughtUp{absl::FromUnixSeconds(as_of)});
  return absl::OkStatus();
}

void Importer::CommitIdleToken(Outputs* out) {
  out->push_back(MoveCursor{{received_, std::move(idle_token_), link_epoch_}});
  idle_token_.clear();
}

void Importer::OnCommitted(Committed committed) {
  if (committed.position > received_ || committed.position < committed_) return;
  committed_ = committed.position;
  while (!pending_.empty() && pending_.front().last <= committed_) {
    freed_events_ += pending_.front().events;
    freed_bytes_ += pending_.front().bytes;
    pending_.pop_front();
  }
  for (federation::v1::Refusal& refusal : committed.refused) {
    refused_.push_back(std::move(refusal));
  }
}

bool Importer::HasCredit(absl::Time now) {
  wake_at_ = absl::InfiniteFuture();
  if (!resumed_ || stopped_) return false;
  const uint64_t window =
      pace().limited() ? std::min(window_events_, pace().capacity()) : window_events_;
  // A quarter of the window is worth a frame: the sender has the rest meanwhile.
  const uint64_t step = std::max<uint64_t>(1, window / 4);
  const uint64_t want = std::max(granted_events_, freed_events_ + window);
  const uint64_t events = pace().Available(now, want - granted_events_);
  if (events < step && want - granted_events_ >= step) wake_at_ = pace().When(step);
  next_events_ = granted_events_ + events;
  next_bytes_ = std::max(granted_bytes_, freed_bytes_ + window_bytes_);
  return events >= step || next_bytes_ - granted_bytes_ >= std::max<uint64_t>(1, window_bytes_ / 4);
}

federation::v1::Credit Importer::TakeCredit() {
  pace().Take(next_events_ - granted_events_);
  granted_events_ = next_events_;
  granted_bytes_ = next_bytes_;
  federation::v1::Credit credit;
  credit.set_events(granted_events_);
  credit.set_bytes(granted_bytes_);
  return credit;
}

federation::v1::Ack Importer::TakeAck() {
  federation::v1::Ack ack;
  size_t bytes = 0;
  while (!refused_.empty()) {
    federation::v1::Refusal& refusal = refused_.front();
    bytes += refusal.ByteSizeLong() + 4;
    if (bytes > kMaxAckBytes && ack.refusals_size() > 0) break;
    *ack.add_refusals() = std::move(refusal);
    refused_.pop_front();
  }
  // With refusals left, the next Ack begins behind the last one named.
  acknowledged_ =
      refused_.empty() ? committed_ : Position(ack.refusals(ack.refusals_size() - 1).position());
  ack.set_position(acknowledged_.value());
  return ack;
}

void Importer::Stop(Outputs* out) {
  if (stopped_) return;
  stopped_ = true;
  if (idle() && !idle_token_.empty()) CommitIdleToken(out);
}

}  // namespace cdgate::link
