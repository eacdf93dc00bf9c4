// Tells ThreadSanitizer of an order that it cannot see: work that goes through a library
// which was built without it (gRPC) and comes back on another thread. Nothing in other
// builds.
//
//   CDGATE_HANDED_OVER(this);   // before the library gets it
//   CDGATE_TAKEN_OVER(this);    // first thing in the callback
#pragma once

#if defined(__SANITIZE_THREAD__)
#define CDGATE_TSAN_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CDGATE_TSAN_ 1
#endif
#endif

#ifdef CDGATE_TSAN_
extern "C" {
void __tsan_acquire(void* address);  // NOLINT(bugprone-reserved-identifier): TSan's own name
void __tsan_release(void* address);  // NOLINT(bugprone-reserved-identifier)
}
#define CDGATE_HANDED_OVER(address) __tsan_release(address)
#define CDGATE_TAKEN_OVER(address) __tsan_acquire(address)
#else
#define CDGATE_HANDED_OVER(address) static_cast<void>(0)
#define CDGATE_TAKEN_OVER(address) static_cast<void>(0)
#endif
