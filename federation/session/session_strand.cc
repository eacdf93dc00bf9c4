// What a session runs on, and what becomes of it where it cannot run any more.
#include <string>
#include <utility>

#include "federation/session/session.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"

namespace cdgate::session {

using base::Reason;

base::Task Session::Whole(base::Task task) {
  return [self = shared_from_this(), task = std::move(task)] {
    task();
    self->FinishIfDone();
  };
}

void Session::Post(base::Task task) {
  if (!strand_->Post(Whole(std::move(task)))) Abandon();
}

void Session::RunOrPost(base::Task task) {
  if (!strand_->RunOrPost(Whole(std::move(task)))) Abandon();
}

// Without a strand nothing can be worked on. The stream is cut; what is proposed ends by
// itself. Nothing else runs of the session any more, so this thread may finish it.
void Session::Abandon() {
  if (abandoned_.exchange(true)) return;
  const absl::Status why = base::MakeError(
      Reason::kOverloaded, "the gateway has no room for the link's work; it is tried again");
  base::LogError(base::LogLevel::kError, "link abandoned", why, {{"peer", peer_}});
  metrics_.up.Set(0);
  stream_->Cancel(why);
  if (std::exchange(done_, true)) return;
  if (!std::exchange(ended_, true)) {
    callbacks_.on_end({.reason = Reason::kOverloaded, .message = std::string(why.message())});
  }
  callbacks_.on_done();
}

}  // namespace cdgate::session
