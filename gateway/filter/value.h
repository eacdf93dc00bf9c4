// The values of CESQL, and what can go wrong while one is computed.
//
//   Value v = Value::String("alpha");
//   if (v.type() == Type::kString) Use(v.string());
//
// A Value is small and copied freely. A string Value does not own its text: it points
// into the event, the program or the EventContext it was computed in, as whoever hands
// it out says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::filter {

// The three primitive types of CESQL (section 3.1).
enum class Type : uint8_t { kBoolean, kInteger, kString };

// "Boolean", "Integer", "String".
absl::string_view TypeName(Type type);

class Value {
 public:
  // false.
  constexpr Value() = default;
  static constexpr Value Boolean(bool value) { return Value(Type::kBoolean, value ? 1 : 0, {}); }
  static constexpr Value Integer(int32_t value) { return Value(Type::kInteger, value, {}); }
  static constexpr Value String(absl::string_view text) { return Value(Type::kString, 0, text); }
  // false, 0 or "".
  static constexpr Value Zero(Type type) { return Value(type, 0, {}); }

  constexpr Type type() const { return type_; }
  // Each accessor means something only for its type.
  constexpr bool boolean() const { return number_ != 0; }
  constexpr int32_t integer() const { return number_; }
  constexpr absl::string_view string() const { return text_; }

  // As STRING() casts it: true, -5, the text itself.
  std::string ToString() const;

  friend constexpr bool operator==(const Value& a, const Value& b) {
    return a.type_ == b.type_ && a.number_ == b.number_ && a.text_ == b.text_;
  }

 private:
  constexpr Value(Type type, int32_t number, absl::string_view text)
      : text_(text), number_(number), type_(type) {}

  absl::string_view text_;
  int32_t number_ = 0;
  Type type_ = Type::kBoolean;
};

// The Integer or Boolean that `text` is cast to (section 3.7); none where it is neither.
std::optional<Value> CastText(absl::string_view text, Type target);

// The kinds of errors of CESQL (section 3.3).
enum class ErrorKind : uint8_t {
  kNone,
  kParse,
  kMath,
  kCast,
  kMissingAttribute,
  kMissingFunction,
  kFunctionEvaluation,
  kGeneric,
};

// As the conformance kit and `cdgate filter eval` spell it: "missingAttribute".
absl::string_view ErrorKindName(ErrorKind kind);

}  // namespace cdgate::filter
