// One PublishStream call: takes messages off the stream, admits their events in order on
// a strand, and sends the results back in order.
//
//   Idle ──Run──▶ Reading ──half-close──▶ Finishing ──all answered──▶ Done
//
// Ends with the client's half-close once every event is answered, or with the first
// malformed message. Where its principal publishes more events than it may, the stream is not
// read for so long that it comes down to the rate; what was read goes on. Owns itself from Run
// until the stream is closed.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/admission/admission.h"
#include "gateway/api/publish_api.h"
#include "gateway/base/executor.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/call.h"

namespace cdgate::api {

class PublishStream : public std::enable_shared_from_this<PublishStream> {
 public:
  // What `deps` refers to outlives the stream.
  static void Run(rpc::ServerStreamPtr stream, const PublishApiDeps& deps);

 private:
  // One message: empty until its events are answered.
  struct Slot {
    bool answered = false;
    std::vector<admission::Result> results;
  };

  PublishStream(rpc::ServerStreamPtr stream, const PublishApiDeps& deps);

  void OnMessage(grpc::ByteBuffer message);
  void OnEnd();
  // On the strand.
  void Admit(const grpc::ByteBuffer& message, uint64_t slot);
  // Notes that so many events came; reads nothing more for the time that they cost.
  void Charge(uint64_t events);
  void Resume();
  void Answer(uint64_t slot, std::vector<admission::Result> results);
  // Sends what is ready, reads on where there is room, closes where all is done.
  void Advance();
  // The results at the front that are ready, as one serialised PublishStreamResponse; none
  // where there are none.
  std::optional<std::string> TakeReady() CDGATE_REQUIRES(mu_);

  const rpc::ServerStreamPtr stream_;
  const PublishApiDeps deps_;
  const rpc::RateAccountPtr account_;
  const std::shared_ptr<base::Strand> strand_;

  base::Mutex mu_;
  std::deque<Slot> slots_ CDGATE_GUARDED_BY(mu_);   // oldest first
  uint64_t first_slot_ CDGATE_GUARDED_BY(mu_) = 0;  // number of slots_.front()
  bool reading_ CDGATE_GUARDED_BY(mu_) = true;      // a Read is outstanding
  bool sending_ CDGATE_GUARDED_BY(mu_) = false;     // a Send is outstanding
  bool paused_ CDGATE_GUARDED_BY(mu_) = false;      // a timer will read on
  bool ended_ CDGATE_GUARDED_BY(mu_) = false;       // the client sends no more
  bool closed_ CDGATE_GUARDED_BY(mu_) = false;      // Close was called
};

}  // namespace cdgate::api
