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

absl::StatusOr<uint64_t> SubscriptionHolders::Take(const std::string& name,
                                                   const std::shared_ptr<SubscribeStream>& stream,
                                                   base::Sequence head) {
  std::shared_ptr<SubscribeStream> before;
  uint64_t delivered = 0;
  {
    base::MutexLock lock(mu_);
    if (changing_.contains(name)) {
      return base::MakeError(
          base::Reason::kSubscriptionChanged,
          absl::StrCat("subscription ", name, " is being changed; subscribe again"),
          {{"name", name}});
    }
    const auto [at, first] = holders_.try_emplace(name);
    Holder& holder = at->second;
    if (first) holder.delivered = head.value();
    before = holder.stream.lock();
    holder.stream = stream;
    delivered = holder.delivered;
  }
  if (before != nullptr && before != stream) before->TakenOver();
  return delivered;
}

void SubscriptionHolders::Delivered(const std::string& name, base::Sequence sequence) {
  base::MutexLock lock(mu_);
  Holder& holder = holders_[name];
  holder.delivered = std::max(holder.delivered, sequence.value());
}

bool SubscriptionHolders::BeginChange(const std::string& name, const absl::Status& why,
                                      std::function<void()> done) {
  std::shared_ptr<SubscribeStream> stream;
  {
    base::MutexLock lock(mu_);
    if (!changing_.insert(name).second) return false;
    const auto holder = holders_.find(name);
    if (holder != holders_.end()) stream = holder->second.stream.lock();
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
