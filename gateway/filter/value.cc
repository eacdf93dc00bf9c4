#include "gateway/filter/value.h"

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
