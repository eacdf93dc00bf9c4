// One Subscribe or Watch call.
//
//   Opening ──start resolved──▶ Active ──end, drain, error──▶ Closed
//      └─────▶ Waiting ──its turn──▲
//
// Everything happens on one strand: messages of the client, answers of the feed, the end
// of a write, timers. Nothing of the log is held during a write, so a consumer that does not read
// costs one frame. A stream at the head asks for what comes next while it writes, and takes the
// end of the write for known with the answer (frame_write.h); where that comes sooner, it is
// dropped and asked for again. A stream that is at the head waits with all others: for the next
// round (rounds.h), or, with a filter, with the matcher (live_matcher.h), which wakes it by what
// its filter is true for. The feed is for those that are behind.
//
// What a client of no named subscription acknowledges says how much room there is. It is left in a
// box (ack_box.h) until the stream has something to do or has no room left.
//
// A named subscription's position moves with acknowledgements: the newest one is
// proposed to the store, at most one proposal at a time. Its name is held by one stream
// (SubscriptionHolders); a newer stream takes it over and this one ends with TAKEN_OVER, or waits
// until this one and those that wait already have left.
//
// By a shared subscription events come from that (shared_subscription.h), which decides who gets
// them: the stream asks for a frame whenever it has written the one before, and hands over what the
// client says of them.
//
// Owned by its stream's callbacks: it lives until the stream is closed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/authz/grants.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/timer_queue.h"
#include "gateway/delivery/ack_box.h"
#include "gateway/delivery/converter.h"
#include "gateway/delivery/delivered_cache.h"
#include "gateway/delivery/frame_room.h"
#include "gateway/delivery/live_matcher.h"
#include "gateway/delivery/read_scope.h"
#include "gateway/delivery/rounds.h"
#include "gateway/delivery/shared_subscription.h"
#include "gateway/delivery/subscriptions.h"
#include "gateway/delivery/window.h"
#include "gateway/eventlog/feed.h"
#include "gateway/rpc/bytes.h"
#include "gateway/rpc/call.h"
#include "gateway/rpc/frame_write.h"
#include "gateway/state/store.h"

