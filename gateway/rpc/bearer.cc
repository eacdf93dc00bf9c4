#include "gateway/rpc/bearer.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/rpc/call.h"

namespace cdgate::rpc {

absl::StatusOr<absl::string_view> BearerTokenOf(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "bearer ";
  if (absl::StartsWithIgnoreCase(authorization, kScheme)) {
    return absl::StripAsciiWhitespace(authorization.substr(kScheme.size()));
  }
  return base::MakeError(
      base::Reason::kUnauthenticatedCall,
      "the Authorization is not of the scheme Bearer, which is the only one here");
}

void BearerStreams::Add(const std::shared_ptr<ServerStream>& stream, BearerPtr bearer) {
  bool start = false;
  {
    base::MutexLock lock(mu_);
    watched_[stream.get()] = {stream, std::move(bearer)};
    start = !std::exchange(ticking_, true);
  }
  if (start) TickLater();
}

void BearerStreams::Remove(const ServerStream* stream) {
  base::MutexLock lock(mu_);
  watched_.erase(stream);
}

size_t BearerStreams::size() const {
  base::MutexLock lock(mu_);
  return watched_.size();
}

void BearerStreams::TickLater() {
  timers_.At(clock_.Monotonic() + kInterval, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Tick();
  });
}

void BearerStreams::Tick() {
  std::vector<Watched> all;
  {
    base::MutexLock lock(mu_);
    if (watched_.empty()) {
      ticking_ = false;
      return;
    }
    all.reserve(watched_.size());
    for (const auto& [key, watched] : watched_) all.push_back(watched);
  }
  for (const Watched& watched : all) {
    const std::shared_ptr<ServerStream> stream = watched.stream.lock();
    if (stream == nullptr) continue;
    const absl::Status why = check_(*watched.bearer);
    if (why.ok()) continue;
    if (watched.closed) {
      stream->Cancel(why);
    } else {
      End(stream, why);
    }
  }
  TickLater();
}

void BearerStreams::End(const std::shared_ptr<ServerStream>& stream, const absl::Status& why) {
  {
    base::MutexLock lock(mu_);
    const auto found = watched_.find(stream.get());
    if (found == watched_.end()) return;
    found->second.closed = true;
  }
  base::LogError(base::LogLevel::kInfo, "stream ended with its token", why,
                 {{"method", stream->call().method}, {"principal", stream->call().principal.id}});
  stream->Close(why);
}

}  // namespace cdgate::rpc
