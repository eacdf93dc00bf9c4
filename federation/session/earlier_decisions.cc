#include "federation/session/earlier_decisions.h"

#include <algorithm>

#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

constexpr size_t kRowsAtOnce = 256;

}  // namespace

absl::StatusOr<const storage::v1::LedgerRow*> EarlierDecisions::RowOf(base::Sequence sequence) {
  const bool known = rows_from_ && sequence >= *rows_from_ &&
                     (rows_end_ || sequence.value() <= rows_.back().last_sequence());
  if (!known) {
    CDGATE_ASSIGN_OR_RETURN(rows_, store_.LedgerRows(peer_, sequence, kRowsAtOnce));
    rows_from_ = sequence;
    rows_end_ = rows_.size() < kRowsAtOnce;
  }
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const auto& r) {
    return r.last_sequence() >= sequence.value();
  });
  if (row == rows_.end() || row->first_sequence() > sequence.value()) return nullptr;
  return &*row;
}

absl::StatusOr<EarlierDecisions::PolicyPtr> EarlierDecisions::PolicyOf(uint64_t version) {
  const auto it = policies_.find(version);
  if (it != policies_.end()) return it->second;
  PolicyPtr compiled;  // version 0, or one that is not kept: nothing was in force
  CDGATE_ASSIGN_OR_RETURN(const auto history, store_.History(state::kPolicyKind, peer_));
  for (const state::ResourcePtr& resource : history) {
    if (resource->version != version || resource->deleted) continue;
    CDGATE_ASSIGN_OR_RETURN(const auto policy, resource->As<admin::v1::Policy>());
    // One that this release does not take any more allows nothing.
    compiled = policy::CompiledPolicy::Compile(policy, version).value_or(nullptr);
  }
  policies_[version] = compiled;
  return compiled;
}

absl::StatusOr<std::optional<policy::Decision>> EarlierDecisions::Of(base::Sequence sequence,
                                                                     filter::EventContext& event) {
  CDGATE_ASSIGN_OR_RETURN(const storage::v1::LedgerRow* row, RowOf(sequence));
  if (row == nullptr) return std::optional<policy::Decision>();
  CDGATE_ASSIGN_OR_RETURN(const PolicyPtr policy, PolicyOf(row->policy_epoch().policy_version()));
  return std::optional<policy::Decision>(
      policy::DecideExport(policy.get(), event, {.own_domain = domain_}));
}

}  // namespace cdgate::session
