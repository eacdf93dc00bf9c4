// One bidirectional stream of messages, seen from either end: what a link, a
// subscription and a publishing client have in common. Servers get theirs from a
// handler (gateway/rpc/call.h), clients from ClientChannel (client_channel.h), so the
// same code drives a link whichever side dialled.
//
//   stream->Start({.on_message = [s](grpc::ByteBuffer m) { s->Take(std::move(m)); },
//                  .on_end = [s] { s->PeerIsDone(); },
//                  .on_closed = [s](const absl::Status& why) { s->Gone(why); }});
//   stream->Send(rpc::Serialise(hello), [s](bool ok) { if (ok) s->SendNext(); });
//   ... in Take(), when ready for more:  stream->Read();
//   stream->Close(absl::OkStatus());
//
// Order of calls: Start, then (Read | Send)*, then Close or Cancel.
// - At most one Read() and one Send() are outstanding. Start() begins the first read;
//   each on_message ends it, and no message comes before the next Read(): that is the
//   backpressure towards the other side. on_written ends a Send(): that is the
//   backpressure from it. A second Send() before on_written is a fault of the caller:
//   it is logged and ends the stream with INTERNAL.
// - After Close() or Cancel(), or once the stream has ended by itself, Read, Send,
//   Close and Cancel do nothing (on_written of such a Send runs with false).
// - on_closed runs exactly once, after every other callback has returned, and then
//   the stream forgets its callbacks. It comes without further help: the end of the
//   connection, a cancelled call and the server's shutdown all end the stream. (A client
//   that does not read learns of it when it does, behind the messages that came before the
//   end; a Send() that fails tells it to.)
// - A Send() that does not finish within the stall limit (30 s unless configured)
//   ends the stream with SLOW_CONSUMER.
//
// Callbacks run on gRPC's threads, on_message and on_written possibly at the same
// time, and on_written possibly before Send() returns. They must not block: they hand
// over to a base::Strand or an executor. They may call any method here. Thread-safe.
//
// Ownership: hold it by shared_ptr. It keeps itself alive until on_closed has run, so
// a callback may own whoever owns the stream: the cycle ends there.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace cdgate::rpc {

// Whether more messages follow at once. kMoreFollows lets the transport wait for them
// before it writes to the socket; the last of a burst must be kNow.
enum class SendHint { kNow, kMoreFollows };

// How long a message may wait for the other side to read, by default.
inline constexpr absl::Duration kWriteStallLimit = absl::Seconds(30);

class FrameStream {
 public:
  using Written = std::function<void(bool ok)>;
  struct Callbacks {
    // A message came. Where it is absent, so are the messages: none is read.
    std::function<void(grpc::ByteBuffer)> on_message;
    // Optional. The other side sends no more (at a server: it half-closed; at a client:
    // the server ended the call, and on_closed follows by itself). At most once.
    std::function<void()> on_end;
    // Required. The stream is over: OK or why.
    std::function<void(const absl::Status&)> on_closed;
  };

  virtual ~FrameStream() = default;

  // Once. Begins the first read.
  virtual void Start(Callbacks callbacks) = 0;
  // Asks for the next message.
  virtual void Read() = 0;
  // Sends one message. on_written(true): it is with the transport and the next may be
  // sent; false: the stream is over, on_closed says why; at a client after what it has
  // still to read, or Close() or Cancel().
  virtual void Send(grpc::ByteBuffer message, SendHint hint, Written on_written) = 0;
  void Send(grpc::ByteBuffer message, Written on_written) {
    Send(std::move(message), SendHint::kNow, std::move(on_written));
  }
  // Ends the stream after what is being sent. At a server `status` is the call's
  // outcome. At a client it stays local, half-closes, and cancels where the server has
  // not ended the call 5 s later; on_closed gets `status` unless that is OK, then what
  // the server said.
  virtual void Close(const absl::Status& status) = 0;
  // Ends the stream now, dropping what is unsent. on_closed gets `why`; the other side
  // sees CANCELLED.
  virtual void Cancel(const absl::Status& why) = 0;

  // "ipv4:192.0.2.1:443", "ipv6:%5B::1%5D:443", "unix:...": for logs.
  virtual std::string PeerAddress() const = 0;
};

using FrameStreamPtr = std::shared_ptr<FrameStream>;

}  // namespace cdgate::rpc
