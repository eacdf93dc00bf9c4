// Keeps what decisions depend on besides policies, the resource "environment"/"decisions", in
// step with what it is made of: the configured classification labels, our groups, and the
// member lists that other domains sent us.
//
//   EnvironmentKeeper keeper({.domain = "alpha.example", .classification = labels,
//                             .store = store, .executor = pool, .clock = clock});
//   CDGATE_RETURN_IF_ERROR(keeper.Start());       // before anything crosses
//   keeper.Apply([](const state::ResourceSnapshot& now) { return EditsOf(now); },
//                [](const state::Outcome& outcome) { ... });
//   keeper.Refresh();                             // now and then, and when resources changed
//
// A new version is made exactly where it says something else than the one before: it is part
// of the policy epoch, and every version is kept. Edits of groups and lists go through Apply(),
// which puts them and the environment that follows into one commit: where that is told, it is
// in force. They are judged one after the other, each against what the one before left.
//
// What is not known is nobody: a group that expired is not in it, nor a list whose owner is no
// peer any more; such a list is forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cdgate/config/v1/config.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/mutex.h"
#include "gateway/state/proposal.h"
#include "gateway/state/resources.h"
#include "gateway/state/store.h"

namespace cdgate::manager {

// Who changed the environment, where it was no edit of a group.
inline constexpr char kEnvironmentAuthor[] = "gateway";

// INVALID_CONFIG naming the key where a label of `classification` is one of those built in: it
// has its place in its own scale. The rest was checked as the configuration was read.
absl::Status CheckClassification(const config::v1::ClassificationConfig& classification);

// The environment that `resources` make at `now`, everything in it sorted, so that the same
// makes the same bytes; *next_expiry is when one of its groups ends, the infinite future
// where none does. A resource that is not one of its kind is left out and logged.
storage::v1::DecisionEnvironment EnvironmentOf(
    const std::string& domain, const config::v1::ClassificationConfig& classification,
    const state::ResourceSnapshot& resources, absl::Time now, absl::Time* next_expiry);

// All but the configuration outlive the keeper.
struct EnvironmentKeeperDeps {
  std::string domain;  // ours
  config::v1::ClassificationConfig classification;
  state::Store& store;
  base::Executor& executor;  // where changes are judged
  const base::Clock& clock;
};

// Thread-safe.
class EnvironmentKeeper {
 public:
  using Edits = std::vector<state::ResourceEdit>;
  // What to change, given the resources in force; an error changes nothing and is the outcome.
  // Runs on the executor, maybe not at once; must not call the keeper.
  using Change = std::function<absl::StatusOr<Edits>(const state::ResourceSnapshot&)>;

  explicit EnvironmentKeeper(EnvironmentKeeperDeps deps) : deps_(std::move(deps)) {}
  // Waits for what is under way, so not from a task of the executor.
  ~EnvironmentKeeper();
  EnvironmentKeeper(const EnvironmentKeeper&) = delete;
  EnvironmentKeeper& operator=(const EnvironmentKeeper&) = delete;

  // (blocks) The environment is in step when this returns OK. Errors of
  // CheckClassification and Store::Propose.
  absl::Status Start();

  // Makes the change and the environment that follows, in one commit. In the outcome the
  // versions of the edits come first, in order; where there was nothing to change it is OK and
  // has none. OVERLOADED where too much waits; errors of the change and of Store::Propose leave
  // everything as it was. `done` runs once, on any thread.
  void Apply(Change change, state::Done done);

  // Looks whether the environment is still in step, and has it brought so. Cheap where nothing
  // changed and nothing expired since.
  void Refresh();

 private:
  struct Job {
    Change change;
    state::Done done;
  };
  void RunNext();
  void Run(const Job& job);
  // What else changes with `edits`: lists without an owner, the environment.
  void Complete(const state::ResourceSnapshot& resources, Edits* edits);

  const EnvironmentKeeperDeps deps_;

  base::Mutex mu_;
  base::CondVar idle_;
  std::deque<Job> jobs_ CDGATE_GUARDED_BY(mu_);
  bool busy_ CDGATE_GUARDED_BY(mu_) = false;
  bool refresh_waits_ CDGATE_GUARDED_BY(mu_) = false;
  // What was last looked at, and until when that holds by itself.
  uint64_t seen_commit_ CDGATE_GUARDED_BY(mu_) = 0;
  absl::Time holds_until_ CDGATE_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace cdgate::manager
