#include "federation/session/held_events.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

void Add(absl::string_view commitment, std::vector<attestation::Digest>* out) {
  if (const auto digest = attestation::ReadDigest(commitment)) out->push_back(*digest);
}

}  // namespace

absl::StatusOr<bool> HeldEvents::Step() {
  // It cannot have come before it was accepted, but for what clocks differ.
  if (!std::exchange(begun_, true)) CDGATE_RETURN_IF_ERROR(scan_.Begin(from_ - kClockSkew));
  CDGATE_ASSIGN_OR_RETURN(const auto commits, scan_.Next());
  for (const event::CommitPtr& commit : commits) Look(*commit);
  if (here_.size() > kMaxHeld || refused_.size() > kMaxHeld) {
    return base::MakeError(base::Reason::kQuota,
                           absl::StrCat("more than ", kMaxHeld, " events of ", origin_,
                                        " came since then; ask about a later while"));
  }
  return commits.empty();
}

void HeldEvents::Look(const event::Commit& commit) {
  for (const event::Record& record : commit.events) {
    const bool meant = record.origin() == origin_ && record.accept_time() >= from_ &&
                       record.accept_time() < until_;
    if (meant) Add(record.stored().commitment(), &here_);
  }
  for (const storage::v1::ImportRefusal& refusal : commit.record.refusals()) {
    if (refusal.origin() == origin_) Add(refusal.commitment(), &refused_);
  }
}

void HeldEvents::Sort() {
  attestation::SortCommitments(&here_);
  attestation::SortCommitments(&refused_);
}

}  // namespace cdgate::session
