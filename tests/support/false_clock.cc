// A wall clock that is off, for one program: a library to preload.
//
//   LD_PRELOAD=libcdgate_false_clock.so CDGATE_FALSE_CLOCK=FILE program
//
// FILE has the seconds that the clock is ahead, as 8 bytes in the order of the machine; negative is
// behind. What is written to it, in place, holds from then on. Without a readable FILE the program
// ends: a test that believes in a false clock must have one. CLOCK_MONOTONIC is as it is.
//
// Waits until a time of the wall clock are translated, those of Abseil included, which are bare
// futex calls: with a clock that is behind they would else be over at once, and threads that wait
// in a loop would spin. Whoever waits when the clock is set waits as long as he was going to.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

const std::atomic<int64_t>* MapClock() {
  const char* const path = std::getenv("CDGATE_FALSE_CLOCK");
  const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void* const page =
      file < 0 ? MAP_FAILED : mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) {
    std::fprintf(stderr, "CDGATE_FALSE_CLOCK names no file that can be read\n");
    std::_Exit(1);
  }
  close(file);
  return static_cast<const std::atomic<int64_t>*>(page);
}

int64_t Ahead() {
  static const std::atomic<int64_t>* const clock = MapClock();
  return clock->load(std::memory_order_relaxed);
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool IsWallClock(clockid_t id) { return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE; }

// A deadline of the false clock in terms of the real one.
timespec ToReal(const timespec& time) {
  timespec real = time;
  real.tv_sec = time.tv_sec > Ahead() ? time.tv_sec - Ahead() : 0;
  return real;
}

// Which clock a condition goes by cannot be asked; no machine is up for thirty years.
bool LooksLikeWallClock(const timespec& time) { return time.tv_sec > 1'000'000'000; }

}  // namespace

extern "C" {

int clock_gettime(clockid_t id, timespec* time) noexcept {
  static auto* const real = Real<int(clockid_t, timespec*)>("clock_gettime");
  const int result = real(id, time);
  if (result == 0 && IsWallClock(id)) time->tv_sec += Ahead();
  return result;
}

int gettimeofday(timeval* time, void* zone) noexcept {
  static auto* const real = Real<int(timeval*, void*)>("gettimeofday");
  const int result = real(time, zone);
  if (result == 0) time->tv_sec += Ahead();
  return result;
}

time_t time(time_t* out) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* deadline) {
  static auto* const real =
      Real<int(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
  const timespec until = LooksLikeWallClock(*deadline) ? ToReal(*deadline) : *deadline;
  return real(condition, mutex, &until);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* deadline) {
  static auto* const real =
      Real<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>(
          "pthread_cond_clockwait");
  const timespec until = IsWallClock(clock) ? ToReal(*deadline) : *deadline;
  return real(condition, mutex, clock, &until);
}

int sem_timedwait(sem_t* semaphore, const timespec* deadline) {
  static auto* const real = Real<int(sem_t*, const timespec*)>("sem_timedwait");
  const timespec until = ToReal(*deadline);
  return real(semaphore, &until);
}

int64_t syscall(int64_t number, ...) noexcept {
  static auto* const real = Real<int64_t(int64_t, ...)>("syscall");
  va_list list;
  va_start(list, number);
  int64_t argument[6];
  for (int64_t& value : argument) value = va_arg(list, int64_t);
  va_end(list);
  timespec until;
  const auto* const deadline = reinterpret_cast<const timespec*>(argument[3]);
  const int64_t wanted = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;
  if (number == SYS_futex && deadline != nullptr && (argument[1] & wanted) == wanted) {
    until = ToReal(*deadline);
    argument[3] = reinterpret_cast<int64_t>(&until);
  }
  return real(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}

}  // extern "C"
