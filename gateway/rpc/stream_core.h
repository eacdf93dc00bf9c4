// The states of one stream, the same at either end; what FrameStream promises is kept
// here. A reactor (server_call.cc, client_stream.cc) is a thin adapter between this and
// gRPC: it forwards operations one way and completions the other.
//
//   Idle -Start-> Open -Close, Cancel, failure-> Closing -nothing under way-> Ending -OnDone-> Done
//
// Invariants: at most one read and one write under way; the transport is asked to end
// exactly once, when no write is under way and no operation is just being started; no
// operation is started after that. No lock is held while the transport or a callback
// runs.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/base/timer_queue.h"
#include "gateway/rpc/frame_stream.h"

namespace cdgate::rpc {

// A member of its reactor. Thread-safe.
class StreamCore {
 public:
  // What a reactor does with its call.
  class Transport {
   public:
    virtual ~Transport() = default;
    // `into` and `message` stay valid until the completion is forwarded.
    virtual void StartRead(grpc::ByteBuffer* into) = 0;
    virtual void StartWrite(const grpc::ByteBuffer& message, SendHint hint) = 0;
    // Begins the end: a server finishes with `status`, after `last` where it is not null;
    // a client half-closes. Once.
    virtual void StartEnd(const absl::Status& status, const grpc::ByteBuffer* last) = 0;
    // Clients: nothing will be started any more. Once, last.
    virtual void Release() = 0;
    // Cancels the call. Any number of times, also after OnDone.
    virtual void Abort() = 0;
  };

  enum class Side { kServer, kClient };
  struct Options {
    Side side;
    base::Clock& clock;
    base::TimerQueue& timers;
    absl::Duration stall_limit;          // of one write, and of the end
    absl::Duration first_message_limit;  // from the first read
  };

  StreamCore(Options options, Transport& transport) : options_(options), transport_(transport) {}

  // What keeps the reactor alive, for timers. Before anything else.
  void Bind(std::weak_ptr<StreamCore> self) { self_ = std::move(self); }

  // --- by whoever uses the stream; FrameStream has the contract.
  void Start(FrameStream::Callbacks callbacks);
  void Read();
  void Send(grpc::ByteBuffer message, SendHint hint, FrameStream::Written on_written);
  void Close(const absl::Status& status);
  void Cancel(const absl::Status& why);

  // Servers, before Start(), once: reads one message. `on_first` gets it, or null where
  // the other side ended without one.
  using First = std::function<void(grpc::ByteBuffer* message)>;
  void ReadFirst(First on_first);
  // Close(OK) with a last message in the same step.
  void CloseWith(grpc::ByteBuffer last);

  // --- by the reactor.
  void OnReadDone(bool ok);
  void OnWriteDone(bool ok);
  // Of a client's half-close.
  void OnEndDone();
  // A server's call was cancelled from outside.
  void OnCancelled(const absl::Status& why);
  // The call is over, with the other side's `outcome`; nothing of it comes after this.
  void OnDone(const absl::Status& outcome);

  bool got_message() const;

 private:
  enum class Step { kNothing, kDrain, kStartEnd, kRelease };

  void BeginClosing(const absl::Status& status, bool abort) CDGATE_REQUIRES(mu_);
  // The next step towards the end, marked as taken.
  Step NextStep() CDGATE_REQUIRES(mu_);
  // Takes the steps that are due. Without the lock.
  void Advance();
  // Starts a read that NextStep() or Read() decided on.
  void StartRead();
  void OperationStarted();
  void Fault(absl::string_view what);
  // Null: the other side sends no more.
  void Deliver(grpc::ByteBuffer* message, bool first);
  // Makes sure that a timer fires when the first of the two limits is over. Without the lock.
  void ArmTimer();
  void OnTimer();
  absl::Duration NextDue() const CDGATE_REQUIRES(mu_) { return std::min(first_due_, write_due_); }

  const Options options_;
  Transport& transport_;
  std::weak_ptr<StreamCore> self_;
  // Set before the first read, emptied by OnDone.
  FrameStream::Callbacks callbacks_;
  First on_first_;
  grpc::ByteBuffer reading_;  // the transport's while read_pending_
  grpc::ByteBuffer writing_;  // the transport's while write_pending_ or ending_

  mutable base::Mutex mu_;
  FrameStream::Written on_written_ CDGATE_GUARDED_BY(mu_);
  absl::Status status_ CDGATE_GUARDED_BY(mu_);  // why closing_
  // When the first message, or the write or end under way, has taken too long.
  absl::Duration first_due_ CDGATE_GUARDED_BY(mu_) = absl::InfiniteDuration();
  absl::Duration write_due_ CDGATE_GUARDED_BY(mu_) = absl::InfiniteDuration();
  base::TimerQueue::Id timer_ CDGATE_GUARDED_BY(mu_) = 0;
  absl::Duration timer_due_ CDGATE_GUARDED_BY(mu_) = absl::InfiniteDuration();
  int starting_ CDGATE_GUARDED_BY(mu_) = 0;  // operations between this lock and gRPC
  bool started_ CDGATE_GUARDED_BY(mu_) = false;
  bool reading_first_ CDGATE_GUARDED_BY(mu_) = false;
  bool got_message_ CDGATE_GUARDED_BY(mu_) = false;
  bool read_pending_ CDGATE_GUARDED_BY(mu_) = false;
  bool read_ended_ CDGATE_GUARDED_BY(mu_) = false;
  bool write_pending_ CDGATE_GUARDED_BY(mu_) = false;
  bool write_failed_ CDGATE_GUARDED_BY(mu_) = false;
  bool has_last_ CDGATE_GUARDED_BY(mu_) = false;
  bool closing_ CDGATE_GUARDED_BY(mu_) = false;
  bool aborted_ CDGATE_GUARDED_BY(mu_) = false;      // no polite end any more
  bool ending_ CDGATE_GUARDED_BY(mu_) = false;       // StartEnd was called or is not needed
  bool end_pending_ CDGATE_GUARDED_BY(mu_) = false;  // a client's half-close
  bool released_ CDGATE_GUARDED_BY(mu_) = false;
  bool done_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::rpc
