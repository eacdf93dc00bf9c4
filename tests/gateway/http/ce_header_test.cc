#include "gateway/http/ce_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"

namespace cdgate::http {
namespace {

using testing::HasSubstr;

TEST(CeHeaderTest, ExactlyOneRoundIsUndone) {
  for (const auto& [value, text] : std::vector<std::pair<std::string, std::string>>{
           {"pkg:oci/a@sha256%253Aab", "pkg:oci/a@sha256%3Aab"},
           {"pkg:oci/a@sha256%3Aab", "pkg:oci/a@sha256:ab"},
           {"%25", "%"},
           {"%2525", "%25"},
           {"%25u0041", "%u0041"},
           {"a%20b%22c", "a b\"c"},
           {"Gr%C3%BC%c3%9fe%20%F0%9F%9A%80", "Grüße 🚀"},
           {"a+b", "a+b"},
           {"Gr\xc3\xbc\xc3\x9f"
            "e",
            "Grüße"},
           {"", ""},
           {"\"a b\"", "a b"},
           {"\"a \\\"b\\\\\"", "a \"b\\"},
           {"\"50%25\"", "50%"},
           {"a\"b", "a\"b"},
       }) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const std::string decoded, DecodeCeHeader("ce-subject", value));
    EXPECT_EQ(decoded, text) << value;
  }
}

TEST(CeHeaderTest, BadPercentEncodingIsRefusedAndNamed) {
  for (const char* value : {"%", "100%", "%4", "%u0041", "%zz", "a%2", "%%41", "% 41"}) {
    EXPECT_THAT(DecodeCeHeader("ce-subject", value),
                test::HasReasonAndMessage(base::Reason::kInvalidCloudEvent,
                                          HasSubstr("ce-subject: a % is not followed")))
        << value;
  }
}

TEST(CeHeaderTest, WhatIsNoUtf8IsRefused) {
  for (const char* value : {"%ff", "%C3", "%C0%80", "%ED%A0%80", "\xff", "%F4%90%80%80"}) {
    EXPECT_THAT(DecodeCeHeader("ce-id", value),
                test::HasReasonAndMessage(base::Reason::kInvalidCloudEvent, HasSubstr("UTF-8")))
        << value;
  }
}

TEST(CeHeaderTest, ControlCharactersAndNoncharactersAreRefused) {
  for (const char* value : {"a%00b", "%0d%0aX-Evil:1", "%1f", "%7F", "%C2%85", "%C2%9F",
                            "%EF%BF%BE", "%EF%B7%90", "%F0%9F%BF%BF", "\"a\tb\""}) {
    EXPECT_THAT(DecodeCeHeader("ce-id", value),
                test::HasReasonAndMessage(base::Reason::kInvalidCloudEvent, HasSubstr("control")))
        << value;
  }
  CDGATE_EXPECT_OK(DecodeCeHeader("ce-id", "%C2%A0%EF%BF%BD").status());
}

TEST(CeHeaderTest, QuotationsAreClosedAtTheEnd) {
  for (const char* value : {"\"", "\"a", "\"a\\\"", "\"a\"b", "\"a\\"}) {
    EXPECT_THAT(DecodeCeHeader("ce-id", value), test::HasReason(base::Reason::kInvalidCloudEvent))
        << value;
  }
}

}  // namespace
}  // namespace cdgate::http
