// Conditions on attributes allocate nothing: operator new is replaced by one that counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "gateway/filter/program.h"
#include "tests/gateway/filter/test_event.h"
#include "tests/support/status_matchers.h"

namespace {
std::atomic<size_t> allocations{0};
}  // namespace

// The compiler sees free() for what new returned, and not that the two belong together.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace cdgate::filter {
namespace {

// Allocations of setting the context to an event and matching it, after a first time.
size_t AllocationsOf(const char* source, test::TestEvent& event) {
  const auto program = Program::Compile(source);
  EXPECT_TRUE(program.ok()) << program.status();
  if (!program.ok()) return 0;
  EventContext context;
  const EventParts parts = event.parts();
  context.Reset(parts);
  program->Matches(context);
  const size_t before = allocations;
  for (int i = 0; i < 10; ++i) {
    context.Reset(parts);
    MatchError error;
    program->Matches(context, &error);
  }
  return allocations - before;
}

TEST(AllocationTest, ConditionsOnAttributesAllocateNothing) {
  test::TestEvent event;
  event.With("team", "core and more than fits into a small string")
      .With("subject", "build-7")
      .WithData(R"({"context":{"specversion":"0.5.1"},"customData":{"n":12345678901}})");
  for (const char* source : {
           "type LIKE 'dev.cdevents.build.%' AND source LIKE '%ci' AND NOT (id = 'x')",
           "type IN ('a', 'b', 'c') OR subject LIKE 'build-_' AND EXISTS team",
           "SUBJECT_TYPE() = 'build' AND PREDICATE() != 'started' AND STAGE() = 'ci'",
           "ORIGIN() = 'alpha.example' AND HOPS() < 3 AND CLASSIFICATION() = ''",
           "HOPS() LIKE '0' AND LENGTH(team) > 3",
           "LOWER(team) LIKE 'core%' AND CONCAT(team, source) != ''",
           "missing = 'x'",
           "INT(team) = 3",
           // The parser's memory is kept as well.
           "HAS_CDEVENT('customData.n') AND CDEVENT('customData.n') = '12345678901'",
       }) {
    EXPECT_EQ(AllocationsOf(source, event), 0u) << source;
  }
}

}  // namespace
}  // namespace cdgate::filter
