// What was decided before is not widened by deciding it again.
//
// A receiver that lost its place begins from nothing, and the log is read again from the
// agreement on. A policy that changed meanwhile governs only what was not yet decided;
// offering past events under a wider one is a backfill, which an operator asks for. So an
// event whose range is in the ledger is sent again only where the version that decided it
// then allows it, too.
//
//   EarlierDecisions earlier(store, keeper, "beta.example", "alpha.example");
//   CDGATE_ASSIGN_OR_RETURN(auto before, earlier.Of(record.sequence(), context));
//   if (before && !before->allow) ...
//
// Asked in ascending order it reads the store's ledger, which may block, once for many
// rows, and behind the last row not at all. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "federation/policy/policy.h"
#include "federation/session/decision_basis.h"
#include "gateway/base/types.h"
#include "gateway/filter/event_context.h"
#include "gateway/state/store.h"

namespace cdgate::session {

class EarlierDecisions {
 public:
  // Both outlive it.
  EarlierDecisions(const state::Store& store, const PseudonymKeeper& keeper, std::string peer,
                   std::string domain)
      : store_(store), source_(store, keeper), peer_(std::move(peer)), domain_(std::move(domain)) {}

  // The earlier decision on the event that `event` is set to; none where its sequence is
  // in no row. Views as in policy::Decision; good until the next call.
  absl::StatusOr<std::optional<policy::Decision>> Of(base::Sequence sequence,
                                                     filter::EventContext& event);

 private:
  absl::StatusOr<const storage::v1::LedgerRow*> RowOf(base::Sequence sequence);

  const state::Store& store_;
  BasisSource source_;
  const std::string peer_;
  const std::string domain_;
  std::vector<storage::v1::LedgerRow> rows_;  // ascending, those from rows_from_ on
  std::optional<base::Sequence> rows_from_;
  bool rows_end_ = false;  // there are no more behind them
  policy::EventTransformer transformer_;
};

}  // namespace cdgate::session
