#include "federation/policy/interest.h"

#include <utility>

#include "absl/status/statusor.h"

namespace cdgate::policy {
namespace {

constexpr filter::CompileOptions kInterestOptions = {
    .max_source_bytes = kMaxInterestBytes,
    .max_steps = kMaxInterestSteps,
    .max_work = kMaxInterestWork,
};

size_t SourceBytes(const federation::v1::Interest& interest) {
  size_t bytes = 0;
  for (const federation::v1::InterestRule& rule : interest.rules()) bytes += rule.when().size();
  return bytes;
}

}  // namespace

federation::v1::Interest BuildInterest(const admin::v1::Policy& policy, uint64_t version) {
  federation::v1::Interest out;
  const admin::v1::ImportPolicy& import = policy.import();
  if (import.interest() == admin::v1::INTEREST_MODE_NONE) return out;
  out.set_version(version);
  for (const admin::v1::ImportRule& rule : import.rules()) {
    federation::v1::InterestRule* shown = out.add_rules();
    shown->set_when(rule.when());
    shown->set_allow(rule.action() == admin::v1::ACTION_ALLOW);
  }
  // Beyond its bounds the peer would ignore it.
  return CompiledInterest::Compile(out).version() == version ? out : federation::v1::Interest();
}

CompiledInterest CompiledInterest::Compile(const federation::v1::Interest& received) {
  CompiledInterest out;
  out.paused_ = received.paused();
  if (received.version() == 0 || SourceBytes(received) > kMaxInterestBytes ||
      static_cast<size_t>(received.rules_size()) > kMaxInterestSteps) {
    return out;
  }
  std::vector<Rule> rules;
  size_t steps = 0;
  for (const federation::v1::InterestRule& shown : received.rules()) {
    Rule rule{std::nullopt, shown.allow()};
    if (!shown.when().empty()) {
      absl::StatusOr<filter::Program> when =
          filter::Program::Compile(shown.when(), kInterestOptions);
      if (!when.ok()) return out;
      steps += when->steps();
      rule.when = *std::move(when);
    }
    if (steps > kMaxInterestSteps) return out;
    rules.push_back(std::move(rule));
  }
  out.rules_ = std::move(rules);
  out.serial_ = RuleMemo::NewSerial();
  out.version_ = received.version();
  return out;
}

RuleMemo::Outcome CompiledInterest::Try(const Rule& rule, filter::EventContext& event) {
  filter::MatchError error;
  const bool matched = !rule.when || rule.when->Matches(event, &error);
  if (error) return RuleMemo::Outcome::kFailed;
  return matched ? RuleMemo::Outcome::kMatched : RuleMemo::Outcome::kPassed;
}

std::optional<bool> CompiledInterest::WantsByKind(filter::EventContext& event,
                                                  RuleMemo* memo) const {
  if (version_ == 0) return true;
  RuleMemo own;
  if (memo == nullptr) memo = &own;
  const auto first = memo->FirstByKind(serial_, rules_.size(), event,
                                       [&](size_t i) { return Try(rules_[i], event); });
  if (!first) return std::nullopt;
  return first->outcome == RuleMemo::Outcome::kMatched && rules_[first->rule].allow;
}

// What fails may be wanted: the importer decides.
bool CompiledInterest::Wants(filter::EventContext& event, RuleMemo* memo) const {
  if (version_ == 0) return true;
  const uint32_t hops = event.hops();
  event.set_hops(hops + 1);
  const auto first = FirstToDecide(memo, serial_, rules_.size(), event,
                                   [&](size_t i) { return Try(rules_[i], event); });
  event.set_hops(hops);
  return first && (first->outcome == RuleMemo::Outcome::kFailed || rules_[first->rule].allow);
}

}  // namespace cdgate::policy
