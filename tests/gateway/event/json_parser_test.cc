#include "gateway/event/json_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/event/json_lexical.h"
#include "tests/support/status_matchers.h"

namespace cdgate::event {
namespace {

using base::Reason;
using testing::HasSubstr;

absl::Status Parse(const std::string& text) {
  JsonParser parser;
  return parser.ParseIJson(text).status();
}

std::string Nested(size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(JsonParserTest, AdmitsIJson) {
  for (const char* text :
       {"{}", "[]", " {\"a\":1} \n", "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
        "{\"a\":null,\"A\":true}", "{\"\":0}", "\"scalar\"", "{\"e\":\"\\ud83d\\ude00\"}",
        "{\"e\":\"\xf0\x9f\x98\x80\"}", "{\"not an escape\":\"\\\\ud800\"}",
        "{\"a\":\"\\u0000\"}"}) {
    CDGATE_EXPECT_OK(Parse(text)) << text;
  }
}

TEST(JsonParserTest, RefusesDuplicateMembersAfterUnescaping) {
  for (const char* text : {"{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"a\":3}",
                           "{\"a\":1,\"\\u0061\":2}", "[{\"x\":{\"/\":1,\"\\/\":2}}]",
                           "{\"\":1,\"\":1}", "{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":1}"}) {
    EXPECT_THAT(Parse(text),
                test::HasReasonAndMessage(Reason::kAmbiguousJson, HasSubstr("two members named")))
        << text;
  }
}

TEST(JsonParserTest, NamesThatAreNearlyTheSameAreNot) {
  for (const char* text :
       {"{\"abcdefgh1\":1,\"abcdefgh2\":1}", "{\"abcdefgh\":1,\"abcdefghi\":1}",
        "{\"\":1,\"\\u0000\":1,\"\\u0000\\u0000\":1}", "{\"abcdefg\":1,\"abcdefgh\":1}",
        "{\"a\":{\"b\":[1.5,-1,{\"a\":1}],\"a\":null},\"b\":18446744073709551615,\"c\":true}"}) {
    CDGATE_EXPECT_OK(Parse(text)) << text;
  }
  EXPECT_THAT(Parse("{\"abcdefgh1\":1,\"abcdefgh2\":1,\"abcdefgh1\":1}"),
              test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Parse("{\"a\":[1.5,-1,{\"b\":2}],\"a\":1}"), test::HasReason(Reason::kAmbiguousJson));
}

TEST(JsonParserTest, FindsADuplicateAmongManyMembers) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"k" + std::to_string(i) + "\":{},";
  CDGATE_EXPECT_OK(Parse(text + "\"last\":0}"));
  EXPECT_THAT(Parse(text + "\"k500\":0}"), test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Parse(text + "\"k999\":0}"), test::HasReason(Reason::kAmbiguousJson));
}

TEST(JsonParserTest, ManyMembersWithinManyMembersDoNotShareTheirNames) {
  std::string inner = "{";
  for (int i = 0; i < 20; ++i) inner += "\"k" + std::to_string(i) + "\":0,";
  inner += "\"end\":0}";
  std::string outer = "{";
  for (int i = 0; i < 20; ++i) outer += "\"k" + std::to_string(i) + "\":" + inner + ",";
  CDGATE_EXPECT_OK(Parse(outer + "\"end\":0}"));
}

TEST(JsonParserTest, DepthIsAtMost64) {
  CDGATE_EXPECT_OK(Parse(Nested(64)));
  EXPECT_THAT(Parse(Nested(65)), test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Parse(Nested(100'000)), test::HasReason(Reason::kAmbiguousJson));
  std::string objects;
  for (int i = 0; i < 64; ++i) objects += "{\"a\":";
  CDGATE_EXPECT_OK(Parse(objects + "1" + std::string(64, '}')));
  EXPECT_THAT(Parse("[" + objects + "1" + std::string(64, '}') + "]"),
              test::HasReason(Reason::kAmbiguousJson));
}

TEST(JsonParserTest, RefusesWhatIsNotUtf8) {
  for (const char* text : {"{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}",
                           "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"a\":\"\xc3\"}"}) {
    EXPECT_THAT(Parse(text), test::HasReason(Reason::kAmbiguousJson)) << text;
  }
}

TEST(JsonParserTest, RefusesLoneSurrogates) {
  for (const char* text :
       {"{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\uDFFF x\"}",
        "{\"a\":\"\\ud83dx\"}", "{\"a\":\"\\ud83d\\n\"}", "{\"a\":\"\\ud83d\\u0041\"}",
        "{\"a\":\"\\ud83d\\ud83d\"}", "{\"a\":\"\\ude00\\ud83d\"}", "{\"\\udc00\":1}",
        "{\"a\":\"\\\\\\udc00\"}"}) {
    EXPECT_THAT(Parse(text), test::HasReason(Reason::kAmbiguousJson)) << text;
  }
}

TEST(JsonParserTest, RefusesByteOrderMarks) {
  EXPECT_THAT(Parse("\xef\xbb\xbf{}"), test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Parse("{}\xef\xbb\xbf"), test::HasReason(Reason::kInvalidJson));
}

TEST(JsonParserTest, RefusesWhatIsNoJson) {
  for (const std::string& text :
       {std::string(""), std::string(" "), std::string("{"), std::string("{}{}"),
        std::string("{} x"), std::string("{'a':1}"), std::string("{\"a\":1,}"),
        std::string("{\"a\":01}"), std::string("{\"a\":+1}"), std::string("{\"a\":NaN}"),
        std::string("{\"a\":\"\n\"}"), std::string("{\"a\":\"\\x\"}"), std::string("{a:1}"),
        std::string("{}\0", 3), std::string("\0", 1), std::string("tru"), std::string("{\"a\":1e}"),
        std::string("// c\n{}")}) {
    EXPECT_THAT(Parse(text), test::HasReason(Reason::kInvalidJson)) << text;
  }
}

double NumberOf(const std::string& lexeme) {
  JsonParser parser;
  const auto root = parser.ParseIJson("[\"1e999\"," + lexeme + ",7]");
  EXPECT_TRUE(root.ok()) << lexeme << root.status().ToString();
  double value = 0;
  EXPECT_EQ(root.ok() ? root->at(1).get(value) : simdjson::EMPTY, simdjson::SUCCESS) << lexeme;
  return value;
}

TEST(JsonParserTest, NumbersOfAnySizeAreAdmitted) {
  EXPECT_EQ(NumberOf("9007199254740993"), 9007199254740992.0);
  EXPECT_EQ(NumberOf("18446744073709551615"), 18446744073709551615.0);
  EXPECT_NEAR(NumberOf("18446744073709551616") / 18446744073709551616.0, 1, 1e-15);
  EXPECT_NEAR(NumberOf("-9223372036854775809") / -9223372036854775808.0, 1, 1e-15);
  EXPECT_DOUBLE_EQ(NumberOf("123456789012345678901234567890"), 1.2345678901234568e29);
  EXPECT_EQ(NumberOf("1e309"), 1e308);
  EXPECT_EQ(NumberOf("-1.5E+4000"), -1e308);
  EXPECT_EQ(NumberOf("1" + std::string(400, '0')), 1e308);
  EXPECT_EQ(NumberOf("1e-400"), 0);
  EXPECT_EQ(NumberOf("0." + std::string(400, '0') + "1"), 0);
}

TEST(JsonParserTest, MalformedNumberBesideAHugeOneIsNoJson) {
  for (const char* text : {"[1e999,01]", "[1e999,1.]", "[1e999,-]", "[1e999,.5]", "[1e999,1e+]",
                           "[1e999,0x10]", "[1e999x]"}) {
    EXPECT_THAT(Parse(text), test::HasReason(Reason::kInvalidJson)) << text;
  }
}

TEST(JsonParserTest, IsReusableAfterAnErrorAndForTextsOfAllSizes) {
  JsonParser parser;
  for (const size_t size : {0, 10, 100'000, 1, 1000}) {
    const std::string text = "{\"a\":\"" + std::string(size, 'x') + "\"}";
    const auto root = parser.ParseIJson(text);
    CDGATE_ASSERT_OK(root);
    EXPECT_EQ(root->at_key("a").get_string().value().size(), size);
    EXPECT_FALSE(parser.ParseIJson("{").ok());
  }
}

TEST(JsonLexicalTest, NormalNumberIsOneSpellingForOneValue) {
  const struct {
    const char* lexeme;
    const char* normal;
  } kCases[] = {
      {"1", "1e0"},
      {"1.0", "1e0"},
      {"10e-1", "1e0"},
      {"0.1E+1", "1e0"},
      {"1e0000000000000", "1e0"},
      {"120", "12e2"},
      {"0.0012", "12e-3"},
      {"-1.50", "-15e0"},
      {"0", "0"},
      {"0.000e5", "0"},
      {"-0", "-0"},
      {"-0.0", "-0"},
      {"9007199254740993", "9007199254740993e15"},
      {"9007199254740992", "9007199254740992e15"},
      {"1e1000000000", "x1e1000000000"},
      {"1e999999999", "1e999999999"},
  };
  for (const auto& c : kCases) EXPECT_EQ(NormalNumber(c.lexeme), c.normal) << c.lexeme;
}

}  // namespace
}  // namespace cdgate::event
