// Where one thread sleeps until another wakes it.
//
//   base::Parker parker;
//   parker.Park();   // here: until there was a Wake()
//   parker.Wake();   // elsewhere
//
// For threads that sleep and wake thousands of times a second. A condition variable does the
// same, but glibc's takes its mutex again as one that others wait for, so that the sleeper's next
// unlock is a system call for nobody; and who is woken under the lock runs into it. Here a sleep
// and its wake are one system call each.
#pragma once

#include <semaphore.h>

#include <cerrno>

namespace cdgate::base {

// Park() is for one thread, Wake() for all. A Wake() that nobody waits for counts for the next
// Park(); each ends one.
class Parker {
 public:
  Parker() { sem_init(&wakes_, 0, 0); }
  ~Parker() { sem_destroy(&wakes_); }
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  void Park() {
    while (sem_wait(&wakes_) != 0 && errno == EINTR) {
    }
  }
  void Wake() { sem_post(&wakes_); }

 private:
  sem_t wakes_;
};

}  // namespace cdgate::base
