// The vocabulary of CDEvents as conditions need it: what a type's text says, and which
// group of the specification a subject belongs to.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cdgate::filter {

// Custom types are dev.cdeventsx.<tool>-<subject>.<predicate>.<version>.
inline constexpr absl::string_view kTypePrefix = "dev.cdevents.";
inline constexpr absl::string_view kCustomTypePrefix = "dev.cdeventsx.";
inline constexpr absl::string_view kCustomStage = "custom";

struct TypeParts {
  absl::string_view subject;
  absl::string_view predicate;
};
// Both empty where `type` is not the text of a CDEvents type.
TypeParts SplitCdeventsType(absl::string_view type);

struct SubjectStage {
  absl::string_view subject;
  absl::string_view stage;
};
// Every subject of the releases 0.2.0 to 0.6.0-draft, sorted.
absl::Span<const SubjectStage> Subjects();
// "" for a subject that no release has.
absl::string_view StageOfSubject(absl::string_view subject);
// That of the type's subject; "custom" for custom types.
absl::string_view StageOfType(absl::string_view type);
// Whether any subject of a release has `predicate`.
bool IsKnownPredicate(absl::string_view predicate);
bool IsKnownStage(absl::string_view stage);

}  // namespace cdgate::filter
