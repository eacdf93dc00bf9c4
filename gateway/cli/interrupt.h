// Ctrl-C that ends a run in good order instead of killing it.
//
//   const BlockedInterrupts blocked;                  // before any other thread is made
//   ...connect, make the thing that can be stopped...
//   const InterruptWatch watch([&] { thing.Stop(); });
//   thing.Run();
#pragma once

#include <functional>
#include <thread>

namespace cdgate::cli {

// While it lives, SIGINT and SIGTERM do not end the process: they wait for a watch. Holds
// for this thread and those made meanwhile.
class BlockedInterrupts {
 public:
  BlockedInterrupts();
  ~BlockedInterrupts();
  BlockedInterrupts(const BlockedInterrupts&) = delete;
  BlockedInterrupts& operator=(const BlockedInterrupts&) = delete;
};

// While it lives, the first of these signals, also one that waited, runs `on_interrupt` on
// a thread of its own. The destructor waits for a running one.
class InterruptWatch {
 public:
  explicit InterruptWatch(std::function<void()> on_interrupt);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

 private:
  void Wait();

  const std::function<void()> on_interrupt_;
  int signals_;  // signalfd
  int stop_;     // eventfd
  std::thread thread_;
};

}  // namespace cdgate::cli
