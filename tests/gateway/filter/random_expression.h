// Random CESQL for tests: trees, their text with as few parentheses as the precedence
// allows or some more, and events with values that the trees are likely to compare.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "tests/gateway/filter/reference_evaluator.h"

namespace cdgate::test {

class RandomCesql {
 public:
  explicit RandomCesql(uint64_t seed) : random_(seed) {}

  // At most `depth` levels.
  ExpressionPtr Tree(int depth);
  // A condition that compares texts of the event with texts, as most policies do.
  ExpressionPtr TextCondition(int depth);
  // A filter in the dialects of the Subscriptions API, with CESQL of at most `depth` levels.
  ExpressionPtr Dialect(int depth);
  // Any of the three.
  ExpressionPtr Any(int depth);
  std::string Text(const Expression& e) { return Render(e, 0); }
  ReferenceEvent Event();
  // The JSON of the event's data.
  static std::string Json(const ReferenceEvent& event);

 private:
  ExpressionPtr Leaf();
  ExpressionPtr TextComparison();
  ExpressionPtr Call(int depth);
  ExpressionPtr DialectAttributes(const char* dialect);
  ReferenceValue SomeValue();
  std::string SomeText();
  std::string SomePattern();
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  bool OneIn(size_t n) { return Below(n) == 0; }

  // In parentheses where it binds less than `power`.
  std::string Render(const Expression& e, int power);
  std::string RenderBare(const Expression& e);
  std::string RenderList(const Expression& e, size_t first);
  std::string RenderDialect(const Expression& e);
  std::string RenderFilters(const Expression& e);
  // `text` in quotes, with escapes that JSON asks for and some more.
  std::string JsonQuoted(const std::string& text);
  std::string Keyword(std::string word);
  void AddData(ReferenceEvent* event);
  void AddFacts(ReferenceEvent* event);
  std::string AttributeName();
  std::string Space() { return OneIn(8) ? "\n " : " "; }

  std::mt19937_64 random_;
};

// `text` as a CESQL string literal.
std::string Quoted(const std::string& text, char quote);

}  // namespace cdgate::test
