// Counts the allocations of this binary: for tests of paths that must not allocate.
#pragma once

#include <cstddef>

namespace cdgate::test {

// Since the start, of all threads.
size_t Allocations();

}  // namespace cdgate::test
