#include "gateway/delivery/subscriptions.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/subscribe_stream.h"

namespace cdgate::delivery {

std::string ReaderOf(absl::string_view name) { return absl::StrCat("subscription/", name); }

absl::Status CheckName(absl::string_view name) {
  const auto fits = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
  };
  if (!name.empty() && name.size() <= 63 &&
      absl::ascii_islower(static_cast<unsigned char>(name[0])) &&
      std::all_of(name.begin(), name.end(), fits)) {
    return absl::OkStatus();
  }
  return base::MakeError(
      base::Reason::kInvalidArgument,
      absl::StrCat("subscription name ", base::Shorten(name),
                   ": use 1 to 63 lower-case letters, digits and '-', a letter first"),
      {{"field", "subscription"}});
}

absl::Status CheckOwner(const admin::v1::Subscription& subscription,
                        const authz::Principal& principal) {
  if (subscription.owner() == principal.id) return absl::OkStatus();
  return base::MakeError(base::Reason::kNotGranted,
                         absl::StrCat("subscription ", subscription.name(),
                                      " belongs to another principal; choose another name"),
                         {{"name", subscription.name()}});
}

absl::Status CheckUnchanged(const admin::v1::Subscription& subscription,
                            const events::v1::SubscribeStart& start) {
  const auto check = [&](const char* field, const std::string& has, const std::string& asked) {
    if (asked.empty() || asked == has) return absl::OkStatus();
    return base::MakeError(base::Reason::kInvalidArgument,
                           absl::StrCat("subscription ", subscription.name(), " has the ", field,
                                        " \"", base::Shorten(has), "\"; leave ", field,
                                        " empty, or delete the subscription first"),
                           {{"field", field}});
  };
  CDGATE_RETURN_IF_ERROR(check("filter", subscription.filter(), start.filter()));
  return check("convert_to", subscription.convert_to(), start.convert_to());
}

storage::v1::CursorMove MakeCursor(absl::string_view name, const base::Epoch& epoch,
                                   base::Sequence acknowledged, base::Sequence delivered) {
  storage::v1::CursorMove cursor;
  cursor.set_reader(ReaderOf(name));
  cursor.set_position(acknowledged.value());
  cursor.set_epoch(epoch.value());
  cursor.set_token(absl::StrCat(delivered.value()));
  return cursor;
}

uint64_t DeliveredThrough(const storage::v1::CursorMove& cursor) {
  uint64_t delivered = 0;
  return absl::SimpleAtoi(cursor.token(), &delivered) ? delivered : 0;
}

void SubscriptionHolders::Add(const std::shared_ptr<SubscribeStream>& stream) {
  bool draining = false;
  {
    base::MutexLock lock(mu_);
    streams_.erase(std::remove_if(streams_.begin(), streams_.end(),
                                  [](const auto& weak) { return weak.expired(); }),
                   streams_.end());
    streams_.push_back(stream);
    draining = draining_;
  }
  if (draining) stream->Drain();
}

absl::StatusOr<SubscriptionHolders::Holder*> SubscriptionHolders::Find(const std::string& name,
                                                                       base::Sequence head) {
  if (changing_.contains(name)) {
    return base::MakeError(
        base::Reason::kSubscriptionChanged,
        absl::StrCat("subscription ", name, " is being changed; subscribe again"),
        {{"name", name}});
  }
  const auto [at, first] = holders_.try_emplace(name);
  if (first) at->second.delivered = head.value();
  return &at->second;
}

absl::StatusOr<SubscriptionHolders::Turn> SubscriptionHolders::Take(
    const std::string& name, const std::shared_ptr<SubscribeStream>& stream, base::Sequence head) {
  std::shared_ptr<SubscribeStream> before;
  Turn turn;
  {
    base::MutexLock lock(mu_);
    CDGATE_ASSIGN_OR_RETURN(Holder* const holder, Find(name, head));
    before = holder->stream.lock();
    holder->stream = stream;
    turn.delivered = holder->delivered;
  }
  if (before != nullptr && before != stream) before->TakenOver();
  return turn;
}

