// The functions of CESQL as this gateway has them. Internal to the library; people find
// the list in docs/filters.md.
//
// Standard (section 3.5): INT BOOL STRING LENGTH CONCAT CONCAT_WS LOWER UPPER TRIM LEFT
// RIGHT SUBSTRING ABS. Ours, which read the CDEvent and its record:
//   CDEVENT(path), CDEVENT(path, default), HAS_CDEVENT(path): a value of the data
//   SUBJECT_TYPE() PREDICATE() SPEC_VERSION() STAGE(): what kind of CDEvent
//   ORIGIN() HOPS() PLANE(): where it comes from
//   CLASSIFICATION() REGULATION() CATEGORY(): how it is labelled, "" where it is not
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "gateway/filter/value.h"

namespace cdgate::filter {

enum class FunctionId : uint8_t {
  kInt,
  kBool,
  kString,
  kLength,
  kConcat,
  kConcatWs,
  kLower,
  kUpper,
  kTrim,
  kLeft,
  kRight,
  kSubstring,
  kAbs,
  kCdevent,
  kHasCdevent,
  kSubjectType,
  kPredicate,
  kSpecVersion,
  kStage,
  kOrigin,
  kHops,
  kPlane,
  kClassification,
  kRegulation,
  kCategory,
};

// What is known of a type before evaluation.
enum class StaticType : uint8_t { kBoolean, kInteger, kString, kAny };

// Arguments of one call at the most; beyond what a person writes.
inline constexpr size_t kMaxArguments = 64;

struct FunctionInfo {
  absl::string_view name;
  FunctionId id;
  size_t min_arguments;
  size_t max_arguments;
  // The last is that of all further arguments. kAny: not cast.
  StaticType parameters[3];
  StaticType result;
  // The result depends on the arguments alone.
  bool pure;
};

// Null where there is none of that name, in whatever case.
const FunctionInfo* FindFunction(absl::string_view name);
const FunctionInfo& InfoOfFunction(FunctionId id);

}  // namespace cdgate::filter
