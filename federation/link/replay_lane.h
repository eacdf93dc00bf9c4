// What an Exporter knows of the job that offers past events again: which range comes next,
// the block that waits to be sent, and the rows of what was acknowledged.
//
//   lane.SetJob({job, through});
//   if (lane.WantsEvents(place)) out->push_back(lane.Ask(place, room, max_frame));
//   lane.OnDecided(std::move(decided));      // then queued(), until Take()
//   lane.Record(std::move(block));           // acknowledged, in the order of Take()
//   lane.Flush(out);                         // RecordReplay, ReplayDone
//
// When to ask and when to send is for the Exporter: newer events go first. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "federation/link/blocks.h"
#include "federation/link/messages.h"

namespace cdgate::link {

class ReplayLane {
 public:
  explicit ReplayLane(const LinkConfig& config);

  // Without this no job runs: the peer does not know of replays.
  void Enable() { enabled_ = true; }
  // What is on its way of another job is still recorded.
  void SetJob(const ReplayChanged& change);

  // Something is left of the job that is neither asked for nor queued, and not behind `place`:
  // an event is offered again when the live lane has passed it.
  bool WantsEvents(base::Sequence place) const {
    return enabled_ && job_ && !asked_ && !queued_ && !AllAsked() && next_ <= place;
  }
  // `max_events` is not 0.
  NeedReplay Ask(base::Sequence place, uint64_t max_events, uint32_t max_frame_bytes);
  // How many events were decided; 0 where the answer is superseded.
  size_t OnDecided(ReplayDecided decided);
  // Forgets what is decided and not sent, and what is asked for: it is asked for again.
  void Requeue();

  // Decided and not sent; null: none.
  const Block* queued() const { return queued_ ? &*queued_ : nullptr; }
  Block Take();

  void Record(Block block);
  // Everything of the job is recorded; Flush() says so.
  bool finished() const;
  void Flush(Outputs* out);

 private:
  bool AllAsked() const { return next_ > job_->last; }
  void MoveTo(base::Sequence next);
  base::Sequence EndOfRun() const;

  const std::string peer_;
  bool enabled_ = false;
  std::optional<ReplayJob> job_;
  base::Sequence next_;  // the next to ask for
  bool asked_ = false;
  uint64_t last_request_ = 0;
  base::Sequence asked_through_;
  std::optional<Block> queued_;
  // Of job_. What is between them is in flight.
  base::Sequence taken_through_, recorded_through_;
  std::vector<RecordReplay> records_;  // to be given out, by job
};

}  // namespace cdgate::link
