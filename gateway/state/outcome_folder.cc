#include "gateway/state/outcome_folder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::state {
namespace {

using base::Sequence;
using storage::v1::OutcomeRow;

constexpr eventlog::ReadLimits kPiece = {.max_events = 1024, .max_bytes = 1 << 20};

std::vector<OutcomeRow> PlainRows(absl::Span<const event::CommitPtr> commits) {
  std::vector<OutcomeRow> rows;
  for (const event::CommitPtr& commit : commits) {
    for (const event::Record& record : commit->events) {
      rows.push_back(MakeOutcomeRow(*commit, record));
    }
  }
  return rows;
}

// One row for each event, in order: one that is missing would be lost with its event.
absl::Status Check(absl::Span<const event::CommitPtr> commits, absl::Span<const OutcomeRow> rows) {
  size_t at = 0;
  for (const event::CommitPtr& commit : commits) {
    for (const event::Record& record : commit->events) {
      if (at == rows.size() || rows[at].sequence() != record.sequence().value()) {
        return base::MakeError(
            base::Reason::kNotFound,
            absl::StrCat("event ", record.sequence().value(),
                         " got no row of outcomes and is not removed; retention is tried again"));
      }
      ++at;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status OutcomeFolder::MakePiece(absl::Span<const event::CommitPtr> commits) {
  fold_.BeginOutcomes();
  std::vector<OutcomeRow> rows;
  if (fold_outcomes_) {
    CDGATE_ASSIGN_OR_RETURN(rows, fold_outcomes_(commits));
    CDGATE_RETURN_IF_ERROR(Check(commits, rows));
  } else {
    rows = PlainRows(commits);
  }
  return fold_.PutOutcomes(rows, commits.back()->last_sequence);
}

// Only of whole commits: others stay, whatever the log is. Ends early where the ledger goes on
// about the events of a piece; the next retention makes them again.
absl::Status OutcomeFolder::MakeRows(Sequence keep_from) {
  for (;;) {
    const Sequence next = std::max(fold_.outcomes().next(), log_.first().sequence);
    if (next >= keep_from) return absl::OkStatus();
    CDGATE_ASSIGN_OR_RETURN(std::vector<event::CommitPtr> commits,
                            log_.Read({.sequence = next}, kPiece));
    while (!commits.empty() && commits.back()->last_sequence >= keep_from) commits.pop_back();
    if (commits.empty()) return absl::OkStatus();
    CDGATE_RETURN_IF_ERROR(MakePiece(commits));
    if (fold_.outcomes().next() <= next) return absl::OkStatus();
  }
}

absl::Status OutcomeFolder::Trim(Sequence keep_from) {
  CDGATE_RETURN_IF_ERROR(MakeRows(keep_from));
  CDGATE_RETURN_IF_ERROR(fold_.FlushOutcomes());
  const Sequence told = std::max(fold_.outcomes().kept(), log_.first().sequence);
  CDGATE_RETURN_IF_ERROR(log_.Trim(std::min(keep_from, told)));
  return fold_.DropFoldedExceptions(log_.first().sequence);
}

}  // namespace cdgate::state
