#include "gateway/filter/value.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cdgate::filter {

absl::string_view TypeName(Type type) {
  switch (type) {
    case Type::kBoolean: return "Boolean";
    case Type::kInteger: return "Integer";
    case Type::kString: return "String";
  }
  return "";
}

std::string Value::ToString() const {
  switch (type_) {
    case Type::kBoolean: return boolean() ? "true" : "false";
    case Type::kInteger: return absl::StrCat(number_);
    case Type::kString: return std::string(text_);
  }
  return "";
}

std::optional<Value> CastText(absl::string_view text, Type target) {
  if (target == Type::kBoolean) {
    if (absl::EqualsIgnoreCase(text, "true")) return Value::Boolean(true);
    if (absl::EqualsIgnoreCase(text, "false")) return Value::Boolean(false);
    return std::nullopt;
  }
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const absl::string_view digits = text.substr(sign ? 1 : 0);
  int32_t integer = 0;
  if (digits.empty() || digits.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(text, &integer)) {
    return std::nullopt;
  }
  return Value::Integer(integer);
}

absl::string_view ErrorKindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kNone: return "";
    case ErrorKind::kParse: return "parse";
    case ErrorKind::kMath: return "math";
    case ErrorKind::kCast: return "cast";
    case ErrorKind::kMissingAttribute: return "missingAttribute";
    case ErrorKind::kMissingFunction: return "missingFunction";
    case ErrorKind::kFunctionEvaluation: return "functionEvaluation";
    case ErrorKind::kGeneric: return "generic";
  }
  return "";
}

}  // namespace cdgate::filter
