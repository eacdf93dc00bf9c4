#include "gateway/webhook/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace cdgate::webhook {
namespace {

using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

Answer Status(int status) {
  Answer answer;
  answer.status = status;
  return answer;
}

TEST(AnswerTest, FailuresSayStatusAndFirstBytes) {
  Answer answer = Status(500);
  answer.body_start = "database\nis down";
  EXPECT_THAT(
      FailureOf(answer),
      HasReasonAndMessage(Reason::kWebhookRejected, HasSubstr("answered 500: database\\nis down")));
  Answer redirect = Status(302);
  redirect.location = "https://elsewhere.example/";
  EXPECT_THAT(FailureOf(redirect),
              HasReasonAndMessage(Reason::kWebhookRedirected,
                                  HasSubstr("302 to https://elsewhere.example/, which is not")));
  Answer wait = Status(503);
  EXPECT_THAT(FailureOf(wait), HasReason(Reason::kWebhookRejected));
  wait.retry_after = absl::Seconds(7);
  EXPECT_THAT(FailureOf(wait),
              HasReasonAndMessage(Reason::kWebhookAskedToWait, HasSubstr("after 7s")));
  EXPECT_THAT(FailureOf(Status(410)), HasReason(Reason::kWebhookGone));
  CDGATE_EXPECT_OK(FailureOf(Status(299)));
}

TEST(AnswerTest, WithoutAnAnswerTheFailureIsWhatItIs) {
  Answer answer;
  answer.failure = base::MakeError(Reason::kWebhookTimedOut, "no answer");
  answer.status = 200;  // had begun
  EXPECT_EQ(KindOf(answer), AnswerKind::kTargetFailed);
  EXPECT_THAT(FailureOf(answer), HasReason(Reason::kWebhookTimedOut));
  EXPECT_THAT(CheckGrant(answer, "alpha.example"), HasReason(Reason::kWebhookTimedOut));
}

TEST(AnswerTest, RatesArePositiveNumbersOrAny) {
  EXPECT_EQ(ParseAllowedRate("*"), 0u);
  EXPECT_EQ(ParseAllowedRate(" 120 "), 120u);
  EXPECT_EQ(ParseAllowedRate("99999999999999999999"), 4294967295u);
  for (const char* text : {"", "0", "-1", "+1", "1.5", "12 a minute", "**", "0x10"}) {
    EXPECT_EQ(ParseAllowedRate(text), std::nullopt) << text;
  }
}

TEST(AnswerTest, PermissionIsInTheHeaderFieldAndNotInTheStatus) {
  EXPECT_THAT(CheckGrant(Status(200), "alpha.example"),
              HasReasonAndMessage(Reason::kWebhookHandshakeRefused,
                                  HasSubstr("no WebHook-Allowed-Origin")));
  Answer answer = Status(404);
  answer.allowed_origin = "alpha.example";
  CDGATE_EXPECT_OK(CheckGrant(answer, "alpha.example"));
  EXPECT_THAT(CheckGrant(answer, "beta.example"), HasReason(Reason::kWebhookHandshakeRefused));
}

}  // namespace
}  // namespace cdgate::webhook
