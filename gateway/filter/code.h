// A compiled expression: instructions for a stack machine and what they refer to.
// Internal to the library; machine.h runs it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/filter/ast.h"
#include "gateway/filter/data_path.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/functions.h"
#include "gateway/filter/like.h"
#include "gateway/filter/value.h"

namespace cdgate::filter {

// What an instruction does to the stack. Operators pop their operands and push their
// result; a failed operand gives a failed zero.
enum class Op : uint8_t {
  kConstant,   // push constants[a]
  kAttribute,  // push the attribute names[a]
  kExists,     // push whether the event has names[a]; flag: it is implied
  kNot,
  kNegate,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAndTest,  // cast the top to Boolean; false: jump to b, leaving it as the result
  kAndEnd,   // combine left and right
  kOrTest,   // the same for true
  kOrEnd,
  kXor,
  kLike,           // match the top with patterns[a]; flag: NOT
  kInTest,         // pop an element; equal to the top: replace it by the result, jump to b
  kInEnd,          // no element was equal: replace the top by the result
  kTry,            // what fails until kTryEnd, at b, is false there and no error
  kTryEnd,         // make the top a Boolean
  kCall,           // FunctionId a, count arguments
  kData,           // push the value at paths[a]
  kDataOrElse,     // the same where there is one, and jump to b; else push nothing
  kHasData,        // push whether paths[a] is there
  kEqualText,      // kAttribute a; kConstant b, a String; kEqual; flag: kNotEqual
  kLikeText,       // kAttribute a; kLike with patterns[b]; flag: NOT
  kCallEqualText,  // kCall a without arguments; kConstant b, a String; kEqual; flag: kNotEqual
  kInTexts,        // kAttribute a; IN over `count` constants from b, Strings; flag: NOT
};

struct Instruction {
  Op op;
  bool flag = false;
  uint16_t count = 0;
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t begin = 0;  // in the source
  uint32_t end = 0;
};

// An attribute by number where it is one that every event is asked for.
struct AttributeName {
  AttributeId id = AttributeId::kOther;
  absl::string_view name;
};

struct Code {
  std::string source;
  std::vector<Instruction> instructions;
  std::vector<AttributeName> names;
  std::vector<Value> constants;
  std::vector<LikePattern> patterns;
  std::vector<DataPath> paths;
  // What names and constants view.
  std::deque<std::string> texts;
  size_t stack_size = 0;
  uint64_t max_work = 0;
  StaticType type = StaticType::kAny;
  std::optional<Value> constant;
};

// What a condition is, by the shortest way: texts of the event compared with texts. kUnknown
// where that way does not reach, a value is missing or of another type included; then
// the machine decides.
enum class QuickMatch { kNo, kYes, kUnknown };
QuickMatch MatchQuickly(const Code& code, EventContext& event);

// Appends to `code` what computes the node `root` of `ast`. Names and constants keep
// viewing ast.texts.
void Emit(const Ast& ast, uint32_t root, Code* code);

}  // namespace cdgate::filter
