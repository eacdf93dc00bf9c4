// The accept loop of all listeners, on one thread of its own, and the guard's clockwork.
//
// It survives what gRPC's own does not: when the process runs out of descriptors it
// waits and goes on, and it refuses connections before that, while some are left for
// files and for other listeners.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/authz/method_table.h"
#include "gateway/rpc/address.h"
#include "gateway/rpc/guard.h"

namespace cdgate::rpc {

class Acceptor {
 public:
  struct Socket {
    authz::Listener listener;
    BoundSocket bound;
    // Takes an admitted connection's descriptor over. `user`: of a Unix socket, the other
    // end's user. Must not block. Called on the acceptor's thread.
    std::function<void(int fd, uid_t user)> serve;
    // Of a Unix socket: who may connect.
    std::function<bool(uid_t user)> admits_user;
  };

  // Accepts at once. `guard` outlives the acceptor.
  Acceptor(Guard& guard, std::vector<Socket> sockets);
  // Stops; closes the listening sockets and removes socket files.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Stops accepting; what waits in the kernel's queue is reset. The guard's ticks go on.
  // Idempotent. Thread-safe.
  void StopAccepting();

 private:
  void Run();
  // The guard's tick: every 50 ms while there is something to watch, else every second.
  void SetTicking(bool fast);
  void AcceptAll(const Socket& socket);
  void AcceptTcp(const Socket& socket, OwnedFd fd, const sockaddr_storage& from);
  void AcceptUnix(const Socket& socket, OwnedFd fd);
  // The connection becomes the guard's and is served.
  void Serve(const Socket& socket, OwnedFd fd, const std::string& key, const std::string& address,
             uid_t user);
  void Wake();

  Guard& guard_;
  std::vector<Socket> sockets_;  // the thread's after construction
  OwnedFd wake_;
  std::atomic<bool> accepting_{true};
  std::atomic<bool> running_{true};
  // The thread's:
  OwnedFd timer_;
  bool ticking_fast_ = false;
  bool out_of_descriptors_ = false;  // accepting pauses until the next tick
  uint64_t local_connections_ = 0;   // names for Unix connections
  std::thread thread_;
};

}  // namespace cdgate::rpc
