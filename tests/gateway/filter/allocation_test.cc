// Conditions on attributes allocate nothing.
#include <gtest/gtest.h>

#include <string>

#include "gateway/filter/program.h"
#include "tests/gateway/filter/test_event.h"
#include "tests/support/allocation_counter.h"

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
  const size_t before = test::Allocations();
  for (int i = 0; i < 10; ++i) {
    context.Reset(parts);
    MatchError error;
    program->Matches(context, &error);
  }
  return test::Allocations() - before;
}

TEST(AllocationTest, ConditionsOnAttributesAllocateNothing) {
  test::TestEvent event;
  event.With("team", "core and more than fits into a small string")
      .With("subject", "build-7")
      .WithData(R"({"context":{"specversion":"0.5.1"},"customData":{"n":12345678901}})");
  event.Set("count", Value::Integer(12));
  for (const char* source : {
           "type LIKE 'dev.cdevents.build.%' AND source LIKE '%ci' AND NOT (id = 'x')",
           "type IN ('a', 'b', 'c') OR subject LIKE 'build-_' AND EXISTS team",
           "SUBJECT_TYPE() = 'build' AND PREDICATE() != 'started' AND STAGE() = 'ci'",
           "ORIGIN() = 'alpha.example' AND HOPS() < 3 AND CLASSIFICATION() = ''",
           "HOPS() LIKE '0' AND LENGTH(team) > 3",
           "LOWER(team) LIKE 'core%' AND CONCAT(team, source) != ''",
           "EXISTS team AND team != 'x' OR subject = 'y'",
           "missing = 'x'",
           "INT(team) = 3",
           R"({"exact": {"subject": "build-7", "team": "x"}})",
           R"([{"prefix": {"type": "dev.cdevents.build."}}, {"not": {"suffix": {"count": "1"}}}])",
           R"({"any": [{"sql": "missing = 'x'"}, {"sql": "INT(team) = 3"}, {"sql": "team"}]})",
           R"([{"not": {"sql": "CDEVENT('customData.missing') = 'x'"}}, {"sql": "HOPS() < 3"}])",
           R"({"sql": "missing"})",
           // The parser's memory is kept as well.
           "HAS_CDEVENT('customData.n') AND CDEVENT('customData.n') = '12345678901'",
       }) {
    EXPECT_EQ(AllocationsOf(source, event), 0u) << source;
  }
}

}  // namespace
}  // namespace cdgate::filter
