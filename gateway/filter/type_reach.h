// What can be said about a condition without an event: which types it may match, whether
// it can fail, and whether one condition is another with more asked of it.
//
//   CDGATE_ASSIGN_OR_RETURN(TypeReach reach, TypeReach::Of("SUBJECT_TYPE() = 'build'"));
//   reach.MayMatch("dev.cdevents.incident.detected.0.3.0")   // false: no such event does
//
// All answers err on the same side: what is not proven is "may match", "can fail" and
// "no". Immutable, cheap to copy, may be used by any number of threads.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::filter {

struct Ast;

class TypeReach {
 public:
  // `condition` must compile as a condition; the error is that of Program::Compile().
  static absl::StatusOr<TypeReach> Of(absl::string_view condition);

  // False only where no event of this CloudEvents type can make the condition true. Known
  // are `type`, SUBJECT_TYPE(), PREDICATE() and STAGE() compared with texts by =, !=, LIKE
  // and IN, and what AND, OR, XOR and NOT make of that; all else may be true or false.
  bool MayMatch(absl::string_view type) const;

  // False only where the condition has a value for every admitted event of at most
  // `max_event_bytes` (limits.max_event_bytes): it reads what every event has or what it
  // asked for with EXISTS before, and casts nothing that may not be cast. A field of the
  // data may be an object whatever HAS_CDEVENT says, so CDEVENT() is safe for the fields
  // of the context and for subject.id only, with a default or without.
  bool CanFail(size_t max_event_bytes = 1'000'000) const;

 private:
  explicit TypeReach(std::shared_ptr<const Ast> ast) : ast_(std::move(ast)) {}

  std::shared_ptr<const Ast> ast_;
};

// What one condition, the candidate, is to another, the base.
enum class AndRelation {
  // Nothing is known.
  kNo,
  // The candidate is `base AND more`, base evaluated first. Where it is true so is base,
  // and where base fails it fails.
  kBaseFirst,
  // The candidate is `more AND base`, or has the operands of base among its own: where it
  // is true so is base. Where base fails, the candidate may be false instead.
  kBaseLater,
};

// Both must compile as conditions. A condition that is equal to its base is kBaseFirst.
// Compared is what was read, not how it was written: neither white space nor parentheses
// nor the case of names matter.
absl::StatusOr<AndRelation> IsAndOf(absl::string_view candidate, absl::string_view base);

}  // namespace cdgate::filter
