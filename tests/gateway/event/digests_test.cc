#include "gateway/event/digests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"

namespace cdgate::event {
namespace {

std::string Canonical(absl::string_view json) {
  JsonParser parser;
  const auto canonical = CanonicalJson(json, parser);
  return canonical.ok() ? *canonical : canonical.status().ToString();
}

TEST(DigestsTest, CanonicalJsonHasOneFormForOneValue) {
  EXPECT_EQ(Canonical(" { \"b\" : [ 1.0 , true , null ] , \"a\" : \"x\\u0041\\/\\n\" } "),
            "{\"a\":\"xA/\\u000a\",\"b\":[1e0,true,null]}");
  EXPECT_EQ(Canonical("{}"), "{}");
  EXPECT_EQ(Canonical("[[],{},[{}]]"), "[[],{},[{}]]");
  EXPECT_EQ(Canonical("{\"\\u00e9\":{\"z\":1,\"a\":false}}"),
            "{\"\xc3\xa9\":{\"a\":false,\"z\":1e0}}");
  EXPECT_EQ(Canonical("{\"q\":\"\\\"\\\\\"}"), "{\"q\":\"\\\"\\\\\"}");
}

TEST(DigestsTest, TextsOfDifferentValuesNeverShareAForm) {
  const char* const kTexts[] = {
      "{}",
      "[]",
      "[null]",
      "[\"null\"]",
      "[true]",
      "[\"true\"]",
      "[1]",
      "[\"1\"]",
      "[\"1e0\"]",
      "[1,1]",
      "[[1],1]",
      "[[1,1]]",
      "[0]",
      "[-0]",
      "[\"\"]",
      "[\"\\\"\"]",
      "[\"\\\\\"]",
      "[\"a\",\"b\"]",
      "[\"a,b\"]",
      "[\"a\\\",\\\"b\"]",
      "{\"a\":1}",
      "{\"a\":{}}",
      "{\"a\":[]}",
      "{\"a\":1,\"b\":2}",
      "{\"a\":2,\"b\":1}",
      "{\"a\":{\"b\":1}}",
      "[9007199254740992]",
      "[9007199254740993]",
      "[18446744073709551616]",
      "[18446744073709551617]",
      "[1e400]",
      "[1e401]",
      "[1e99999999999]",
      "[1e99999999998]",
      "[\"x1e99999999999\"]",
      "[\"\\n\"]",
      "[\"\\\\u000a\"]",
      "[0.1]",
      "[0.10000000000000001]",
  };
  std::set<std::string> forms;
  for (const char* text : kTexts) {
    EXPECT_TRUE(forms.insert(Canonical(text)).second) << text << " -> " << Canonical(text);
  }
}

TEST(DigestsTest, KeyOrderAndEnvelopeSpaceDoNotChangeTheDigest) {
  const auto a = CanonicalJsonDigest("{\"a\":1,\"b\":{\"c\":2.50}}");
  const auto b = CanonicalJsonDigest("{\"b\": {\"c\": 25e-1}, \"a\": 1}\n");
  CDGATE_ASSERT_OK(a);
  CDGATE_ASSERT_OK(b);
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(a->size(), 32u);
}

TEST(DigestsTest, RefusesWhatIsNotIJson) {
  EXPECT_THAT(CanonicalJsonDigest("{"), test::HasReason(base::Reason::kInvalidJson));
  EXPECT_THAT(CanonicalJsonDigest("{\"a\":1,\"a\":2}"),
              test::HasReason(base::Reason::kAmbiguousJson));
}

// The expected value was computed with sha256sum.
TEST(DigestsTest, CommitmentIsOverDomainSaltAndDigest) {
  const std::string salt(16, '\x01');
  const std::string digest(32, '\x02');
  const std::string want = crypto::Sha256("cdgate/commit/v1" + salt + digest);
  EXPECT_EQ(Commitment(salt, digest), want);
  crypto::Sha256Hasher hasher;
  crypto::Sha256Digest raw;
  raw.fill(2);
  EXPECT_EQ(AsBytes(Commitment(salt, raw, hasher)), want);
  EXPECT_EQ(base::HexEncode(want),
            "e02cff1ff27d9725ea2c6f5571605a2d1074452bf31f220fc31acc72d8b90582");
}

}  // namespace
}  // namespace cdgate::event
