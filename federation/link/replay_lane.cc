#include "federation/link/replay_lane.h"

#include <algorithm>
#include <utility>

namespace cdgate::link {

using base::Sequence;

ReplayLane::ReplayLane(const LinkConfig& config) : peer_(config.peer) {
  SetJob({config.replay, config.replay_through});
}

void ReplayLane::SetJob(const ReplayChanged& change) {
  if (job_ && change.job && job_->number == change.job->number) return;
  Requeue();
  taken_through_ = recorded_through_ = Sequence(0);
  job_ = change.job;
  if (!job_) return;
  if (!job_->sequences.empty()) job_->last = std::min(job_->last, job_->sequences.back());
  MoveTo(std::max(change.through.Next(), job_->first));
}

// To `next`, or the first behind it that is to be offered.
void ReplayLane::MoveTo(Sequence next) {
  next_ = next;
  const auto& only = job_->sequences;
  if (only.empty()) return;
  const auto it = std::lower_bound(only.begin(), only.end(), next);
  next_ = it == only.end() ? std::max(next, job_->last.Next()) : *it;
}

// A block of a job of single events is of consecutive ones: its row is about no other.
Sequence ReplayLane::EndOfRun() const {
  const auto& only = job_->sequences;
  if (only.empty()) return job_->last;
  Sequence end = next_;
  for (auto it = std::lower_bound(only.begin(), only.end(), next_);
       it != only.end() && *it <= end.Next(); ++it) {
    end = *it;
  }
  return end;
}

NeedReplay ReplayLane::Ask(Sequence place, uint64_t max_events, uint32_t max_frame_bytes) {
  asked_ = true;
  asked_through_ = std::min(EndOfRun(), place);
  return {.request = ++last_request_,
          .number = job_->number,
          .from = next_,
          .through = asked_through_,
          .max_events = static_cast<size_t>(max_events),
          .max_bytes = std::min(max_frame_bytes, kFullFrameBytes) - kBatchOverheadBytes,
          .max_event_bytes = max_frame_bytes - kBatchOverheadBytes};
}

size_t ReplayLane::OnDecided(ReplayDecided decided) {
  Decided& range = decided.range;
  if (!asked_ || range.request != last_request_) return 0;
  asked_ = false;
  if (range.first > range.last) {  // all of it is gone, and has the outcome it had
    MoveTo(asked_through_.Next());
    return 0;
  }
  const size_t events = range.sequences.size();
  MoveTo(range.last.Next());
  queued_ = MakeBlock(std::move(range));
  queued_->replay = job_->number;
  return events;
}

void ReplayLane::Requeue() {
  asked_ = false;
  ++last_request_;
  if (!queued_) return;
  next_ = queued_->first;
  queued_.reset();
}

Block ReplayLane::Take() {
  Block block = *std::move(queued_);
  queued_.reset();
  taken_through_ = block.last;
  return block;
}

void ReplayLane::Record(Block block) {
  if (job_ && block.replay == job_->number) recorded_through_ = block.last;
  if (records_.empty() || records_.back().number != block.replay) {
    records_.push_back({.number = block.replay, .through = {}, .rows = {}});
  }
  records_.back().through = block.last;
  AppendRow(MakeRow(peer_, std::move(block)), &records_.back().rows);
}

bool ReplayLane::finished() const {
  return enabled_ && job_ && AllAsked() && !asked_ && !queued_ &&
         recorded_through_ >= taken_through_;
}

void ReplayLane::Flush(Outputs* out) {
  for (RecordReplay& record : records_) out->push_back(std::move(record));
  records_.clear();
  if (!finished()) return;
  out->push_back(ReplayDone{job_->number});
  job_.reset();
}

}  // namespace cdgate::link
