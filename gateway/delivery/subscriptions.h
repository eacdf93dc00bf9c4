// What named subscriptions share between streams: who holds a name, who waits for it, and through
// which sequence it was delivered to whoever held it before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/authz/principal.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/events/v1/events.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/mutex.h"
#include "gateway/base/types.h"

namespace cdgate::delivery {

class SubscribeStream;

// "subscription/NAME", as cursors spell readers.
std::string ReaderOf(absl::string_view name);

// INVALID_ARGUMENT unless `name` is 1 to 63 of lower-case letters, digits and '-',
// beginning with a letter.
absl::Status CheckName(absl::string_view name);

// NOT_GRANTED where `subscription` is another principal's.
absl::Status CheckOwner(const admin::v1::Subscription& subscription,
                        const authz::Principal& principal);
// INVALID_ARGUMENT where filter or convert_to of `start` is neither empty nor the
// subscription's own.
absl::Status CheckUnchanged(const admin::v1::Subscription& subscription,
                            const events::v1::SubscribeStart& start);

// A cursor at `acknowledged`, that remembers through which sequence was delivered.
storage::v1::CursorMove MakeCursor(absl::string_view name, const base::Epoch& epoch,
                                   base::Sequence acknowledged, base::Sequence delivered);
// That sequence; 0 where the cursor does not say.
uint64_t DeliveredThrough(const storage::v1::CursorMove& cursor);

// All live streams, and which one holds each name. Thread-safe.
class SubscriptionHolders {
 public:
  void Add(const std::shared_ptr<SubscribeStream>& stream);

  // When it is whose turn.
  struct Turn {
    uint32_t ahead = 0;  // streams that read first; 0: it is
    // Earlier holders may have been delivered through here.
    uint64_t delivered = 0;
  };
  static constexpr size_t kMostWaiting = 16;  // for one name

  // `stream` holds `name` from now on. The stream that held it is told, and ends; those that wait
  // go on waiting. What holders of before a restart were delivered is not known, and may be all
  // through `head`, of the log. SUBSCRIPTION_CHANGED while somebody changes it.
  absl::StatusOr<Turn> Take(const std::string& name, const std::shared_ptr<SubscribeStream>& stream,
                            base::Sequence head);
  // The same where nobody holds `name`; otherwise `stream` waits, is told by OnTurn() whenever it
  // is nearer, and holds the name when it is told that nobody is ahead. QUOTA where as many wait as
  // may.
  absl::StatusOr<Turn> TakeOrWait(const std::string& name,
                                  const std::shared_ptr<SubscribeStream>& stream,
                                  base::Sequence head);
  // `stream` neither holds `name` nor waits for it any more; the next one does.
  void Leave(const std::string& name, const SubscribeStream* stream);
  // Where the holder has gone without a word it is the next one's turn.
  void PassOn(const std::string& name);
  // Remembers, for the next holder, through which sequence `name` was delivered.
  void Delivered(const std::string& name, base::Sequence sequence);
  // Ends the streams of `name` with `why`, and keeps others out until EndChange(). `done` is
  // called, maybe at once, when it will propose nothing more to the store. False, and `done` is
  // dropped, where somebody else changes it.
  [[nodiscard]] bool BeginChange(const std::string& name, const absl::Status& why,
                                 std::function<void()> done);
  void EndChange(const std::string& name);
  // Whether a stream reads by `name`.
  bool IsHeld(const std::string& name) const;
  // How many wait for it.
  size_t WaitingFor(const std::string& name) const;
  // Tells all streams to say goodbye; later ones are told at once.
  void Drain();

 private:
  struct Holder {
    std::weak_ptr<SubscribeStream> stream;
    uint64_t delivered = 0;
    std::deque<std::weak_ptr<SubscribeStream>> waiting = {};  // the next one first
  };
  // Who is to be told what, without the lock.
  using Turns = std::vector<std::pair<std::shared_ptr<SubscribeStream>, Turn>>;

  absl::StatusOr<Holder*> Find(const std::string& name, base::Sequence head) CDGATE_REQUIRES(mu_);
  // Whose turn it is where nobody holds the name, and how near the others are.
  static Turns Advance(Holder* holder);
  static void Tell(const Turns& turns);

  mutable base::Mutex mu_;
  absl::flat_hash_map<std::string, Holder> holders_ CDGATE_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<SubscribeStream>> streams_ CDGATE_GUARDED_BY(mu_);
  absl::flat_hash_set<std::string> changing_ CDGATE_GUARDED_BY(mu_);
  bool draining_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::delivery
