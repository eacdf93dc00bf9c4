// Bearer tokens of calls: what resolves them, and what ends the streams of those that end.
//
// A token is the principal of the call that carries it and of no other: it is looked up in
// the call's own metadata and kept in its Call. Nothing of it is put on the connection or
// into its AuthContext, which all calls of the connection share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/authz/principal.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/base/timer_queue.h"

namespace cdgate::rpc {

class ServerStream;

// Whom a token stands for. Immutable; thread-safe.
struct Bearer {
  authz::Principal principal;
  // OK while the token is good: not expired, its key not withdrawn. Otherwise why; for ever.
  // Thread-safe, fast, does not block.
  std::function<absl::Status()> check;
};
using BearerPtr = std::shared_ptr<const Bearer>;

// Whose token `text` is. Asked for every call that has one, on gRPC's threads: must be fast and
// must not block. IDENTITY_TOKEN_INVALID, IDENTITY_TOKEN_EXPIRED.
using BearerResolver = std::function<absl::StatusOr<BearerPtr>(absl::string_view text)>;

// The token in the value of an Authorization header. UNAUTHENTICATED_CALL where its scheme is
// not Bearer.
absl::StatusOr<absl::string_view> BearerTokenOf(absl::string_view authorization);

// The streams that go by a token. One whose token is good no more is closed with the reason
// within a second, and cancelled a second later where its client does not read that. Make it
// with Create(); `clock` and `timers` outlive it. Thread-safe.
class BearerStreams : public std::enable_shared_from_this<BearerStreams> {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(1);

  static std::shared_ptr<BearerStreams> Create(base::Clock& clock, base::TimerQueue& timers,
                                               std::function<absl::Status(const Bearer&)> check) {
    return std::shared_ptr<BearerStreams>(new BearerStreams(clock, timers, std::move(check)));
  }

  void Add(const std::shared_ptr<ServerStream>& stream, BearerPtr bearer);
  void Remove(const ServerStream* stream);
  size_t size() const;

 private:
  struct Watched {
    std::weak_ptr<ServerStream> stream;
    BearerPtr bearer;
    bool closed = false;
  };
  BearerStreams(base::Clock& clock, base::TimerQueue& timers,
                std::function<absl::Status(const Bearer&)> check)
      : clock_(clock), timers_(timers), check_(std::move(check)) {}
  void TickLater();
  void Tick();
  void End(const std::shared_ptr<ServerStream>& stream, const absl::Status& why);

  base::Clock& clock_;
  base::TimerQueue& timers_;
  const std::function<absl::Status(const Bearer&)> check_;
  mutable base::Mutex mu_;
  absl::flat_hash_map<const ServerStream*, Watched> watched_ CDGATE_GUARDED_BY(mu_);
  bool ticking_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::rpc
