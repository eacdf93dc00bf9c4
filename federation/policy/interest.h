// Interest: the importer's import rules as its peer sees them, so that what they would
// refuse need not be sent. It narrows what is sent, never widens it.
//
//   federation::v1::Interest shown = BuildInterest(policy.import(), version);  // importer
//
//   CompiledInterest interest = CompiledInterest::Compile(received);           // exporter
//   if (!interest.Wants(event)) ...                                            // NOT_WANTED
//
// What is received comes from another domain: it is bounded, and where a bound is
// exceeded, a rule does not compile or a condition fails on an event, the event is
// wanted, as if nothing had been shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/policy/rule_memo.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/program.h"

namespace cdgate::policy {

// Bounds of a received Interest: source text and steps over all rules.
inline constexpr size_t kMaxInterestBytes = 64 * 1024;
inline constexpr size_t kMaxInterestSteps = 4096;
// Bytes that one rule may touch for one event; about a tenth of a millisecond.
inline constexpr uint64_t kMaxInterestWork = 256 * 1024;

// What `import` shows; `version` is the policy's version, from 1. Version 0 and no rules
// where nothing is to be shown: interest NONE, or rules beyond the bounds. With no import
// section the Interest has a version and no rules: nothing is wanted.
federation::v1::Interest BuildInterest(const admin::v1::Policy& policy, uint64_t version);

// Immutable after Compile; safe to share between threads, each with its own context.
class CompiledInterest {
 public:
  // Everything is wanted.
  CompiledInterest() = default;
  static CompiledInterest Compile(const federation::v1::Interest& received);

  // Would the importer's rules take the event, as it arrives there (one hop further)?
  // `memo`: may be null.
  bool Wants(filter::EventContext& event, RuleMemo* memo = nullptr) const;

  // The answer where it follows from type, source, origin and plane alone; none where a rule
  // that is tried reads more. Wants() gives the same.
  std::optional<bool> WantsByKind(filter::EventContext& event, RuleMemo* memo = nullptr) const;

  // The importer asked for nothing to be sent until its next Interest.
  bool paused() const { return paused_; }
  // 0 where no rules are in use: none were shown, or they were ignored.
  uint64_t version() const { return version_; }

 private:
  struct Rule {
    std::optional<filter::Program> when;  // none: every event
    bool allow = false;
  };
  static RuleMemo::Outcome Try(const Rule& rule, filter::EventContext& event);

  std::vector<Rule> rules_;
  uint64_t serial_ = 0;  // of rules_
  uint64_t version_ = 0;
  bool paused_ = false;
};

}  // namespace cdgate::policy
