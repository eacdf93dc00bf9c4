// A shared subscription while streams read by it: reads the log once for all of them, gives each
// event to one, and keeps on disk what is done. What is decided, SharedQueue decides.
//
//   const auto joined = shared.Join(subscription, epoch, stream);  // SharedSubscriptions
//   joined.subscription->Want(joined.id);         // answered by OnEvents(), once there are any
//   joined.subscription->Acknowledge(joined.id, ack);
//   joined.subscription->Leave(joined.id);        // when the stream is over, once
//
// Everything happens on a strand of its own. What comes back from a stream, and what is given up,
// is proposed to the store as one cursor, one proposal at a time, dead letters with it; meanwhile
// the next is collected. An event leaves only where the cursor on disk says that it may have: after
// a kill what may have been delivered says so (`attempt`), and nothing that was confirmed comes
// again.
//
// It ends, and forgets, when its last stream has left and what it did is on disk.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/authz/grants.h"
#include "auth/authz/principal.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/base/timer_queue.h"
#include "gateway/delivery/converter.h"
#include "gateway/delivery/read_scope.h"
#include "gateway/delivery/shared_queue.h"
#include "gateway/eventlog/feed.h"
#include "gateway/state/store.h"

namespace cdgate::delivery {

// A stream that reads by a shared subscription. Called on the subscription's strand: must not block
// or call back.
class SharedConsumer {
 public:
  virtual ~SharedConsumer() = default;
  // Answers Want(): the `events` field of an EventBatch, ready to be sent.
  virtual void OnEvents(std::string batch) = 0;
  // What was acknowledged with `confirm` is on disk.
  virtual void OnConfirmed(std::vector<uint64_t> sequences) = 0;
  // The subscription serves the stream no more; OK where it got as many events as it asked for, and
  // what became of them is on disk. Nothing is called after this.
  virtual void OnSubscriptionEnded(const absl::Status& why) = 0;
};

// All outlive the subscriptions.
struct SharedDeps {
  state::Store& store;
  eventlog::Feed& feed;
  const authz::GrantRegistry& grants;
  base::Executor& pool;
  base::Clock& clock;
  base::TimerQueue& timers;
  base::Metrics& metrics;
};

class SharedSubscriptions;

// SUBSCRIPTION_CHANGED for a stream that comes while somebody changes `name`.
absl::Status BeingChanged(absl::string_view name);

// Thread-safe.
class SharedSubscription : public std::enable_shared_from_this<SharedSubscription> {
 public:
  using ConsumerId = SharedQueue::ConsumerId;

  // For SharedSubscriptions.
  SharedSubscription(SharedSubscriptions& owner, const SharedDeps& deps,
                     admin::v1::Subscription subscription, authz::Principal principal);

  // False, of each: the gateway is out of threads or ends, and so should the stream.
  //
  // The stream has room for events. Not again before it is answered.
  [[nodiscard]] bool Want(ConsumerId consumer);
  // What was never delivered ends the stream that says so, by OnSubscriptionEnded().
  [[nodiscard]] bool Acknowledge(ConsumerId consumer, events::v1::Ack ack);
  [[nodiscard]] bool Reject(ConsumerId consumer, events::v1::Nack nack);
  // The same of one event, with what failed: its dead letter says so, where it becomes one.
  [[nodiscard]] bool Reject(ConsumerId consumer, base::Sequence sequence, absl::Status why);
  // It could not be done for reasons that are not its own: it comes again after `delay`, and has
  // not failed.
  [[nodiscard]] bool GiveBack(ConsumerId consumer, base::Sequence sequence, absl::Duration delay);
  [[nodiscard]] bool Extend(ConsumerId consumer, events::v1::Extend extend);
  // The stream is over: its events are another's. Once for each Join().
  void Leave(ConsumerId consumer, SharedQueue::Leaving leaving);

 private:
  friend class SharedSubscriptions;
  struct Confirmation {
    ConsumerId consumer;
    std::vector<uint64_t> sequences;
  };
  // What is true once a proposal is on disk.
  struct Proposed {
    base::Sequence reserved;
    std::vector<Confirmation> confirmed;
    std::vector<ConsumerId> through;  // they got as many as they asked for, and are done with them
  };

  [[nodiscard]] bool Post(std::function<void()> task);
  void Join(ConsumerId consumer, std::shared_ptr<SharedConsumer> stream,
            SharedQueue::Capacity capacity);
  // Ends all streams; `done` once nothing of it will be proposed any more.
  [[nodiscard]] bool Stop(const absl::Status& why, std::function<void()> done);

