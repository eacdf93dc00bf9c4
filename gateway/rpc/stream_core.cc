#include "gateway/rpc/stream_core.h"

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"

namespace cdgate::rpc {
namespace {

using base::MakeError;
using base::Reason;

// How long a client waits for the server to end a call that it half-closed.
constexpr absl::Duration kClientEndLimit = absl::Seconds(5);

absl::Status SlowConsumer() {
  return MakeError(Reason::kSlowConsumer, "the other side did not read for too long");
}

absl::Status NoFirstMessage() {
  return MakeError(Reason::kDeadlineExceeded, "no message came on the call");
}

}  // namespace

void StreamCore::Start(FrameStream::Callbacks callbacks) {
  base::MutexLock lock(mu_);
  if (started_) {
    lock.Unlock();
    return Fault("Start() was called twice");
  }
  started_ = true;
  if (done_ || (closing_ && options_.side == Side::kClient)) {
    done_ = true;  // a client's call that was closed before it began never reaches gRPC
    const absl::Status status = status_;
    lock.Unlock();
    return callbacks.on_closed(status);
  }
  callbacks_ = std::move(callbacks);
  const bool read = !closing_ && !read_ended_ && !read_pending_;
  if (read) {
    read_pending_ = true;
    ++starting_;
    if (!got_message_ && options_.side == Side::kServer) {
      first_due_ = options_.clock.Monotonic() + options_.first_message_limit;
    }
  }
  lock.Unlock();
  if (!read) return;
  StartRead();
  ArmTimer();
}

void StreamCore::ReadFirst(First on_first) {
  {
    base::MutexLock lock(mu_);
    if (closing_) return;
    on_first_ = std::move(on_first);
    reading_first_ = true;
    read_pending_ = true;
    ++starting_;
    first_due_ = options_.clock.Monotonic() + options_.first_message_limit;
  }
  StartRead();
  ArmTimer();
}

void StreamCore::Read() {
  base::MutexLock lock(mu_);
  if (closing_ || read_ended_) return;
  if (!started_ || read_pending_) {
    lock.Unlock();
    return Fault("Read() was called while a read was under way");
  }
  read_pending_ = true;
  ++starting_;
  lock.Unlock();
  StartRead();
}

void StreamCore::StartRead() {
  transport_.StartRead(&reading_);
  OperationStarted();
}

void StreamCore::Send(grpc::ByteBuffer message, SendHint hint, FrameStream::Written on_written) {
  base::MutexLock lock(mu_);
  if (closing_ || write_failed_) {
    lock.Unlock();
    return on_written(false);
  }
  if (!started_ || write_pending_) {
    lock.Unlock();
    Fault("Send() was called while a write was under way");
    return on_written(false);
  }
  write_pending_ = true;
  ++starting_;
  writing_.Swap(&message);
  on_written_ = std::move(on_written);
  write_due_ = options_.clock.Monotonic() + options_.stall_limit;
  lock.Unlock();
  transport_.StartWrite(writing_, hint);
  ArmTimer();
  OperationStarted();
}

void StreamCore::Close(const absl::Status& status) {
  {
    base::MutexLock lock(mu_);
    if (closing_) return;
    BeginClosing(status, /*abort=*/false);
  }
  Advance();
}

void StreamCore::CloseWith(grpc::ByteBuffer last) {
  {
    base::MutexLock lock(mu_);
    if (closing_) return;
    writing_.Swap(&last);
    has_last_ = true;
    BeginClosing(absl::OkStatus(), /*abort=*/false);
  }
  Advance();
}

void StreamCore::Cancel(const absl::Status& why) {
  {
    base::MutexLock lock(mu_);
    if (done_ || aborted_) return;
    BeginClosing(why, /*abort=*/true);
  }
  transport_.Abort();
  Advance();
}

void StreamCore::OnReadDone(bool ok) {
  grpc::ByteBuffer message;
  bool first = false;
  bool deliver = false;
  {
    base::MutexLock lock(mu_);
    read_pending_ = false;
    first_due_ = absl::InfiniteDuration();
    first = std::exchange(reading_first_, false);
    deliver = !closing_;
    if (ok) {
      got_message_ = true;
    } else {
      read_ended_ = true;
    }
    message.Swap(&reading_);
  }
  if (deliver) Deliver(ok ? &message : nullptr, first);
  if (!ok && options_.side == Side::kClient) {
    base::MutexLock lock(mu_);
    if (!closing_) BeginClosing(absl::OkStatus(), /*abort=*/false);
  }
  Advance();
}

void StreamCore::Deliver(grpc::ByteBuffer* message, bool first) {
  if (first) return on_first_(message);
  if (message == nullptr) {
    if (callbacks_.on_end) callbacks_.on_end();
  } else if (callbacks_.on_message) {
    callbacks_.on_message(std::move(*message));
  }
}

void StreamCore::OnWriteDone(bool ok) {
  FrameStream::Written on_written;
  {
    base::MutexLock lock(mu_);
    write_pending_ = false;
    write_due_ = absl::InfiniteDuration();
    on_written = std::move(on_written_);
    on_written_ = nullptr;
    if (!has_last_) writing_.Clear();
    if (!ok) {
      write_failed_ = true;
      // A client's server may have ended the call with messages still to be read: the
      // read under way, or the next one, finds them and then the end. gRPC does not tell of
      // the end before.
      if (!closing_ && options_.side == Side::kServer) {
        BeginClosing(MakeError(Reason::kCancelled, "the other side went away"), /*abort=*/true);
      }
    }
  }
  on_written(ok);
  Advance();
}

void StreamCore::OnEndDone() {
  {
    base::MutexLock lock(mu_);
    end_pending_ = false;
  }
  Advance();
}

void StreamCore::OnCancelled(const absl::Status& why) {
  {
    base::MutexLock lock(mu_);
    if (!closing_) BeginClosing(why, /*abort=*/true);
  }
  Advance();
}

void StreamCore::OnDone(const absl::Status& outcome) {
  FrameStream::Callbacks callbacks;
  First on_first;
  base::TimerQueue::Id timer = 0;
  absl::Status status;
  {
    base::MutexLock lock(mu_);
    done_ = true;
    closing_ = true;
    if (status_.ok()) status_ = outcome;
    status = status_;
    timer = std::exchange(timer_, 0);
    std::swap(callbacks, callbacks_);
    std::swap(on_first, on_first_);
  }
  if (timer != 0) options_.timers.Cancel(timer);
  if (callbacks.on_closed) callbacks.on_closed(status);
}

bool StreamCore::got_message() const {
  base::MutexLock lock(mu_);
  return got_message_;
}

void StreamCore::BeginClosing(const absl::Status& status, bool abort) {
  // An end under way that had to be cut short did not end well.
  if (!closing_ || (abort && status_.ok())) status_ = status;
  closing_ = true;
  aborted_ = aborted_ || abort;
  first_due_ = absl::InfiniteDuration();
}

StreamCore::Step StreamCore::NextStep() {
  if (!closing_ || done_ || starting_ > 0 || write_pending_) return Step::kNothing;
  const bool client = options_.side == Side::kClient;
  if (client && !started_) return Step::kNothing;  // never reached gRPC
  if (client && aborted_ && !read_pending_) read_ended_ = true;
  if (!ending_) {
    ending_ = true;
    if (!client || (!aborted_ && !read_ended_)) {
      ++starting_;
      end_pending_ = client;
      write_due_ = options_.clock.Monotonic() + (client ? kClientEndLimit : options_.stall_limit);
      return Step::kStartEnd;
    }
  }
  if (!client || released_) return Step::kNothing;
  if (!read_pending_ && !read_ended_) {
    read_pending_ = true;
    ++starting_;
    return Step::kDrain;
  }
  if (read_pending_ || end_pending_) return Step::kNothing;
  released_ = true;
  return Step::kRelease;
}

void StreamCore::Advance() {
  for (;;) {
    Step step;
    absl::Status status;
    bool has_last = false;
    {
      base::MutexLock lock(mu_);
      step = NextStep();
      status = status_;
      has_last = has_last_;
    }
    switch (step) {
      case Step::kNothing: return;
      case Step::kRelease: return transport_.Release();
      case Step::kDrain: return StartRead();
      case Step::kStartEnd:
        ArmTimer();
        transport_.StartEnd(status, has_last ? &writing_ : nullptr);
        // A server's call may be over by now, and with it this object's gRPC side; the
        // reactor is kept alive by whoever called.
        OperationStarted();
        return;
    }
  }
}

void StreamCore::OperationStarted() {
  {
    base::MutexLock lock(mu_);
    --starting_;
  }
  Advance();
}

void StreamCore::Fault(absl::string_view what) {
  base::Log(base::LogLevel::kError, "stream used against its contract",
            {{"fault", std::string(what)}});
  Cancel(MakeError(Reason::kInternal, absl::StrCat("stream used against its contract: ", what)));
}

void StreamCore::ArmTimer() {
  absl::Duration due;
  base::TimerQueue::Id old = 0;
  {
    base::MutexLock lock(mu_);
    due = NextDue();
    if (done_ || due >= timer_due_) return;
    timer_due_ = due;
    old = std::exchange(timer_, 0);
  }
  if (old != 0) options_.timers.Cancel(old);
  const base::TimerQueue::Id id = options_.timers.At(due, [self = self_] {
    if (auto core = self.lock()) core->OnTimer();
  });
  base::MutexLock lock(mu_);
  // Another thread may have armed an earlier one meanwhile, or the stream may be done.
  const bool stale = done_ || timer_due_ != due || timer_ != 0;
  if (!stale) timer_ = id;
  lock.Unlock();
  if (stale) options_.timers.Cancel(id);
}

void StreamCore::OnTimer() {
  absl::Status error;
  {
    base::MutexLock lock(mu_);
    timer_ = 0;
    timer_due_ = absl::InfiniteDuration();
    const absl::Duration now = options_.clock.Monotonic();
    if (now >= write_due_) error = SlowConsumer();
    if (now >= first_due_) error = NoFirstMessage();
  }
  if (error.ok()) return ArmTimer();
  Cancel(error);
}

}  // namespace cdgate::rpc