absl::StatusOr<SubscriptionHolders::Turn> SubscriptionHolders::TakeOrWait(
    const std::string& name, const std::shared_ptr<SubscribeStream>& stream, base::Sequence head) {
  Turns turns;
  Turn turn;
  {
    base::MutexLock lock(mu_);
    CDGATE_ASSIGN_OR_RETURN(Holder* const holder, Find(name, head));
    turns = Advance(holder);
    turn.delivered = holder->delivered;
    if (holder->stream.expired()) {
      holder->stream = stream;
    } else if (holder->waiting.size() < kMostWaiting) {
      holder->waiting.push_back(stream);
      turn.ahead = static_cast<uint32_t>(holder->waiting.size());
    } else {
      return base::MakeError(base::Reason::kQuota,
                             absl::StrCat("subscription ", name, " has ", kMostWaiting,
                                          " streams waiting, as many as may; try again later"),
                             {{"name", name}});
    }
  }
  Tell(turns);
  return turn;
}

SubscriptionHolders::Turns SubscriptionHolders::Advance(Holder* holder) {
  Turns turns;
  auto& waiting = holder->waiting;
  const size_t before = waiting.size();
  waiting.erase(std::remove_if(waiting.begin(), waiting.end(),
                               [](const auto& weak) { return weak.expired(); }),
                waiting.end());
  while (holder->stream.expired() && !waiting.empty()) {
    const std::shared_ptr<SubscribeStream> next = waiting.front().lock();
    waiting.pop_front();
    if (next == nullptr) continue;
    holder->stream = next;
    turns.emplace_back(next, Turn{.ahead = 0, .delivered = holder->delivered});
  }
  if (waiting.size() == before) return turns;
  uint32_t ahead = 0;
  for (const auto& weak : waiting) {
    ++ahead;
    if (auto stream = weak.lock()) turns.emplace_back(std::move(stream), Turn{.ahead = ahead});
  }
  return turns;
}

void SubscriptionHolders::Tell(const Turns& turns) {
  for (const auto& [stream, turn] : turns) stream->OnTurn(turn);
}

void SubscriptionHolders::Leave(const std::string& name, const SubscribeStream* stream) {
  Turns turns;
  {
    base::MutexLock lock(mu_);
    const auto found = holders_.find(name);
    if (found == holders_.end()) return;
    Holder& holder = found->second;
    if (holder.stream.lock().get() == stream) holder.stream.reset();
    for (auto& weak : holder.waiting) {
      if (weak.lock().get() == stream) weak.reset();
    }
    turns = Advance(&holder);
  }
  Tell(turns);
}

void SubscriptionHolders::PassOn(const std::string& name) {
  Turns turns;
  {
    base::MutexLock lock(mu_);
    const auto found = holders_.find(name);
    if (found != holders_.end()) turns = Advance(&found->second);
  }
  Tell(turns);
}

void SubscriptionHolders::Delivered(const std::string& name, base::Sequence sequence) {
  base::MutexLock lock(mu_);
  Holder& holder = holders_[name];
  holder.delivered = std::max(holder.delivered, sequence.value());
}

bool SubscriptionHolders::BeginChange(const std::string& name, const absl::Status& why,
                                      std::function<void()> done) {
  std::shared_ptr<SubscribeStream> stream;
  std::deque<std::weak_ptr<SubscribeStream>> waiting;
  {
    base::MutexLock lock(mu_);
    if (!changing_.insert(name).second) return false;
    const auto holder = holders_.find(name);
    if (holder != holders_.end()) {
      stream = holder->second.stream.lock();
      waiting = std::exchange(holder->second.waiting, {});
    }
  }
  for (const auto& weak : waiting) {
    if (const auto each = weak.lock()) each->EndForChange(why, [] {});
  }
  if (stream == nullptr) {
    done();
  } else {
    stream->EndForChange(why, std::move(done));
  }
  return true;
}

void SubscriptionHolders::EndChange(const std::string& name) {
  base::MutexLock lock(mu_);
  changing_.erase(name);
}

bool SubscriptionHolders::IsHeld(const std::string& name) const {
  base::MutexLock lock(mu_);
  const auto holder = holders_.find(name);
  return holder != holders_.end() && !holder->second.stream.expired();
}

size_t SubscriptionHolders::WaitingFor(const std::string& name) const {
  base::MutexLock lock(mu_);
  const auto holder = holders_.find(name);
  if (holder == holders_.end()) return 0;
  const auto& waiting = holder->second.waiting;
  return static_cast<size_t>(std::count_if(waiting.begin(), waiting.end(),
                                           [](const auto& weak) { return !weak.expired(); }));
}

void SubscriptionHolders::Drain() {
  std::vector<std::weak_ptr<SubscribeStream>> streams;
  {
    base::MutexLock lock(mu_);
    draining_ = true;
    streams = streams_;
  }
  for (const auto& weak : streams) {
    if (const auto stream = weak.lock()) stream->Drain();
  }
}

}  // namespace cdgate::delivery
