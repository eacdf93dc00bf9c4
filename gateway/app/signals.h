// The signals a daemon obeys, turned into calls on an ordinary thread.
//
//   app::SignalThread signals({.on_stop = [&] { stop.Notify(); },
//                              .on_reload = [&] { gateway.Reload(); }});
//
// Construct it before any other thread starts: it blocks the signals, and threads
// inherit that. SIGTERM and SIGINT ask for a stop, SIGHUP for a reload; SIGPIPE is
// ignored. A second SIGTERM or SIGINT ends the process at once, for the operator who
// does not want to wait for the drain.
#pragma once

#include <functional>
#include <thread>

namespace cdgate::app {

class SignalThread {
 public:
  struct Handlers {
    std::function<void()> on_stop;    // once
    std::function<void()> on_reload;  // each SIGHUP
  };

  // Handlers run on the signal thread, one at a time, and may block it.
  explicit SignalThread(Handlers handlers);
  // Waits for a handler that runs; later signals stay pending.
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void Run();

  const Handlers handlers_;
  int signal_fd_ = -1;
  int stop_fd_ = -1;
  std::thread thread_;
};

// Raises the soft limit of open files to the hard one, so that connection caps are the
// first limit that is met. Returns the limit in force.
unsigned long RaiseFileLimit();

}  // namespace cdgate::app
