#include "tests/gateway/filter/reference_evaluator.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace cdgate::test {
namespace {

using Kind = Expression::Kind;

constexpr int64_t kMin = std::numeric_limits<int32_t>::min();
constexpr int64_t kMax = std::numeric_limits<int32_t>::max();

// The characters of valid UTF-8.
std::vector<std::string> Characters(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) {
      out.back() += c;
    } else {
      out.emplace_back(1, c);
    }
  }
  return out;
}

std::string Join(const std::vector<std::string>& characters, size_t begin, size_t end) {
  std::string out;
  for (size_t i = begin; i < end; ++i) out += characters[i];
  return out;
}

// One pattern element: a character, any one, or any number.
struct Element {
  enum { kOne, kAnyOne, kAny } kind;
  std::string character;
};

std::vector<Element> Elements(const std::string& pattern) {
  const std::vector<std::string> characters = Characters(pattern);
  std::vector<Element> out;
  for (size_t i = 0; i < characters.size(); ++i) {
    const bool escapes = characters[i] == "\\" && i + 1 < characters.size() &&
                         (characters[i + 1] == "%" || characters[i + 1] == "_");
    if (escapes) {
      out.push_back({Element::kOne, characters[++i]});
    } else if (characters[i] == "%") {
      out.push_back({Element::kAny, ""});
    } else if (characters[i] == "_") {
      out.push_back({Element::kAnyOne, ""});
    } else {
      out.push_back({Element::kOne, characters[i]});
    }
  }
  return out;
}

// matches[i][j]: the first i elements match the first j characters.
bool LikeMatches(const std::string& pattern, const std::string& text) {
  const std::vector<Element> elements = Elements(pattern);
  const std::vector<std::string> characters = Characters(text);
  std::vector<std::vector<bool>> matches(elements.size() + 1,
                                         std::vector<bool>(characters.size() + 1, false));
  matches[0][0] = true;
  for (size_t i = 1; i <= elements.size(); ++i) {
    for (size_t j = 0; j <= characters.size(); ++j) {
      const Element& e = elements[i - 1];
      if (e.kind == Element::kAny) {
        matches[i][j] = matches[i - 1][j] || (j > 0 && matches[i][j - 1]);
      } else if (j > 0) {
        matches[i][j] = matches[i - 1][j - 1] &&
                        (e.kind == Element::kAnyOne || e.character == characters[j - 1]);
      }
    }
  }
  return matches[elements.size()][characters.size()];
}

std::string MapAscii(std::string text, bool lower) {
  for (char& c : text) {
    if (lower && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (!lower && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return text;
}

void ReplaceAll(std::string* text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text->find(from, at)) != std::string::npos; at += to.size()) {
    text->replace(at, from.size(), to);
  }
}

// The only letters above ASCII that the tests use.
std::string MapCase(std::string text, bool lower) {
  static const char* const kPairs[][2] = {{"é", "É"}, {"ж", "Ж"}, {"ω", "Ω"}, {"𐐨", "𐐀"}};
  text = MapAscii(std::move(text), lower);
  for (const auto& [small, capital] : kPairs) {
    ReplaceAll(&text, lower ? capital : small, lower ? small : capital);
  }
  return text;
}

// Among the white space that the tests use.
bool IsWhiteSpace(const std::string& character) {
  return character == " " || character == "\t" || character == "\n" || character == "\u00a0" ||
         character == "\u2003" || character == "\u3000";
}

std::string Trim(const std::string& text) {
  const std::vector<std::string> characters = Characters(text);
  size_t begin = 0;
  size_t end = characters.size();
  while (begin < end && IsWhiteSpace(characters[begin])) ++begin;
  while (end > begin && IsWhiteSpace(characters[end - 1])) --end;
  return Join(characters, begin, end);
}

bool ParseInteger(const std::string& text, int32_t* out) {
  const size_t begin = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
  if (text.size() == begin) return false;
  if (text.find_first_not_of("0123456789", begin) != std::string::npos) return false;
  const int64_t value = std::strtoll(text.c_str(), nullptr, 10);  // the nearest, if too large
  if (value < kMin || value > kMax) return false;
  *out = static_cast<int32_t>(value);
  return true;
}

ReferenceValue ZeroLike(const ReferenceValue& value) {
  if (std::holds_alternative<bool>(value)) return false;
  if (std::holds_alternative<int32_t>(value)) return 0;
  return std::string();
}

const ReferenceValue kBoolean = false;
const ReferenceValue kInteger = int32_t{0};
const ReferenceValue kText = std::string();

}  // namespace

