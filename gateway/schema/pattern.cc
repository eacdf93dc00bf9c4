#include "gateway/schema/pattern.h"

#include <re2/re2.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::schema {
namespace {

// Bounds the program and what it remembers while it runs.
constexpr int64_t kMaxPatternMemory = 256 << 10;
constexpr int kMaxInstructions = 2000;

absl::Status Wrong(absl::string_view what) {
  return base::MakeError(base::Reason::kInvalidArgument, what);
}

}  // namespace

Pattern::Pattern(std::unique_ptr<re2::RE2> regex)
    : regex_(std::move(regex)), instructions_(static_cast<size_t>(regex_->ProgramSize())) {}

Pattern::~Pattern() = default;

bool Pattern::MatchesIn(absl::string_view text) const {
  return text.size() <= kMaxMatchedBytes &&
         re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *regex_);
}

size_t Pattern::CostOf(absl::string_view text) const {
  return 1 + std::min(text.size(), kMaxMatchedBytes) * instructions_ / 64;
}

absl::StatusOr<PatternPtr> CompilePattern(const std::string& text) {
  if (text.size() > kMaxPatternBytes) {
    return Wrong(absl::StrCat("has more than ", kMaxPatternBytes, " bytes"));
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemory);
  auto regex = std::make_unique<re2::RE2>(text, options);
  if (!regex->ok()) return Wrong(absl::StrCat("is not taken by RE2: ", regex->error()));
  if (regex->ProgramSize() > kMaxInstructions) {
    return Wrong("is too large when compiled; repeat less by counts");
  }
  return std::make_unique<const Pattern>(std::move(regex));
}

}  // namespace cdgate::schema
