#include "federation/policy/widening_rules.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/filter/type_reach.h"

namespace cdgate::policy {
namespace {

using filter::AndRelation;

// `when` without what does not matter to what it says.
std::string Squeezed(absl::string_view when) {
  std::string out;
  for (const char c : when) {
    if (c == '(' || c == ')' || absl::ascii_isspace(c)) continue;
    out.push_back(absl::ascii_tolower(c));
  }
  return out;
}

bool MayFail(absl::string_view when, size_t max_event_bytes) {
  if (when.empty()) return false;
  const auto reach = filter::TypeReach::Of(when);
  return !reach.ok() || reach->CanFail(max_event_bytes);
}

// What the condition of `candidate` is to that of `base`. Most pairs have nothing in common
// and are not parsed.
AndRelation Relation(const RuleShape& candidate, const RuleShape& base) {
  if (base.when.empty() || base.when == candidate.when) return AndRelation::kBaseFirst;
  if (candidate.when.empty()) return AndRelation::kNo;
  if (candidate.name != base.name && !absl::StrContains(candidate.squeezed, base.squeezed)) {
    return AndRelation::kNo;
  }
  return filter::IsAndOf(candidate.when, base.when).value_or(AndRelation::kNo);
}

// Compares two lists of rules.
//
// An event that `after` allows by a rule A was allowed before where some rule B matched it
// then, too (A's condition is B's, or B's with AND), and no rule above B decided otherwise. A
// rule X above B did not where
//   - it was passed in `after` as well: a rule above A has its condition, so that one was
//     neither true nor failed;
//   - or it allowed the event itself, with no more content and no looser terms than A does,
//     and could not fail, because an event on which it failed was denied.
// With B in place of A the same holds for the content that a refusal keeps.
class RuleComparison {
 public:
  RuleComparison(absl::string_view side, absl::Span<const RuleShape> before,
                 absl::Span<const RuleShape> after, const WideningContext& context,
                 std::vector<std::string>* reasons);

  void Run();

 private:
  // What a rule of `after` has to be shown not to do for the first time.
  enum class Goal { kCross, kKeep };

  void Check(size_t index, Goal goal);
  // Why the event may be new; none: `witness` shows that it is not.
  std::optional<std::string> Missing(size_t index, size_t witness, Goal goal) const;
  std::optional<std::string> MissingAbove(size_t index, const RuleShape& above, size_t position,
                                          Goal goal) const;
  std::vector<size_t> Witnesses(const RuleShape& rule, Goal goal) const;
  std::string WithoutWitness(const RuleShape& rule, Goal goal) const;
  bool PassedAbove(size_t index, const RuleShape& rule) const;
  bool AskedFirstAbove(size_t index, size_t position) const;
  bool Reached(size_t index) const;
  void Add(size_t index, absl::string_view what);