std::string ReferenceText(const ReferenceValue& value) {
  if (const bool* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const int32_t* integer = std::get_if<int32_t>(&value)) return std::to_string(*integer);
  return std::get<std::string>(value);
}

ReferenceResult ReferenceEvaluator::Fail(filter::ErrorKind kind, ReferenceValue zero) {
  errors_.push_back(kind);
  return {std::move(zero), true};
}

ReferenceResult ReferenceEvaluator::Cast(ReferenceResult from, const ReferenceValue& like) {
  if (from.failed) return {ZeroLike(like), true};
  if (from.value.index() == like.index()) return from;
  const std::string text = ReferenceText(from.value);
  if (std::holds_alternative<std::string>(like)) return {text, false};
  if (const bool* boolean = std::get_if<bool>(&from.value)) return {*boolean ? 1 : 0, false};
  if (const int32_t* integer = std::get_if<int32_t>(&from.value)) return {*integer != 0, false};
  if (std::holds_alternative<int32_t>(like)) {
    int32_t integer = 0;
    if (ParseInteger(text, &integer)) return {integer, false};
  } else {
    const std::string lower = MapAscii(text, true);
    if (lower == "true" || lower == "false") return {lower == "true", false};
  }
  return Fail(filter::ErrorKind::kCast, ZeroLike(like));
}

ReferenceResult ReferenceEvaluator::Evaluate(const Expression& e) {
  switch (e.kind) {
    case Kind::kLiteral: return {e.literal, false};
    case Kind::kAttribute: {
      const auto found = event_.attributes.find(e.name);
      if (found == event_.attributes.end())
        return Fail(filter::ErrorKind::kMissingAttribute, false);
      return {found->second, false};
    }
    case Kind::kExists: return {event_.attributes.count(e.name) > 0, false};
    case Kind::kNot: return Not(e);
    case Kind::kNegate: {
      const ReferenceResult x = Cast(Evaluate(*e.children[0]), kInteger);
      return x.failed ? x : Number("-", 0, std::get<int32_t>(x.value));
    }
    case Kind::kBinary: return Binary(e);
    case Kind::kLike: return Like(e, false);
    case Kind::kNotLike: return Like(e, true);
    case Kind::kIn: return In(e, false);
    case Kind::kNotIn: return In(e, true);
    case Kind::kCall: return Call(e);
    case Kind::kCdevent: return Cdevent(e);
    case Kind::kHasCdevent: return HasCdevent(e);
    case Kind::kDialect: return Dialect(e, false);
  }
  return {};
}

ReferenceResult ReferenceEvaluator::Not(const Expression& e) {
  const ReferenceResult x = Evaluate(*e.children[0]);
  if (x.failed) return {false, true};
  if (std::holds_alternative<int32_t>(x.value)) {
    Fail(filter::ErrorKind::kCast, false);
    return {true, true};
  }
  const ReferenceResult cast = Cast(x, kBoolean);
  return {!std::get<bool>(cast.value), cast.failed};
}

ReferenceResult ReferenceEvaluator::Binary(const Expression& e) {
  if (e.name == "AND" || e.name == "OR") return Logic(e);
  const ReferenceResult left = Evaluate(*e.children[0]);
  const ReferenceResult right = Evaluate(*e.children[1]);
  if (e.name == "=" || e.name == "!=" || e.name == "<>") return Equal(e, left, right);
  if (e.name == "XOR") {
    const ReferenceResult x = Cast(left, kBoolean);
    const ReferenceResult y = Cast(right, kBoolean);
    if (x.failed || y.failed) return {false, true};
    return {std::get<bool>(x.value) != std::get<bool>(y.value), false};
  }
  const ReferenceResult x = Cast(left, kInteger);
  const ReferenceResult y = Cast(right, kInteger);
  const bool comparison = e.name[0] == '<' || e.name[0] == '>';
  if (x.failed || y.failed) return {comparison ? kBoolean : kInteger, true};
  return Number(e.name, std::get<int32_t>(x.value), std::get<int32_t>(y.value));
}

