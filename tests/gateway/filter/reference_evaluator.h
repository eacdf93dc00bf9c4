// A second evaluator of CESQL for tests: a tree walked by recursion over owned strings,
// written after the specification and as plainly as possible, without regard to speed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gateway/filter/value.h"

namespace cdgate::test {

using ReferenceValue = std::variant<bool, int32_t, std::string>;

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind {
    kLiteral,
    kAttribute,  // name
    kExists,     // name
    kNot,
    kNegate,
    kBinary,  // name is the operator: "+", "AND", "<>"
    kLike,    // name is the pattern
    kNotLike,
    kIn,
    kNotIn,
    kCall,        // name is the function
    kCdevent,     // name is the path; a child is the default
    kHasCdevent,  // name is the path
    kDialect,     // name is the dialect; "filters" is the array of them
  };
  Kind kind = Kind::kLiteral;
  std::string name;
  ReferenceValue literal = false;
  std::vector<ExpressionPtr> children;
  // Of exact, prefix and suffix.
  std::vector<std::pair<std::string, std::string>> attributes;
};

struct ReferenceEvent {
  std::map<std::string, ReferenceValue> attributes;
  // By dotted path; what is not here is absent.
  std::map<std::string, ReferenceValue> data;
  // Paths at which there is an object, an array or a number with a fraction.
  std::vector<std::string> objects;
  // The data is not JSON.
  bool broken = false;
  // By function name.
  std::map<std::string, ReferenceValue> facts;
};

struct ReferenceResult {
  ReferenceValue value = false;
  bool failed = false;
};

class ReferenceEvaluator {
 public:
  explicit ReferenceEvaluator(const ReferenceEvent& event) : event_(event) {}

  ReferenceResult Evaluate(const Expression& expression);
  // In the order in which they occurred.
  const std::vector<filter::ErrorKind>& errors() const { return errors_; }

 private:
  ReferenceResult Binary(const Expression& e);
  ReferenceResult Logic(const Expression& e);
  ReferenceResult Number(const std::string& op, int32_t x, int32_t y);
  ReferenceResult Equal(const Expression& e, ReferenceResult left, const ReferenceResult& right);
  ReferenceResult Like(const Expression& e, bool negated);
  ReferenceResult In(const Expression& e, bool negated);
  ReferenceResult Not(const Expression& e);
  ReferenceResult Cdevent(const Expression& e);
  ReferenceResult HasCdevent(const Expression& e);
  // `forgiving`: within any or not, where an error is false.
  ReferenceResult Dialect(const Expression& e, bool forgiving);
  ReferenceResult Sql(const Expression& e, bool forgiving);
  bool AttributesMatch(const Expression& e) const;
  ReferenceResult Call(const Expression& e);
  ReferenceResult CallText(const Expression& e, const std::vector<std::string>& arguments);
  ReferenceResult Part(const Expression& e);

  // Casts to the type that `like` holds.
  ReferenceResult Cast(ReferenceResult from, const ReferenceValue& like);
  ReferenceResult Fail(filter::ErrorKind kind, ReferenceValue zero);

  const ReferenceEvent& event_;
  std::vector<filter::ErrorKind> errors_;
};

// "true", "-5", the text itself.
std::string ReferenceText(const ReferenceValue& value);

}  // namespace cdgate::test
