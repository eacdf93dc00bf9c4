// What would cross otherwise under another policy: runs a candidate over a part of our log,
// with the code that enforces policies, and compares it with what became of each event.
//
//   PlanRun run(deps, peer, candidate.compiled, /*backfill=*/true);
//   CDGATE_RETURN_IF_ERROR(run.Over(range, [&](const Difference& difference) {
//     Count(difference.list, *difference.record);
//     return true;                                            // go on
//   }));
//
// What became of an event is what who-got says (outcomes.h): before it was decided, what the
// policy in force decides. The same range gives the same differences as long as that policy,
// the groups, the labels and what the peer shows are the same.
//
// Not thread-safe. Reads the log and the store from one end of the range to the other: for an
// executor that may be held up.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/policy/policy.h"
#include "federation/session/outcomes.h"
#include "federation/session/pseudonym_keeper.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/filter/event_context.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// All outlive the run.
struct PlanRunDeps {
  std::string domain;
  const state::Store& store;
  const eventlog::EventLog& log;
  const session::PseudonymKeeper& keeper;
  session::LinkFactsOf link_facts;
};

// Sequences, both included; nothing where `first` is behind `last`.
struct PlanRange {
  base::Sequence first;
  base::Sequence last;
};

// One event that the candidate decides otherwise. Views; good while the visitor runs.
struct Difference {
  admin::v1::PlanListKind list = admin::v1::PLAN_LIST_KIND_UNSPECIFIED;
  const event::Record* record = nullptr;
  const session::Outcome* before = nullptr;
  const policy::Decision* after = nullptr;

  // The data as it would leave; empty where it would not.
  absl::string_view outgoing_data() const;
  // With `leaks` where they are asked for.
  admin::v1::PlanEvent ToProto(bool with_leaks) const;
};

class PlanRun {
 public:
  // Returns whether to go on.
  using Visitor = std::function<bool(const Difference&)>;

  // `backfill`: past events will be offered, those among them, too, that were lost on their way.
  PlanRun(const PlanRunDeps& deps, admin::v1::Peer peer,
          std::shared_ptr<const policy::CompiledPolicy> candidate, bool backfill);

  // Calls `visit` for every difference, in the order of the log. TRIMMED where the range begins
  // before what the log has, LOG_CORRUPT.
  absl::Status Over(const PlanRange& range, const Visitor& visit);

 private:
  // False: the visitor had enough.
  absl::StatusOr<bool> Look(const event::Record& record, const Visitor& visit);
  absl::StatusOr<admin::v1::PlanListKind> Compare(const event::Record& record,
                                                  const session::Outcome& before,
                                                  const policy::Decision& after);

  const PlanRunDeps& deps_;
  const admin::v1::Peer peer_;
  const std::shared_ptr<const policy::CompiledPolicy> candidate_;
  const bool backfill_;
  session::Outcomes outcomes_;
  session::DecisionBasis basis_;
  filter::EventContext context_;
  policy::EventTransformer transformer_;
  policy::DecisionMemo memo_;
};

}  // namespace cdgate::api