ReferenceResult ReferenceEvaluator::Logic(const Expression& e) {
  const bool decides = e.name == "OR";
  const ReferenceResult x = Cast(Evaluate(*e.children[0]), kBoolean);
  if (std::get<bool>(x.value) == decides) return x;
  const ReferenceResult y = Cast(Evaluate(*e.children[1]), kBoolean);
  if (x.failed || y.failed) return {false, true};
  return y;
}

ReferenceResult ReferenceEvaluator::Number(const std::string& op, int32_t a, int32_t b) {
  const int64_t x = a;
  const int64_t y = b;
  if (op == "<") return {x < y, false};
  if (op == "<=") return {x <= y, false};
  if (op == ">") return {x > y, false};
  if (op == ">=") return {x >= y, false};
  if ((op == "/" || op == "%") && y == 0) return Fail(filter::ErrorKind::kMath, kInteger);
  const int64_t result = op == "+"   ? x + y
                         : op == "-" ? x - y
                         : op == "*" ? x * y
                         : op == "/" ? x / y
                                     : x % y;
  if (result < kMin || result > kMax) return Fail(filter::ErrorKind::kMath, kInteger);
  return {static_cast<int32_t>(result), false};
}

ReferenceResult ReferenceEvaluator::Equal(const Expression& e, ReferenceResult left,
                                          const ReferenceResult& right) {
  if (right.failed) return {false, true};
  left = Cast(std::move(left), right.value);
  if (left.failed) return {false, true};
  return {(left.value == right.value) == (e.name == "="), false};
}

ReferenceResult ReferenceEvaluator::Like(const Expression& e, bool negated) {
  const ReferenceResult text = Cast(Evaluate(*e.children[0]), kText);
  if (text.failed) return {false, true};
  return {LikeMatches(e.name, std::get<std::string>(text.value)) != negated, false};
}

// The first element that equals the value ends it, unless something failed before.
ReferenceResult ReferenceEvaluator::In(const Expression& e, bool negated) {
  const ReferenceResult x = Evaluate(*e.children[0]);
  bool failed = x.failed;
  for (size_t i = 1; i < e.children.size(); ++i) {
    ReferenceResult element = Evaluate(*e.children[i]);
    if (!failed) element = Cast(std::move(element), x.value);
    failed = failed || element.failed;
    if (!failed && element.value == x.value) return {!negated, false};
  }
  return {!failed && negated, failed};
}

bool ReferenceEvaluator::AttributesMatch(const Expression& e) const {
  for (const auto& [name, wanted] : e.attributes) {
    const auto found = event_.attributes.find(name);
    if (found == event_.attributes.end()) return false;
    const std::string text = ReferenceText(found->second);
    if (text.size() < wanted.size()) return false;
    const bool begins = text.substr(0, wanted.size()) == wanted;
    const bool ends = text.substr(text.size() - wanted.size()) == wanted;
    if (e.name == "exact" ? text != wanted : e.name == "prefix" ? !begins : !ends) return false;
  }
  return true;
}

ReferenceResult ReferenceEvaluator::Sql(const Expression& e, bool forgiving) {
  const size_t before = errors_.size();
  const ReferenceResult result = Cast(Evaluate(*e.children[0]), kBoolean);
  if (!result.failed || !forgiving) return result;
  errors_.resize(before);
  return {false, false};
}

ReferenceResult ReferenceEvaluator::Dialect(const Expression& e, bool forgiving) {
  if (e.name == "sql") return Sql(e, forgiving);
  if (!e.attributes.empty()) return {AttributesMatch(e), false};
  if (e.name == "not") {
    return {!std::get<bool>(Dialect(*e.children[0], true).value), false};
  }
  const bool any = e.name == "any";
  for (const ExpressionPtr& child : e.children) {
    const ReferenceResult result = Dialect(*child, forgiving || any);
    if (std::get<bool>(result.value) == any) return result;
  }
  return {!any, false};
}

ReferenceResult ReferenceEvaluator::HasCdevent(const Expression& e) {
  if (event_.broken) return Fail(filter::ErrorKind::kFunctionEvaluation, false);
  const bool object =
      std::find(event_.objects.begin(), event_.objects.end(), e.name) != event_.objects.end();
  return {object || event_.data.count(e.name) > 0, false};
}

