// Shows us the sockets that a channel opens, which gRPC otherwise keeps to itself.
//
//   grpc::ChannelArguments arguments;
//   TapSockets(arguments, [guard](int fd) { guard->Watch(fd); });
//
// It is done by a socket mutator: part of gRPC's interface, but the struct behind it is
// declared in a header that is not installed. socket_tap.cc declares it again, for the one
// release it was checked against; with another there is no tap, which is logged.
#pragma once

#include <grpcpp/support/channel_arguments.h>

#include <functional>

namespace cdgate::rpc {

// `on_socket` is called with each new socket before it is connected; the descriptor is
// gRPC's (dup it). It may be called from any thread until the last channel made with
// `arguments` is gone, and must not block. False where this gRPC cannot be tapped.
bool TapSockets(grpc::ChannelArguments& arguments, std::function<void(int fd)> on_socket);

}  // namespace cdgate::rpc
