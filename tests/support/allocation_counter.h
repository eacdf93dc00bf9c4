// Counts what a test allocates, by replacing operator new. Include it in exactly one
// source file of a test that is alone in its program.
//
//   const size_t before = test::Allocations();
//   Use(thing);
//   EXPECT_EQ(test::Allocations() - before, 0u);
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace cdgate::test {

inline std::atomic<size_t>& AllocationCounter() {
  static std::atomic<size_t> count{0};
  return count;
}
inline size_t Allocations() { return AllocationCounter(); }

}  // namespace cdgate::test

// The compiler sees free() for what new returned, and not that the two belong together.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(size_t size) {
  ++cdgate::test::AllocationCounter();
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
// The forms that do not throw would else be a sanitizer's, which does not know our delete.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void* operator new[](size_t size) { return operator new(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