namespace cdgate::delivery {

// A stream with nothing else to send says this often that it lives.
inline constexpr absl::Duration kHeartbeatInterval = absl::Seconds(5);

// All outlive the streams.
struct SubscribeDeps {
  state::Store& store;
  eventlog::Feed& feed;
  LiveMatcher& matcher;
  RoundGroups& rounds;
  DeliveredCache& delivered;
  FrameRoom& frame_room;
  const authz::GrantRegistry& grants;
  SubscriptionHolders& holders;
  SharedSubscriptions& shared;
  base::Executor& pool;
  base::Clock& clock;
  base::TimerQueue& timers;
};

class SubscribeStream : public SharedConsumer,
                        public std::enable_shared_from_this<SubscribeStream> {
 public:
  // A Subscribe call: its first message says what is wanted.
  static std::shared_ptr<SubscribeStream> Subscribe(rpc::ServerStreamPtr stream,
                                                    const SubscribeDeps& deps);
  // A Watch call.
  static std::shared_ptr<SubscribeStream> Watch(rpc::ServerStreamPtr stream,
                                                const events::v1::WatchRequest& request,
                                                const SubscribeDeps& deps);

  // The gateway shuts down: says goodbye and ends. Thread-safe.
  void Drain();
  // Another stream has taken the subscription's name. Thread-safe.
  void TakenOver();
  // It is this stream's turn, or nearer to be. Thread-safe.
  void OnTurn(const SubscriptionHolders::Turn& turn);
  // Somebody changes the subscription: the stream ends, and `done` is called once it proposes
  // nothing more to the store. Thread-safe.
  void EndForChange(const absl::Status& why, std::function<void()> done);

  // SharedConsumer:
  void OnEvents(std::string batch) override;
  void OnConfirmed(std::vector<uint64_t> sequences) override;
  void OnSubscriptionEnded(const absl::Status& why) override;

 private:
  enum class Kind { kSubscribe, kWatch };

  SubscribeStream(rpc::ServerStreamPtr stream, const SubscribeDeps& deps, Kind kind);
  void Run(std::optional<events::v1::SubscribeStart> start);
  // Posts to the strand; where that is dead, the stream ends.
  void Post(base::Task task);
  // The same from a callback of the feed, which may as well do the work.
  void RunOrPost(base::Task task);

  // On gRPC's threads, one message at a time.
  void Receive(grpc::ByteBuffer message);
  // True where nothing more is to be done for it.
  bool PutAck(const grpc::ByteBuffer& message);

  // --- on the strand
  void OnMessage(const grpc::ByteBuffer& message);
  void OnStart(const events::v1::SubscribeStart& start);
  void OnAck(const events::v1::Ack& ack);
  void OnSharedMessage(events::v1::SubscribeRequest request);
  void OnClientDone();
  void OnClosed();
  void OnWritten();
  void OnRoom();
  void TakeAcks();
  void OnCommits(eventlog::Feed::Commits commits);
  void OnMatched(const event::CommitPtr& commit);
  void OnRound(Rounds::Commits commits);
  void OnHeartbeatDue();

  // Opens the window. For a named subscription this may have to make it first: `then`
  // runs on the strand when that is on disk.
  absl::Status Open(const events::v1::SubscribeStart& start);
  absl::Status OpenNamed(const events::v1::SubscribeStart& start, WindowLimits limits);
  absl::Status OpenShared(const admin::v1::Subscription& subscription,
                          const events::v1::SubscribeStart& start, const WindowLimits& limits);
  void CreateNamed(const events::v1::SubscribeStart& start, WindowLimits limits,
                   base::Sequence after);
  // Reads by the name from now on, or waits.
  absl::Status TakeTurn(const WindowLimits& limits, bool made_now);
  absl::Status OpenAtCursor(const WindowLimits& limits, uint64_t delivered);
  void TellAhead(uint32_t ahead);
  void PumpWaiting();
  // False where the stream ends.
  bool StillWaits();
  void LeaveOrdered();
  void Activate(WindowLimits limits, base::Sequence after);

  // Writes the next thing there is to write, asks the feed where all is looked at.
  void Pump();
  void PumpShared();
  void LeaveShared();
  bool WriteControl();
  bool WriteNext();
  bool WriteFromTail();
  void AllowAcks();
  void WriteFrame(const Window::Frame& frame);
  // Others get it in the same bytes, and soon.
  bool IsForMany(const Window::Frame& frame) const;
  void Write(grpc::ByteBuffer bytes);
  void Write(std::string bytes) { Write(rpc::ToBytes(std::move(bytes))); }
  // A write that has ended is over from now on.
  void TakeWritten();
  // There is something for it that others have already.
  bool IsBehind() const;
  // Something is to be done as soon as the write ends.
  bool WaitsForWrite() const;
  // Has OnWritten() called then.
  void AwaitWritten();
  void Ask();
  bool AskMatcher();
  bool AskRounds();
  void AskFeed();
  void StopAsking();
  // Ends the stream where the principal may not read any more.
  bool StillGranted();
  void PersistAck();
  void Confirm(base::Sequence persisted);
  void ArmHeartbeat();
  // Says goodbye, then closes.
  void GoAway(absl::Status why);
  void Close(const absl::Status& status);
  events::v1::LogPosition PositionAt(base::Sequence sequence) const;

  const rpc::ServerStreamPtr stream_;
  const SubscribeDeps deps_;
  const FrameRoom::Place frame_room_;
  const Kind kind_;
  const std::shared_ptr<base::Strand> strand_;
  AckBox acks_;

  // --- touched on the strand only
  std::shared_ptr<const authz::Grants> granted_by_;
  std::optional<ReadScope> scope_;
  std::string filter_;
  Converter converter_;
  std::optional<Window> window_;
  base::Epoch epoch_;
  std::string name_;  // of a named subscription
  bool auto_ack_ = false;
  uint64_t redelivered_through_ = 0;  // named: these were delivered to an earlier stream
  bool writing_ = false;
  rpc::FrameWrite write_;     // of that
  bool closing_ = false;      // Close after the write that is outstanding
  bool closed_ = false;       // Close was called or the stream is over
  bool client_done_ = false;  // the client half-closed
  absl::Status close_status_;
  std::vector<events::v1::SubscribeResponse> control_;  // to be written first
  std::vector<base::Sequence> confirm_;                 // acks that asked for it
  bool persisting_ = false;
  base::Sequence persisted_;
  base::Sequence written_;             // the last event that was written to the end
  LiveMatcher::ReaderPtr matched_;     // null: it has no filter of its own
  Rounds* rounds_ = nullptr;           // null: it has, or is of a shared subscription
  eventlog::Feed::Ticket ticket_ = 0;  // 0: the matcher was asked, or the rounds
  Rounds::Ticket round_ = 0;           // 0: not the rounds
  bool asking_ = false;
  base::TimerQueue::Id heartbeat_ = 0;
  bool wrote_since_heartbeat_ = false;
  bool changed_ = false;  // somebody changes the subscription: nothing is proposed any more

  // --- by an ordered subscription
  bool wait_ = false;                        // rather than take over
  bool holding_ = false;                     // has its name, or waits for it
  bool over_ = false;                        // the stream is
  std::optional<WindowLimits> turn_limits_;  // it waits
  uint32_t ahead_ = 0;                       // as the client was told

  // --- by a shared subscription
  SharedSubscriptions::Joined shared_;  // null: it is none
  bool wanting_ = false;                // events were asked for
  bool through_ = false;                // it got as many as it asked for
  bool sent_away_ = false;              // it is we who end the stream
  std::string frame_;                   // to be written
};

}  // namespace cdgate::delivery
