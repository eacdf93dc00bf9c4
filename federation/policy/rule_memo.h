// Remembers which rules of a list can decide nothing for events of one kind, so that they
// are not tried again: a tool sends events of few types from few sources, and most rules
// are settled by these.
//
// What may be remembered is found out, not declared: a condition that read nothing of an
// event but its type, source, origin and plane comes to the same for the next event that
// has the same four. What a rule reads beyond them is evaluated for every event.
//
//   RuleMemo memo;                                   // one per thread and list
//   const auto decided = memo.FirstToDecide(serial, rules, event,
//                                           [&](size_t i) { return Try(rules[i]); });
//
// The answer is that of trying all rules in order. Holds at most kMaxKinds kinds; not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/filter/event_context.h"

namespace cdgate::policy {

class RuleMemo {
 public:
  static constexpr size_t kMaxKinds = 256;

  enum class Outcome : uint8_t { kPassed, kMatched, kFailed };
  struct Decided {
    size_t rule = 0;
    Outcome outcome = Outcome::kMatched;
  };

  // The first rule of `rules` many that matches or fails. `serial` is that of no other
  // list that the memo is ever used with. `try_rule(i)` evaluates rule i.
  template <typename TryRule>
  std::optional<Decided> FirstToDecide(uint64_t serial, size_t rules, filter::EventContext& event,
                                       TryRule&& try_rule) {
    Kind& kind = KindOf(serial, event);
    for (const uint16_t rule : kind.open) {
      const Outcome outcome = try_rule(size_t{rule});
      if (outcome != Outcome::kPassed) return Decided{rule, outcome};
    }
    if (kind.always) return Decided{*kind.always, Outcome::kMatched};
    while (kind.next < rules) {
      const size_t rule = kind.next++;
      event.ForgetReads();
      const Outcome outcome = try_rule(rule);
      Note(rule, outcome, event.read_more(), &kind);
      if (outcome != Outcome::kPassed) return Decided{rule, outcome};
    }
    return std::nullopt;
  }

  // The same where it follows from what the memo remembers by, whatever else an event has;
  // none where a rule that would have to be tried reads more. kPassed: no rule decides.
  template <typename TryRule>
  std::optional<Decided> FirstByKind(uint64_t serial, size_t rules, filter::EventContext& event,
                                     TryRule&& try_rule) {
    Kind& kind = KindOf(serial, event);
    while (kind.open.empty() && !kind.always && kind.next < rules) {
      const size_t rule = kind.next++;
      event.ForgetReads();
      const Outcome outcome = try_rule(rule);
      Note(rule, outcome, event.read_more(), &kind);
    }
    if (!kind.open.empty()) return std::nullopt;
    if (kind.always) return Decided{*kind.always, Outcome::kMatched};
    return Decided{0, Outcome::kPassed};
  }

  // A number for a list of rules that no other list of this process has.
  static uint64_t NewSerial();

 private:
  // What is known of events with the same type, source, origin and plane.
  struct Kind {
    std::vector<uint16_t> open;      // rules that have to be tried, ascending
    std::optional<uint16_t> always;  // this one matches, behind all that are open
    size_t next = 0;                 // from here on nothing is known
  };

  Kind& KindOf(uint64_t serial, const filter::EventContext& event);
  static void Note(size_t rule, Outcome outcome, bool read_more, Kind* kind);

  uint64_t serial_ = 0;
  absl::flat_hash_map<std::string, Kind> kinds_;
  // The kind that was asked for last.
  std::string last_key_;
  Kind* last_ = nullptr;
  std::string key_;
  Kind unkept_;  // of an event whose key is too long to be kept
};

// What a list of rules comes to for one event.
struct RuleOutcome {
  RuleMemo::Outcome outcome = RuleMemo::Outcome::kPassed;  // kPassed: no rule decides
  uint16_t rule = 0;                                       // the one that does
};

// A list of conditions, which lists elsewhere may have, too: what they come to for an event
// is then the same.
class RuleList {
 public:
  // The one object for these conditions in this order, as long as anybody holds it.
  // Thread-safe.
  static std::shared_ptr<const RuleList> Of(absl::Span<const absl::string_view> conditions);

  uint64_t serial() const { return serial_; }

 private:
  RuleList() = default;
  const uint64_t serial_ = RuleMemo::NewSerial();
};

// The same with `memo`, or, where that is null, by trying all.
template <typename TryRule>
std::optional<RuleMemo::Decided> FirstToDecide(RuleMemo* memo, uint64_t serial, size_t rules,
                                               filter::EventContext& event, TryRule&& try_rule) {
  if (memo != nullptr) return memo->FirstToDecide(serial, rules, event, try_rule);
  for (size_t i = 0; i < rules; ++i) {
    const RuleMemo::Outcome outcome = try_rule(i);
    if (outcome != RuleMemo::Outcome::kPassed) return RuleMemo::Decided{i, outcome};
  }
  return std::nullopt;
}

}  // namespace cdgate::policy
