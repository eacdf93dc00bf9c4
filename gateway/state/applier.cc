#include "gateway/state/applier.h"

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::state {

using base::MutexLock;

namespace {

constexpr eventlog::ReadLimits kReplay = {.max_events = 4096, .max_bytes = 8 << 20};

absl::Status Untranslatable(const absl::Status& status, const FoldPosition& at) {
  if (base::ReasonOf(status) != base::Reason::kTrimmed) return status;
  return base::MakeError(
      base::Reason::kLogCorrupt,
      absl::StrCat("the state ends at commit ", at.commit, " and the log begins after it; restore ",
                   "both from one backup"));
}

}  // namespace

absl::Status Applier::CatchUp() {
  while (status().ok()) {
    CDGATE_RETURN_IF_ERROR(make_room_());
    const FoldPosition at = fold_.position();
    if (at.commit >= log_.head().commit) break;
    const auto commits =
        log_.Read({.sequence = at.next_sequence, .commit = at.commit + 1}, kReplay);
    if (!commits.ok()) return Untranslatable(commits.status(), at);
    for (const event::CommitPtr& commit : *commits) Apply(*commit);
  }
  return status();
}

void Applier::OnCommit(const event::CommitPtr& commit) { Apply(*commit); }

void Applier::Expect(const event::Commit* commit, absl::Span<const IdentityEntry> identities) {
  MutexLock lock(mu_);
  expected_ = commit;
  identities_ = identities;
}

absl::Status Applier::status() const {
  MutexLock lock(mu_);
  return status_;
}

// Out of order only while CatchUp and the log's own thread are both at it: whoever is
// ahead waits for the other, which reads what is missing.
void Applier::Apply(const event::Commit& commit) {
  absl::Span<const IdentityEntry> identities;
  {
    MutexLock lock(mu_);
    if (!status_.ok()) return;
    if (expected_ == &commit) identities = identities_;
  }
  {
    MutexLock applying(apply_mu_);
    if (commit.number != fold_.position().commit + 1) return;
    const absl::Status applied = fold_.Apply(commit, identities);
    if (!applied.ok()) {
      MutexLock lock(mu_);
      status_ = applied;
      return;
    }
  }
  applied_(commit);
}

}  // namespace cdgate::state
