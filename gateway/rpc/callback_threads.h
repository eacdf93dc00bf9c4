// The threads that gRPC runs callbacks on, client's and server's alike.
//
// gRPC starts them with the first channel or server that needs them and joins them with
// the last. A call's end may hold the last channel and drops it in a callback; then one of
// these threads would join itself and gRPC would abort.
#pragma once

namespace cdgate::rpc {

// From the first call on the threads live as long as the process. Thread-safe, cheap.
// Everything here that makes a channel calls it.
void KeepCallbackThreads();

}  // namespace cdgate::rpc
