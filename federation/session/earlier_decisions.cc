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

absl::StatusOr<std::optional<policy::Decision>> EarlierDecisions::Of(base::Sequence sequence,
                                                                     filter::EventContext& event) {
  CDGATE_ASSIGN_OR_RETURN(const storage::v1::LedgerRow* row, RowOf(sequence));
  if (row == nullptr) return std::optional<policy::Decision>();
  CDGATE_ASSIGN_OR_RETURN(DecisionBasis basis, source_.Of(peer_, row->policy_epoch()));
  basis.interest = nullptr;  // what the peer wanted then is not asked
  return std::optional<policy::Decision>(
      policy::DecideExport(basis.policy.get(), event, basis.ForExport(domain_, transformer_)));
}

}  // namespace cdgate::session
