// Keeps the fold up with the log: applies every commit, whoever appended it.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gateway/base/mutex.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/fold.h"
#include "gateway/state/rows.h"

namespace cdgate::state {

class Applier final : public eventlog::CommitObserver {
 public:
  using MakeRoom = std::function<absl::Status()>;
  using Applied = std::function<void(const event::Commit&)>;

  // Both outlive the applier. `make_room` is called before more is applied, by a thread
  // that may block; `applied` after every commit, one at a time.
  Applier(eventlog::EventLog& log, Fold& fold, MakeRoom make_room, Applied applied)
      : log_(log), fold_(fold), make_room_(std::move(make_room)), applied_(std::move(applied)) {}

  // Applies what the log has and the fold has not, and waits until there is room for one
  // more commit. LOG_CORRUPT where the log does not have it any more; errors of
  // `make_room`.
  absl::Status CatchUp();

  void OnCommit(const event::CommitPtr& commit) override;

  // The index entries of `commit`, which is about to be appended; both stay until it was.
  void Expect(const event::Commit* commit, absl::Span<const IdentityEntry> identities);

  // The first failure; nothing is applied after it.
  absl::Status status() const;

 private:
  void Apply(const event::Commit& commit);

  eventlog::EventLog& log_;
  Fold& fold_;
  const MakeRoom make_room_;
  const Applied applied_;
  // Held while a commit is written to the fold's own database, which calls nobody.
  base::Mutex apply_mu_;
  mutable base::Mutex mu_;
  const event::Commit* expected_ CDGATE_GUARDED_BY(mu_) = nullptr;
  absl::Span<const IdentityEntry> identities_ CDGATE_GUARDED_BY(mu_);
  absl::Status status_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::state
