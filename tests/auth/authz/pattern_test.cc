#include "auth/authz/pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace cdgate::authz {
namespace {

TEST(PatternTest, Matches) {
  const struct {
    std::string pattern, text;
    bool matches;
  } cases[] = {
      {"abc", "abc", true},
      {"abc", "abcd", false},
      {"abc", "", false},
      {"%", "", true},
      {"%", "anything", true},
      {"%%", "x", true},
      {"a%", "a", true},
      {"a%", "ba", false},
      {"%a", "ba", true},
      {"%a", "ab", false},
      {"a%a", "a", false},  // the same character is not both
      {"a%a", "aa", true},
      {"a%b%c", "axbxc", true},
      {"a%b%c", "axcxb", false},
      {"a%bb%c", "abc", false},
      {"a%b%b%c", "abbc", true},
      {"a%b%b%c", "abc", false},
      {"%aab%", "aaab", true},  // needs the second place that begins like it
      {"%ab%cd%", "abab-cd", true},
      {"x%y", "x%y", true},
      {"/a%20b", "/a%20b", true},
      {"a.c", "abc", false},  // only '%' is special
      {"a_c", "abc", false},
      {"dev.cdevents.%", "dev.cdevents.build.finished.0.2.0", true},
      {"dev.cdevents.%", "dev.cdevent", false},
      {"spiffe://a/service/%", "spiffe://a/service/x/y", true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Pattern(c.pattern).Matches(c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(PatternTest, IsQuickAlsoOnWhatIsMadeToBeSlow) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "%a";
  pattern += "%b";
  EXPECT_FALSE(Pattern(pattern).Matches(std::string(100'000, 'a')));
}

}  // namespace
}  // namespace cdgate::authz