ReferenceResult ReferenceEvaluator::Cdevent(const Expression& e) {
  if (event_.broken) return Fail(filter::ErrorKind::kFunctionEvaluation, false);
  const auto found = event_.data.find(e.name);
  if (found != event_.data.end()) return {found->second, false};
  if (std::find(event_.objects.begin(), event_.objects.end(), e.name) != event_.objects.end()) {
    return Fail(filter::ErrorKind::kFunctionEvaluation, false);
  }
  if (!e.children.empty()) return Evaluate(*e.children[0]);
  return Fail(filter::ErrorKind::kMissingAttribute, false);
}

ReferenceResult ReferenceEvaluator::Call(const Expression& e) {
  if (const auto fact = event_.facts.find(e.name); fact != event_.facts.end()) {
    return {fact->second, false};
  }
  if (e.name == "SPEC_VERSION") {
    return Fail(event_.broken ? filter::ErrorKind::kFunctionEvaluation
                              : filter::ErrorKind::kMissingAttribute,
                false);
  }
  if (e.name == "INT") return Cast(Evaluate(*e.children[0]), kInteger);
  if (e.name == "BOOL") return Cast(Evaluate(*e.children[0]), kBoolean);
  if (e.name == "STRING") return Cast(Evaluate(*e.children[0]), kText);
  if (e.name == "ABS") {
    const ReferenceResult x = Cast(Evaluate(*e.children[0]), kInteger);
    if (x.failed) return x;
    const int64_t value = std::abs(static_cast<int64_t>(std::get<int32_t>(x.value)));
    if (value > kMax) return Fail(filter::ErrorKind::kMath, static_cast<int32_t>(kMax));
    return {static_cast<int32_t>(value), false};
  }
  if (e.name == "LEFT" || e.name == "RIGHT" || e.name == "SUBSTRING") return Part(e);
  std::vector<ReferenceResult> results;
  for (const ExpressionPtr& child : e.children) results.push_back(Evaluate(*child));
  bool failed = false;
  std::vector<std::string> arguments;
  for (ReferenceResult& result : results) {
    result = Cast(std::move(result), kText);
    failed = failed || result.failed;
    arguments.push_back(std::get<std::string>(result.value));
  }
  if (failed) return {e.name == "LENGTH" ? kInteger : kText, true};
  return CallText(e, arguments);
}

ReferenceResult ReferenceEvaluator::CallText(const Expression& e,
                                             const std::vector<std::string>& arguments) {
  if (e.name == "LENGTH") return {static_cast<int32_t>(Characters(arguments[0]).size()), false};
  if (e.name == "LOWER") return {MapCase(arguments[0], true), false};
  if (e.name == "UPPER") return {MapCase(arguments[0], false), false};
  if (e.name == "TRIM") return {Trim(arguments[0]), false};
  const bool separated = e.name == "CONCAT_WS";
  std::string out;
  for (size_t i = separated ? 1 : 0; i < arguments.size(); ++i) {
    if (separated && i > 1) out += arguments[0];
    out += arguments[i];
  }
  return {out, false};
}

// LEFT, RIGHT and SUBSTRING.
ReferenceResult ReferenceEvaluator::Part(const Expression& e) {
  std::vector<ReferenceResult> results;
  for (const ExpressionPtr& child : e.children) results.push_back(Evaluate(*child));
  bool failed = false;
  for (size_t i = 0; i < results.size(); ++i) {
    results[i] = Cast(std::move(results[i]), i == 0 ? kText : kInteger);
    failed = failed || results[i].failed;
  }
  if (failed) return {std::string(), true};
  const std::string text = std::get<std::string>(results[0].value);
  const std::vector<std::string> characters = Characters(text);
  const auto size = static_cast<int64_t>(characters.size());
  const int64_t n = std::get<int32_t>(results[1].value);
  if (e.name != "SUBSTRING") {
    if (n < 0) return Fail(filter::ErrorKind::kFunctionEvaluation, text);
    const auto count = static_cast<size_t>(std::min(n, size));
    if (e.name == "LEFT") return {Join(characters, 0, count), false};
    return {Join(characters, characters.size() - count, characters.size()), false};
  }
  const int64_t length = results.size() == 3 ? std::get<int32_t>(results[2].value) : size;
  if (n > size || n < -size || length < 0) {
    return Fail(filter::ErrorKind::kFunctionEvaluation, std::string());
  }
  if (n == 0) return {std::string(), false};
  const int64_t begin = n > 0 ? n - 1 : size + n;
  const int64_t end = std::min(begin + length, size);
  return {Join(characters, static_cast<size_t>(begin), static_cast<size_t>(end)), false};
}

}  // namespace cdgate::test
