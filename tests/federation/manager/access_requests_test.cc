#include "federation/manager/access_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

federation::v1::AccessRequest Request() {
  federation::v1::AccessRequest request;
  request.set_id("0123456789abcdef");
  request.set_type("dev.cdevents.build.finished.0.2.0");
  request.set_source("/beta/ci");
  request.set_reason("joint releases, für alle");
  return request;
}

TEST(AccessRequestsTest, ARequestIsWholeAndPlain) {
  CDGATE_EXPECT_OK(CheckAccessRequest(Request()));
  federation::v1::AccessRequest request = Request();
  request.clear_source();
  CDGATE_EXPECT_OK(CheckAccessRequest(request));
  for (const char* id : {"", "0123", "0123456789ABCDEF", "0123456789abcde/", "0123456789abcdefa"}) {
    request = Request();
    request.set_id(id);
    EXPECT_THAT(CheckAccessRequest(request),
                HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("id: ")));
  }
  request = Request();
  request.clear_type();
  EXPECT_THAT(CheckAccessRequest(request),
              HasReasonAndMessage(Reason::kInvalidArgument, "type: is missing"));
  request = Request();
  request.clear_reason();
  EXPECT_THAT(CheckAccessRequest(request),
              HasReasonAndMessage(Reason::kInvalidArgument, "reason: is missing"));
  request = Request();
  request.set_source(std::string(kMaxAccessTextBytes + 1, 'x'));
  EXPECT_THAT(
      CheckAccessRequest(request),
      HasReasonAndMessage(Reason::kInvalidArgument, "source: has 501 bytes, the most are 500"));
}

TEST(AccessRequestsTest, PlainTextIsWhatAPersonSees) {
  for (const char* text : {"", "plain", "größer · € 日本語", "a\xe2\x80\xa7z"}) {
    EXPECT_TRUE(IsPlainText(text)) << text;
  }
  for (const char* text : {"\x1b[31m", "two\nlines", "\x7f", "\xc2\x9b", "\xe2\x80\xae",
                           "\xe2\x80\xa8", "\xe2\x81\xa6"}) {
    EXPECT_FALSE(IsPlainText(text)) << text;
  }
  EXPECT_TRUE(IsPlainText("cut \xe2\x80"));  // what is not UTF-8 came through no protobuf
}

TEST(AccessRequestsTest, AnAnswerMayBeEmpty) {
  CDGATE_EXPECT_OK(CheckAnswer(""));
  EXPECT_THAT(CheckAnswer(std::string(501, 'x')),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("answer: has 501 bytes")));
}

}  // namespace
}  // namespace cdgate::manager
