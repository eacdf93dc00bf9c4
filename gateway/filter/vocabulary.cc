#include "gateway/filter/vocabulary.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"

namespace cdgate::filter {
namespace {

constexpr SubjectStage kSubjects[] = {
    {"approval", "approval"},   {"artifact", "ci"},
    {"branch", "scm"},          {"build", "ci"},
    {"change", "scm"},          {"environment", "cd"},
    {"incident", "operations"}, {"pipelinerun", "core"},
    {"repository", "scm"},      {"service", "cd"},
    {"taskrun", "core"},        {"testcase", "testing"},
    {"testcaserun", "testing"}, {"testoutput", "testing"},
    {"testsuite", "testing"},   {"testsuiterun", "testing"},
    {"ticket", "operations"},
};

constexpr absl::string_view kPredicates[] = {
    "abandoned",  "closed",   "created",  "deleted",  "deployed", "detected",
    "downloaded", "finished", "merged",   "modified", "packaged", "published",
    "queued",     "removed",  "reported", "resolved", "reviewed", "rolledback",
    "signed",     "skipped",  "started",  "updated",  "upgraded",
};

}  // namespace

TypeParts SplitCdeventsType(absl::string_view type) {
  const absl::string_view prefix =
      absl::StartsWith(type, kTypePrefix) ? kTypePrefix : kCustomTypePrefix;
  if (!absl::StartsWith(type, prefix)) return {};
  type.remove_prefix(prefix.size());
  const size_t first = type.find('.');
  if (first == absl::string_view::npos || first == 0) return {};
  const absl::string_view rest = type.substr(first + 1);
  const absl::string_view predicate = rest.substr(0, rest.find('.'));
  if (predicate.empty()) return {};
  return {type.substr(0, first), predicate};
}

absl::Span<const SubjectStage> Subjects() { return kSubjects; }

absl::string_view StageOfSubject(absl::string_view subject) {
  const auto* found = std::lower_bound(
      std::begin(kSubjects), std::end(kSubjects), subject,
      [](const SubjectStage& s, absl::string_view name) { return s.subject < name; });
  if (found == std::end(kSubjects) || found->subject != subject) return "";
  return found->stage;
}

absl::string_view StageOfType(absl::string_view type) {
  if (absl::StartsWith(type, kCustomTypePrefix)) return kCustomStage;
  return StageOfSubject(SplitCdeventsType(type).subject);
}

bool IsKnownPredicate(absl::string_view predicate) {
  return std::binary_search(std::begin(kPredicates), std::end(kPredicates), predicate);
}

bool IsKnownStage(absl::string_view stage) {
  return stage == kCustomStage ||
         std::any_of(std::begin(kSubjects), std::end(kSubjects),
                     [&](const SubjectStage& s) { return s.stage == stage; });
}

}  // namespace cdgate::filter
