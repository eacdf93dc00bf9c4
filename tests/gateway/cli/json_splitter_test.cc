#include "gateway/cli/json_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace cdgate::cli {
namespace {

using testing::ElementsAre;
using testing::Pair;
using Texts = std::vector<std::pair<std::string, size_t>>;

// What comes out, whole or with every byte fed by itself: the same.
Texts Split(const std::string& bytes) {
  const auto run = [&](size_t step) {
    Texts texts;
    const auto sink = [&](std::string text, size_t line) { texts.emplace_back(text, line); };
    JsonSplitter splitter;
    for (size_t i = 0; i < bytes.size(); i += step) {
      splitter.Feed(absl::string_view(bytes).substr(i, step), sink);
    }
    splitter.Finish(sink);
    return texts;
  };
  const Texts whole = run(bytes.size() + 1);
  EXPECT_EQ(run(1), whole);
  return whole;
}

TEST(JsonSplitterTest, OneObjectOverSeveralLines) {
  EXPECT_THAT(Split(" {\n \"a\": [1, {}]\n}\n"), ElementsAre(Pair("{\n \"a\": [1, {}]\n}", 1)));
}

TEST(JsonSplitterTest, OneObjectALine) {
  EXPECT_THAT(Split("{\"a\":1}\n{\"b\":2}\r\n\n{}"),
              ElementsAre(Pair("{\"a\":1}", 1), Pair("{\"b\":2}", 2), Pair("{}", 4)));
}

TEST(JsonSplitterTest, ElementsOfAnArray) {
  EXPECT_THAT(Split("[{\"a\":1},\n {\"b\":[2]} , {}]\n"),
              ElementsAre(Pair("{\"a\":1}", 1), Pair("{\"b\":[2]}", 2), Pair("{}", 2)));
  EXPECT_THAT(Split("[]"), ElementsAre());
}

TEST(JsonSplitterTest, BracketsAndQuotesInStringsDoNotCount) {
  const std::string text = R"({"a":"}\"]{\\","b":"["})";
  EXPECT_THAT(Split(text + text), ElementsAre(Pair(text, 1), Pair(text, 1)));
}

TEST(JsonSplitterTest, ABadLineCostsThatLine) {
  EXPECT_THAT(Split("{\"a\":1}\nhello {}\n{\"b\":\"x\n{\"c\":3}\n"),
              ElementsAre(Pair("{\"a\":1}", 1), Pair("hello {}", 2), Pair("{\"b\":\"x", 3),
                          Pair("{\"c\":3}", 4)));
}

TEST(JsonSplitterTest, WhatIsCutOffComesOutAtTheEnd) {
  EXPECT_THAT(Split("{\"a\":"), ElementsAre(Pair("{\"a\":", 1)));
  EXPECT_THAT(Split("7"), ElementsAre(Pair("7", 1)));
  EXPECT_THAT(Split(" \n "), ElementsAre());
}

TEST(JsonSplitterTest, ASecondArrayMayFollow) {
  EXPECT_THAT(Split("[{}] [{\"a\":1}]"), ElementsAre(Pair("{}", 1), Pair("{\"a\":1}", 1)));
}

}  // namespace
}  // namespace cdgate::cli
