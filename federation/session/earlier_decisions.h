// What was decided before is not widened by deciding it again.
//
// A receiver that lost its place begins from nothing, and the log is read again from the
// agreement on. A policy that changed meanwhile governs only what was not yet decided;
// offering past events under a wider one is a backfill, which an operator asks for. So an
// event whose range is in the ledger is sent again only where the version that decided it
// then allows it, too.
//
//   EarlierDecisions earlier(store, "beta.example", "alpha.example", through);
//   CDGATE_ASSIGN_OR_RETURN(auto before, earlier.Of(record.sequence(), context));
//   if (before && !before->allow) ...
//
// Reads the store's ledger, which may block. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "federation/policy/policy.h"
#include "gateway/base/types.h"
#include "gateway/filter/event_context.h"
#include "gateway/state/store.h"

namespace cdgate::session {

class EarlierDecisions {
 public:
  // `through`: up to which sequence the ledger holds acknowledged rows for the peer.
  EarlierDecisions(const state::Store& store, std::string peer, std::string domain,
                   base::Sequence through)
      : store_(store), peer_(std::move(peer)), domain_(std::move(domain)), through_(through) {}

  // Whether anything can be known of `sequence`.
  bool Covers(base::Sequence sequence) const { return sequence <= through_; }

  // The earlier decision on the event that `event` is set to; none where its sequence is
  // in no row. Views as in policy::Decision; good until the next call.
  absl::StatusOr<std::optional<policy::Decision>> Of(base::Sequence sequence,
                                                     filter::EventContext& event);

 private:
  using PolicyPtr = std::shared_ptr<const policy::CompiledPolicy>;

  absl::StatusOr<const storage::v1::LedgerRow*> RowOf(base::Sequence sequence);
  absl::StatusOr<PolicyPtr> PolicyOf(uint64_t version);

  const state::Store& store_;
  const std::string peer_;
  const std::string domain_;
  const base::Sequence through_;
  std::vector<storage::v1::LedgerRow> rows_;  // ascending, around the last sequence asked
  base::Sequence rows_from_ = base::Sequence(0);
  std::map<uint64_t, PolicyPtr> policies_;
};

}  // namespace cdgate::session
