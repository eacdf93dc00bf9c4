#include "auth/audit/line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"

namespace cdgate::audit {
namespace {

using base::Reason;
using testing::HasSubstr;
using testing::StartsWith;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

std::string Sample() {
  Members members;
  members.Text("who", "ann").Number("commit", 42);
  return Seal(Unsealed(7, kNow, NoHash(), kAct, members.text()));
}

TEST(LineTest, IsOneJsonObjectWithTheHashOfWhatIsBeforeIt) {
  const std::string line = Sample();
  EXPECT_THAT(line, StartsWith("{\"number\":7,\"time\":\"2026-01-01T00:00:00.000000000Z\","
                               "\"previous\":\"" +
                               std::string(64, '0') +
                               "\",\"kind\":\"act\",\"who\":\"ann\",\"commit\":42,\"hash\":\""));
  const std::string unsealed = line.substr(0, line.find(",\"hash\""));
  EXPECT_EQ(line, unsealed + ",\"hash\":\"" + base::HexEncode(crypto::Sha256(unsealed)) + "\"}");
}

TEST(LineTest, ReadsWhatItWrites) {
  const std::string text = Sample();
  CDGATE_ASSERT_OK_AND_ASSIGN(const Line line, ReadLine(text));
  EXPECT_EQ(line.number, 7u);
  EXPECT_EQ(line.time, TimeText(kNow));
  EXPECT_EQ(line.previous, NoHash());
  EXPECT_EQ(line.kind, kAct);
  EXPECT_EQ(TextMember(text, "who"), "ann");
  EXPECT_EQ(NumberMember(text, "commit"), 42u);
  EXPECT_EQ(TextMember(text, "commit"), "");
  EXPECT_EQ(NumberMember(text, "nothing"), 0u);
}

TEST(LineTest, EveryBytesChangeIsFound) {
  const std::string line = Sample();
  for (size_t i = 0; i < line.size(); ++i) {
    std::string changed = line;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_THAT(ReadLine(changed), test::HasReason(Reason::kAuditDamaged)) << i;
  }
  for (size_t i = 0; i < line.size(); ++i) {
    EXPECT_THAT(ReadLine(line.substr(0, i)), test::HasReason(Reason::kAuditDamaged)) << i;
  }
}

TEST(LineTest, WhatIsNotUtf8IsReplaced) {
  Members members;
  members.Text("detail", "a\xFF\xC3(\xED\xA0\x80 \"\n\x01z");
  EXPECT_EQ(members.text(),
            "\"detail\":\"a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            " \\\"\\n\\u0001z\"");
}

TEST(LineTest, ATextCannotPassForAMember) {
  Members members;
  members.Text("detail", "x\",\"who\":\"root").Text("who", "ann");
  const std::string line = Seal(Unsealed(1, kNow, NoHash(), kAct, members.text()));
  EXPECT_EQ(TextMember(line, "who"), "ann");
}

TEST(LineTest, ListsAndObjects) {
  Members inner;
  inner.Text("path", "a");
  Members members;
  members.Object("from", inner).Object("none", Members()).Texts("names", {"x", "y"});
  members.Objects("changes", {inner, inner}).Texts("empty", {}).Text("left_out", "");
  EXPECT_EQ(members.text(),
            "\"from\":{\"path\":\"a\"},\"names\":[\"x\",\"y\"],"
            "\"changes\":[{\"path\":\"a\"},{\"path\":\"a\"}],\"empty\":[]");
}

}  // namespace
}  // namespace cdgate::audit
