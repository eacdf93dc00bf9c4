#include "gateway/filter/functions.h"

#include "absl/strings/match.h"

namespace cdgate::filter {
namespace {

constexpr StaticType kB = StaticType::kBoolean;
constexpr StaticType kI = StaticType::kInteger;
constexpr StaticType kS = StaticType::kString;
constexpr StaticType kA = StaticType::kAny;

// In the order of FunctionId.
constexpr FunctionInfo kFunctions[] = {
    {"INT", FunctionId::kInt, 1, 1, {kI, kI, kI}, kI, true},
    {"BOOL", FunctionId::kBool, 1, 1, {kB, kB, kB}, kB, true},
    {"STRING", FunctionId::kString, 1, 1, {kS, kS, kS}, kS, true},
    {"LENGTH", FunctionId::kLength, 1, 1, {kS, kS, kS}, kI, true},
    {"CONCAT", FunctionId::kConcat, 0, kMaxArguments, {kS, kS, kS}, kS, true},
    {"CONCAT_WS", FunctionId::kConcatWs, 1, kMaxArguments, {kS, kS, kS}, kS, true},
    {"LOWER", FunctionId::kLower, 1, 1, {kS, kS, kS}, kS, true},
    {"UPPER", FunctionId::kUpper, 1, 1, {kS, kS, kS}, kS, true},
    {"TRIM", FunctionId::kTrim, 1, 1, {kS, kS, kS}, kS, true},
    {"LEFT", FunctionId::kLeft, 2, 2, {kS, kI, kI}, kS, true},
    {"RIGHT", FunctionId::kRight, 2, 2, {kS, kI, kI}, kS, true},
    {"SUBSTRING", FunctionId::kSubstring, 2, 3, {kS, kI, kI}, kS, true},
    {"ABS", FunctionId::kAbs, 1, 1, {kI, kI, kI}, kI, true},
    {"CDEVENT", FunctionId::kCdevent, 1, 2, {kS, kA, kA}, kA, false},
    {"HAS_CDEVENT", FunctionId::kHasCdevent, 1, 1, {kS, kS, kS}, kB, false},
    {"SUBJECT_TYPE", FunctionId::kSubjectType, 0, 0, {kS, kS, kS}, kS, false},
    {"PREDICATE", FunctionId::kPredicate, 0, 0, {kS, kS, kS}, kS, false},
    {"SPEC_VERSION", FunctionId::kSpecVersion, 0, 0, {kS, kS, kS}, kS, false},
    {"STAGE", FunctionId::kStage, 0, 0, {kS, kS, kS}, kS, false},
    {"ORIGIN", FunctionId::kOrigin, 0, 0, {kS, kS, kS}, kS, false},
    {"HOPS", FunctionId::kHops, 0, 0, {kS, kS, kS}, kI, false},
    {"PLANE", FunctionId::kPlane, 0, 0, {kS, kS, kS}, kS, false},
    {"CLASSIFICATION", FunctionId::kClassification, 0, 0, {kS, kS, kS}, kS, false},
    {"REGULATION", FunctionId::kRegulation, 0, 0, {kS, kS, kS}, kS, false},
    {"CATEGORY", FunctionId::kCategory, 0, 0, {kS, kS, kS}, kS, false},
};

}  // namespace

const FunctionInfo* FindFunction(absl::string_view name) {
  for (const FunctionInfo& function : kFunctions) {
    if (absl::EqualsIgnoreCase(function.name, name)) return &function;
  }
  return nullptr;
}

const FunctionInfo& InfoOfFunction(FunctionId id) { return kFunctions[static_cast<size_t>(id)]; }

}  // namespace cdgate::filter
