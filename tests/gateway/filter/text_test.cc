#include "gateway/filter/like.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/filter/data_path.h"
#include "gateway/filter/unicode.h"
#include "gateway/filter/unicode_tables.h"
#include "tests/support/status_matchers.h"

namespace cdgate::filter {
namespace {

TEST(LikePatternTest, Matches) {
  struct Case {
    const char* pattern;
    const char* text;
    bool expected;
  };
  const Case cases[] = {
      {"", "", true},
      {"", "a", false},
      {"%", "", true},
      {"%%", "abc", true},
      {"_", "", false},
      {"_", "é", true},
      {"__", "é", false},
      {"a%", "a", true},
      {"a%", "ba", false},
      {"%a", "ba", true},
      {"%a%", "bab", true},
      {"a%a", "a", false},
      {"a%a", "aa", true},
      {"ab%bc", "abc", false},
      {"%ab%ab%", "abab", true},
      {"%ab%ab%", "abaab", true},
      {"%_b%", "b", false},
      {"%_b", "aab", true},
      {"%a_", "aaab", true},
      {"a\\%", "a%", true},
      {"a\\%", "ab", false},
      {"\\_", "_", true},
      {"\\x", "\\x", true},
      {"a\\", "a\\", true},
      {"%b_d%", "abbcd", true},
      {"_%_", "a", false},
      {"_%_", "ab", true},
      {"%é_", "caféx", true},
      {"%a%b%c%", "xxcxxbxxa", false},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(LikePattern(test.pattern).Matches(test.text), test.expected)
        << test.pattern << " on " << test.text;
  }
}

TEST(LikePatternTest, PatternsMadeToBeSlowAreNot) {
  const std::string text(200000, 'a');
  EXPECT_FALSE(LikePattern("%a%a%a%a%a%a%a%a%a%a%a%b").Matches(text));
  EXPECT_FALSE(LikePattern("%" + std::string(1000, 'a') + "b%").Matches(text));
}

TEST(DataPathTest, RefusesWhatNamesNothing) {
  for (const char* path : {"", ".", "a.", ".a", "a..b", "/a~2", "/a~"}) {
    EXPECT_THAT(DataPath::Parse(path), test::HasReason(base::Reason::kInvalidFilter)) << path;
  }
  std::string deep = "a";
  for (int i = 0; i < 64; ++i) deep += ".a";
  EXPECT_THAT(DataPath::Parse(deep), test::HasReason(base::Reason::kInvalidFilter));
}

TEST(DataPathTest, KnowsIndices) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const DataPath path, DataPath::Parse("a.0.01.12345678901"));
  ASSERT_EQ(path.steps().size(), 4u);
  EXPECT_EQ(path.steps()[0].index, -1);
  EXPECT_EQ(path.steps()[1].index, 0);
  EXPECT_EQ(path.steps()[2].index, -1);
  EXPECT_EQ(path.steps()[3].index, -1);
}

TEST(UnicodeTest, EncodesWhatItDecodes) {
  for (uint32_t code = 1; code < 0x110000; code += 7) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    char bytes[4];
    const size_t size = Encode(code, bytes);
    const Character c = DecodeFirst({bytes, size});
    ASSERT_TRUE(c.valid);
    ASSERT_EQ(c.code, code);
    ASSERT_EQ(c.size, size);
  }
}

TEST(UnicodeTest, BytesThatAreNotUtf8AreCharactersByThemselves) {
  for (const char* bytes : {"\xff", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    const Character c = DecodeFirst(bytes);
    EXPECT_FALSE(c.valid) << bytes;
    EXPECT_EQ(c.size, 1u);
    EXPECT_EQ(CountCharacters(bytes), std::string(bytes).size());
  }
  EXPECT_EQ(OffsetOfCharacter("\xff\xff"
                              "é",
                              2),
            2u);
  EXPECT_EQ(OffsetOfCharacter("ab", 9), 2u);
}

TEST(UnicodeTest, CaseRangesAreSortedAndApart) {
  const auto expect_sorted = [](const auto& ranges) {
    uint32_t last = 0;
    for (const CaseRange& range : ranges) {
      EXPECT_GT(range.first, last);
      EXPECT_GE(range.last, range.first);
      last = range.last;
    }
  };
  expect_sorted(kLowerRanges);
  expect_sorted(kUpperRanges);
  EXPECT_EQ(ToUpper('z'), static_cast<uint32_t>('Z'));
  EXPECT_EQ(ToLower('['), static_cast<uint32_t>('['));
  EXPECT_EQ(ToUpper(0xFF), 0x178u);   // ÿ
  EXPECT_EQ(ToLower(0x100), 0x101u);  // Ā
  EXPECT_EQ(ToLower(0x101), 0x101u);
  EXPECT_EQ(ToUpper(0xDF), 0xDFu);  // ß has no other case of one character
}

}  // namespace
}  // namespace cdgate::filter
