#include "gateway/filter/filter_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/gateway/filter/test_event.h"
#include "tests/support/status_matchers.h"

namespace cdgate::filter {
namespace {

using test::HasReason;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class FilterIndexTest : public testing::Test {
 protected:
  void Add(uint32_t id, const std::string& condition) {
    CDGATE_ASSERT_OK(index_.Add(id, condition));
  }
  std::vector<uint32_t> Matches(test::TestEvent& event) {
    context_.Reset(event.parts());
    const auto matched = index_.Match(context_, &scratch_);
    return {matched.begin(), matched.end()};
  }
  std::vector<uint32_t> MatchesSubject(const std::string& subject) {
    test::TestEvent event;
    return Matches(event.With("subject", subject));
  }

  FilterIndex index_;
  FilterIndex::Scratch scratch_;
  EventContext context_;
};

TEST_F(FilterIndexTest, FindsByTextPrefixAndFunction) {
  Add(1, "subject = 'a'");
  Add(2, "subject LIKE 'a%'");
  Add(3, "SUBJECT_TYPE() = 'build'");
  Add(4, "subject = 'b'");
  Add(5, "EXISTS subject");
  test::TestEvent without;
  EXPECT_THAT(MatchesSubject("a"), UnorderedElementsAre(1, 2, 3, 5));
  EXPECT_THAT(MatchesSubject("ab"), UnorderedElementsAre(2, 3, 5));
  EXPECT_THAT(Matches(without), ElementsAre(3));
}

TEST_F(FilterIndexTest, WhatIsFoundIsEvaluated) {
  Add(1, "subject = 'a' AND source = '/beta'");
  test::TestEvent event;
  event.With("subject", "a");
  EXPECT_THAT(Matches(event), IsEmpty());
  event.With("source", "/beta");
  EXPECT_THAT(Matches(event), ElementsAre(1));
}

TEST_F(FilterIndexTest, WhatIsFoundTwiceMatchesOnce) {
  Add(1, "subject = 'a' OR source = '/alpha/ci' OR subject LIKE 'a%'");
  EXPECT_THAT(MatchesSubject("a"), ElementsAre(1));
}

TEST_F(FilterIndexTest, EqualConditionsAreOne) {
  for (uint32_t id = 1; id <= 5; ++id) Add(id, "subject = 'a'");
  EXPECT_EQ(index_.size(), 5u);
  EXPECT_EQ(index_.conditions(), 1u);
  index_.Remove(3);
  EXPECT_THAT(MatchesSubject("a"), UnorderedElementsAre(1, 2, 4, 5));
}

TEST_F(FilterIndexTest, AnIdHasItsLastCondition) {
  Add(1, "subject = 'a'");
  Add(1, "subject = 'a'");
  Add(1, "subject = 'b'");
  EXPECT_THAT(MatchesSubject("a"), IsEmpty());
  EXPECT_THAT(MatchesSubject("b"), ElementsAre(1));
  EXPECT_EQ(index_.conditions(), 1u);
}

TEST_F(FilterIndexTest, AConditionThatDoesNotCompileChangesNothing) {
  Add(1, "subject = 'a'");
  EXPECT_THAT(index_.Add(1, "subject ="), HasReason(base::Reason::kInvalidFilter));
  EXPECT_THAT(MatchesSubject("a"), ElementsAre(1));
}

TEST_F(FilterIndexTest, WhatWasRemovedLeavesNothing) {
  const std::vector<std::string> conditions = {"subject = 'a'",
                                               "subject LIKE 'a%'",
                                               "type LIKE 'dev.%'",
                                               "true",
                                               "false",
                                               "source IN ('/a', '/alpha/ci')"};
  for (int round = 0; round < 3; ++round) {
    for (uint32_t id = 0; id < conditions.size(); ++id) Add(id, conditions[id]);
    EXPECT_EQ(MatchesSubject("a").size(), conditions.size() - 1) << "all but false";
    for (uint32_t id = 0; id < conditions.size(); ++id) index_.Remove(id);
    EXPECT_THAT(MatchesSubject("a"), IsEmpty());
    EXPECT_EQ(index_.size(), 0u);
    EXPECT_EQ(index_.conditions(), 0u);
    EXPECT_EQ(index_.evaluated_always(), 0u);
  }
  index_.Remove(17);
}

TEST_F(FilterIndexTest, PrefixesOfAnyLength) {
  const std::string subject = "pkg:oci/app@sha256";
  for (uint32_t length = 1; length <= subject.size(); ++length) {
    Add(length, absl::StrCat("subject LIKE '", subject.substr(0, length), "%'"));
  }
  EXPECT_EQ(MatchesSubject(subject).size(), subject.size());
  EXPECT_THAT(MatchesSubject(subject.substr(0, 5)), UnorderedElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(MatchesSubject("x"), IsEmpty());
}

}  // namespace
}  // namespace cdgate::filter