  const absl::string_view side_;
  const absl::Span<const RuleShape> before_;
  const absl::Span<const RuleShape> after_;
  const WideningContext& context_;
  std::vector<std::string>* const reasons_;
  absl::flat_hash_map<absl::string_view, size_t> first_before_;  // by condition
  absl::flat_hash_map<absl::string_view, size_t> first_after_;
  size_t always_after_;  // the first rule that every event meets
  // Of each rule of `before`: the first rule of `after` that asks its condition first.
  std::vector<size_t> asked_first_;
};

RuleComparison::RuleComparison(absl::string_view side, absl::Span<const RuleShape> before,
                               absl::Span<const RuleShape> after, const WideningContext& context,
                               std::vector<std::string>* reasons)
    : side_(side),
      before_(before),
      after_(after),
      context_(context),
      reasons_(reasons),
      always_after_(after.size()),
      asked_first_(before.size(), after.size()) {
  for (size_t i = 0; i < before.size(); ++i) first_before_.emplace(before[i].when, i);
  for (size_t i = 0; i < after.size(); ++i) first_after_.emplace(after[i].when, i);
  if (const auto found = first_after_.find(""); found != first_after_.end()) {
    always_after_ = found->second;
  }
  for (size_t i = 0; i < before.size(); ++i) {
    if (first_after_.contains(before[i].when)) continue;  // that is asked for first
    for (size_t j = 0; j < after.size() && asked_first_[i] == after.size(); ++j) {
      if (Relation(after[j], before[i]) == AndRelation::kBaseFirst) asked_first_[i] = j;
    }
  }
}

void RuleComparison::Run() {
  for (size_t i = 0; i < after_.size(); ++i) {
    if (!Reached(i)) continue;
    if (after_[i].allow) Check(i, Goal::kCross);
    if (after_[i].keep) Check(i, Goal::kKeep);
  }
}

bool RuleComparison::Reached(size_t index) const {
  return index <= always_after_ && first_after_.at(after_[index].when) == index;
}

void RuleComparison::Add(size_t index, absl::string_view what) {
  std::string reason = absl::StrCat(side_, ".rules[", index, "]");
  // "redact: …" goes on with the path; a sentence does not.
  const size_t colon = what.find(": ");
  const bool field = colon != absl::string_view::npos && what.find(' ') > colon;
  if (field) absl::StrAppend(&reason, ".", what.substr(0, colon));
  absl::StrAppend(&reason, " (", after_[index].name, "): ", field ? what.substr(colon + 2) : what);
  if (std::find(reasons_->begin(), reasons_->end(), reason) == reasons_->end()) {
    reasons_->push_back(std::move(reason));
  }
}

void RuleComparison::Check(size_t index, Goal goal) {
  const RuleShape& rule = after_[index];
  const std::vector<size_t> witnesses = Witnesses(rule, goal);
  std::optional<std::string> missing;
  size_t best = before_.size();
  for (const size_t witness : witnesses) {
    std::optional<std::string> now = Missing(index, witness, goal);
    bool less = false;
    if (!now && goal == Goal::kCross && rule.exported != nullptr) {
      less = !LessReduced(*before_[witness].exported, *rule.exported, context_.known).empty();
    }
    if (!now && !less) return;
    if (best == before_.size()) {
      best = witness;
      missing = std::move(now);
    }
  }
  if (witnesses.empty()) return Add(index, WithoutWitness(rule, goal));
  if (missing) return Add(index, *missing);
  for (const std::string& less :
       LessReduced(*before_[best].exported, *rule.exported, context_.known)) {
    Add(index, less);
  }
}

// Rules of `before` that matched whatever `rule` matches.
std::vector<size_t> RuleComparison::Witnesses(const RuleShape& rule, Goal goal) const {
  std::vector<size_t> out;
  const auto same = first_before_.find(rule.when);
  const auto serves = [&](const RuleShape& old) {
    return goal == Goal::kKeep ? old.keep : old.allow;
  };
  if (same != first_before_.end() && serves(before_[same->second])) out.push_back(same->second);
  if (goal == Goal::kKeep) return out;
  for (size_t i = 0; i < before_.size(); ++i) {
    if (serves(before_[i]) && before_[i].when != rule.when &&
        Relation(rule, before_[i]) != AndRelation::kNo) {
      out.push_back(i);
    }
  }
  return out;
}

std::string RuleComparison::WithoutWitness(const RuleShape& rule, Goal goal) const {
  if (goal == Goal::kKeep) return "keep: the content of what it refuses was not kept before";
  const auto named = std::find_if(before_.begin(), before_.end(),
                                  [&](const RuleShape& old) { return old.name == rule.name; });
  if (named == before_.end()) return "allows what no ALLOW rule allowed before";
  if (!named->allow) return "action: it was DENY and is ALLOW";
  return "when: it is neither what it was nor that with AND, so it may match more";
}

bool RuleComparison::PassedAbove(size_t index, const RuleShape& rule) const {
  if (const auto same = first_after_.find(rule.when);
      same != first_after_.end() && same->second < index) {
    return true;
  }
  // A DENY that matches more than it did. What it asks came first, so it was false.
  const auto wider =
      std::find_if(after_.begin(), after_.begin() + index, [&](const RuleShape& now) {
        return now.name == rule.name && Relation(rule, now) == AndRelation::kBaseFirst;
      });
  return wider != after_.begin() + index;
}

bool RuleComparison::AskedFirstAbove(size_t index, size_t position) const {
  return asked_first_[position] < index;
}

std::optional<std::string> RuleComparison::Missing(size_t index, size_t witness, Goal goal) const {
  for (size_t i = 0; i < witness; ++i) {
    if (PassedAbove(index, before_[i])) continue;
    if (auto missing = MissingAbove(index, before_[i], i, goal)) return missing;
  }
  return std::nullopt;
}

std::optional<std::string> RuleComparison::MissingAbove(size_t index, const RuleShape& above,
                                                        size_t position, Goal goal) const {
  const std::string rule = absl::StrCat("'", above.name, "'");
  if (goal == Goal::kKeep && above.keep) return std::nullopt;
  if (!above.allow) {
    return absl::StrCat("events that the rule ", rule,
                        " above it denied may reach it: that is gone, changed or further down");
  }
  if (MayFail(above.when, context_.max_event_bytes) && !AskedFirstAbove(index, position)) {
    return absl::StrCat("events on which the condition of ", rule,
                        " failed were denied and may reach it");
  }
  if (goal == Goal::kKeep || above.exported == nullptr) return std::nullopt;
  const auto less = LessReduced(*above.exported, *after_[index].exported, context_.known);
  if (less.empty()) return std::nullopt;
  return absl::StrCat("events that ", rule,
                      " allowed may reach it, and leave otherwise: ", less.front());
}

}  // namespace

RuleShape::RuleShape(const admin::v1::ExportRule& rule)
    : name(rule.name()),
      when(rule.when()),
      squeezed(Squeezed(rule.when())),
      allow(rule.action() == admin::v1::ACTION_ALLOW),
      exported(&rule) {}

RuleShape::RuleShape(const admin::v1::ImportRule& rule)
    : name(rule.name()),
      when(rule.when()),
      squeezed(Squeezed(rule.when())),
      allow(rule.action() == admin::v1::ACTION_ALLOW),
      keep(rule.keep()) {}

void CompareRules(absl::string_view side, absl::Span<const RuleShape> before,
                  absl::Span<const RuleShape> after, const WideningContext& context,
                  std::vector<std::string>* reasons) {
  RuleComparison(side, before, after, context, reasons).Run();
}

}  // namespace cdgate::policy
