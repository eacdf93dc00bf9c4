// Matchers for absl::Status and absl::StatusOr. There is no NotOk(): a test names the
// reason it expects.
//
//   EXPECT_THAT(Parse("x"), test::HasReason(base::Reason::kInvalidJson));
//   CDGATE_ASSERT_OK_AND_ASSIGN(Event event, Parse(good));
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/base/errors.h"

namespace cdgate::test {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& value) {
  return value.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

MATCHER_P(HasReason, reason, std::string("has reason ") + std::string(base::ReasonText(reason))) {
  *result_listener << StatusOf(arg).ToString();
  return base::ReasonOf(StatusOf(arg)) == reason;
}

MATCHER_P2(HasReasonAndMessage, reason, matcher, "has the reason and a matching message") {
  *result_listener << StatusOf(arg).ToString();
  return base::ReasonOf(StatusOf(arg)) == reason &&
         testing::ExplainMatchResult(matcher, std::string(StatusOf(arg).message()),
                                     result_listener);
}

MATCHER_P(MessageIs, matcher, "has a matching message") {
  *result_listener << StatusOf(arg).ToString();
  return testing::ExplainMatchResult(matcher, std::string(StatusOf(arg).message()),
                                     result_listener);
}

}  // namespace cdgate::test

#define CDGATE_EXPECT_OK(expr) EXPECT_THAT((expr), ::cdgate::test::IsOk())
#define CDGATE_ASSERT_OK(expr) ASSERT_THAT((expr), ::cdgate::test::IsOk())
#define CDGATE_ASSERT_OK_AND_ASSIGN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                                      \
  ASSERT_TRUE(tmp.ok()) << tmp.status().ToString();       \
  lhs = *std::move(tmp)
#define CDGATE_TEST_CONCAT_INNER_(a, b) a##b
#define CDGATE_TEST_CONCAT_(a, b) CDGATE_TEST_CONCAT_INNER_(a, b)
#define CDGATE_ASSERT_OK_AND_ASSIGN(lhs, expr) \
  CDGATE_ASSERT_OK_AND_ASSIGN_IMPL_(CDGATE_TEST_CONCAT_(cdgate_test_, __LINE__), lhs, expr)
