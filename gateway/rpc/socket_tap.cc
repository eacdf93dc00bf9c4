#include "gateway/rpc/socket_tap.h"

#include <grpc/support/sync.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "gateway/base/logging.h"
#include "gateway/base/tsan.h"

// As in gRPC 1.51.1, src/core/lib/iomgr/socket_mutator.h.
struct grpc_socket_mutator_vtable {
  bool (*mutate_fd)(int fd, grpc_socket_mutator* mutator);
  int (*compare)(grpc_socket_mutator* a, grpc_socket_mutator* b);
  void (*destroy)(grpc_socket_mutator* mutator);
  bool (*mutate_fd_2)(const void* info, grpc_socket_mutator* mutator);  // null: mutate_fd
};
struct grpc_socket_mutator {
  const grpc_socket_mutator_vtable* vtable;
  gpr_refcount refcount;
};
void grpc_socket_mutator_init(grpc_socket_mutator* mutator,
                              const grpc_socket_mutator_vtable* vtable);

namespace cdgate::rpc {
namespace {

constexpr char kCheckedVersion[] = "1.51.1";

struct Tap : grpc_socket_mutator {
  std::function<void(int fd)> on_socket;
};

bool OnSocket(int fd, grpc_socket_mutator* mutator) {
  CDGATE_TAKEN_OVER(mutator);
  static_cast<Tap*>(mutator)->on_socket(fd);
  CDGATE_HANDED_OVER(mutator);
  return true;
}

int Compare(grpc_socket_mutator* a, grpc_socket_mutator* b) { return a < b ? -1 : a > b ? 1 : 0; }

void Destroy(grpc_socket_mutator* mutator) {
  CDGATE_TAKEN_OVER(mutator);
  const std::unique_ptr<Tap> owned(static_cast<Tap*>(mutator));
}

constexpr grpc_socket_mutator_vtable kTap = {OnSocket, Compare, Destroy, nullptr};

}  // namespace

bool TapSockets(grpc::ChannelArguments& arguments, std::function<void(int fd)> on_socket) {
  if (grpc::Version() != kCheckedVersion) {
    base::Log(base::LogLevel::kWarning, "dialled connections are not watched",
              {{"grpc", grpc::Version()}, {"known", kCheckedVersion}});
    return false;
  }
  auto tap = std::make_unique<Tap>();
  tap->on_socket = std::move(on_socket);
  grpc_socket_mutator_init(tap.get(), &kTap);  // one reference, which `arguments` takes
  CDGATE_HANDED_OVER(static_cast<grpc_socket_mutator*>(tap.get()));
  arguments.SetSocketMutator(tap.release());
  return true;
}

}  // namespace cdgate::rpc