  // --- on the strand
  absl::Status Begin();
  absl::Status RefreshScope();
  void Dispatch();
  // One frame for the stream; empty: there is nothing for it now.
  std::string FrameFor(ConsumerId consumer);
  void AddDue(ConsumerId consumer, std::string* batch);
  void AddNew(ConsumerId consumer, std::string* batch);
  // False where the consumer has no room for it, or it may not leave yet.
  bool OfferTo(ConsumerId consumer, const event::Record& record, std::string* batch);
  void Append(const event::Record& record, uint32_t attempt, std::string* batch);
  bool HasMore() const { return commit_ < commits_.size(); }
  void Release();
  void AskFeed();
  void OnCommits(eventlog::Feed::Commits commits);
  void ArmTimer();
  void OnTimer();
  void Changed();
  void Persist();
  void OnPersisted(const Proposed& proposed, const absl::Status& status);
  std::vector<ConsumerId> Through() const;
  // Its events are due for others, and it is told no more.
  void EndMember(ConsumerId consumer, const absl::Status& why, SharedQueue::Leaving leaving);
  // What the stream sent was not OK: it ends, and the others go on.
  void Settle(ConsumerId consumer, const absl::Status& done);
  void EndAll(const absl::Status& why);
  void EndIfIdle();
  // `why`: of those that were lost just now; OK: nobody said.
  void TakeLost(const absl::Status& why = absl::OkStatus());

  SharedSubscriptions& owner_;
  const SharedDeps deps_;
  const admin::v1::Subscription subscription_;
  const authz::Principal principal_;
  const SharedSettings settings_;
  const std::shared_ptr<base::Strand> strand_;

  // --- touched on the strand only
  bool begun_ = false;
  std::optional<SharedQueue> queue_;
  base::Epoch epoch_;
  std::shared_ptr<const authz::Grants> granted_by_;
  std::optional<ReadScope> scope_;
  Converter converter_;
  absl::flat_hash_map<ConsumerId, std::shared_ptr<SharedConsumer>> members_;
  std::vector<ConsumerId> limited_;  // those that end after so many events
  std::deque<ConsumerId> waiting_;
  std::vector<event::CommitPtr> commits_;
  size_t commit_ = 0;
  size_t record_ = 0;
  eventlog::Feed::Ticket ticket_ = 0;
  bool asking_ = false;
  base::TimerQueue::Id timer_ = 0;
  absl::Duration timer_due_ = absl::InfiniteDuration();
  bool dirty_ = false;
  bool persisting_ = false;
  base::Sequence reserved_;  // on disk: events through it may leave
  std::vector<Confirmation> confirm_;
  std::vector<storage::v1::DeadLetter> letters_;
  bool stopped_ = false;
  std::vector<std::function<void()>> when_stopped_;
};

// Those that streams read by, by name. Thread-safe.
class SharedSubscriptions {
 public:
  explicit SharedSubscriptions(const SharedDeps& deps);

  struct Joined {
    std::shared_ptr<SharedSubscription> subscription;
    SharedSubscription::ConsumerId id = 0;
  };
  // A stream of `principal` reads by `subscription`, as it is in the store.
  // SUBSCRIPTION_CHANGED while somebody changes it.
  absl::StatusOr<Joined> Join(const admin::v1::Subscription& subscription,
                              const authz::Principal& principal,
                              std::shared_ptr<SharedConsumer> stream,
                              SharedQueue::Capacity capacity);

  // Ends the streams of `name` with `why`, and keeps others out until EndChange(). `done` is
  // called, maybe at once, when nothing of them will be proposed to the store any more. False, and
  // `done` is dropped, where somebody else changes it.
  [[nodiscard]] bool BeginChange(const std::string& name, const absl::Status& why,
                                 std::function<void()> done);
  void EndChange(const std::string& name);

  // How many streams read by `name`.
  size_t StreamsOf(const std::string& name) const;

 private:
  friend class SharedSubscription;
  struct Entry {
    std::shared_ptr<SharedSubscription> subscription;
    size_t streams = 0;
    bool changing = false;
  };
  // A stream has left.
  void OnLeft(const std::string& name, const SharedSubscription* subscription);
  // True: it is forgotten, as no stream reads by it.
  bool ForgetIfIdle(const std::string& name, const SharedSubscription* subscription);
  // It serves nobody any more.
  void Forget(const std::string& name, const SharedSubscription* subscription);

  const SharedDeps deps_;
  base::Counter& deliveries_again_;
  base::Counter& dead_letters_;
  mutable base::Mutex mu_;
  absl::flat_hash_map<std::string, Entry> entries_ CDGATE_GUARDED_BY(mu_);
  uint64_t last_id_ CDGATE_GUARDED_BY(mu_) = 0;
};

}  // namespace cdgate::delivery
