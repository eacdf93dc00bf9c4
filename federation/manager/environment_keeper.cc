#include "federation/manager/environment_keeper.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/manager/group_lists.h"
#include "federation/policy/classification.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using storage::v1::DecisionEnvironment;
using storage::v1::GroupMembers;

constexpr size_t kMaxWaiting = 1024;

void LogIgnored(const state::StoredResource& resource, const absl::Status& status) {
  base::LogError(base::LogLevel::kError, "resource ignored", status,
                 {{"kind", resource.kind}, {"name", resource.name}});
}

// Sorted and without repetition.
template <typename Strings>
std::set<std::string> SetOf(const Strings& strings) {
  return std::set<std::string>(strings.begin(), strings.end());
}

void AddGroup(const std::string& id, uint64_t version, const std::set<std::string>& members,
              absl::Time expires, DecisionEnvironment* environment) {
  GroupMembers& group = *environment->add_groups();
  group.set_group(id);
  group.set_version(version);
  group.mutable_members()->Add(members.begin(), members.end());
  if (expires != absl::InfiniteFuture()) group.set_expire_time_nanos(absl::ToUnixNanos(expires));
}

// Gathers the groups that have members at a time.
class Groups {
 public:
  Groups(const state::ResourceSnapshot& resources, absl::Time now)
      : resources_(resources), now_(now) {}

  void AddOurs(const std::string& domain, DecisionEnvironment* out) {
    for (const state::ResourcePtr& resource : resources_.List(state::kGroupKind)) {
      const auto group = resource->As<admin::v1::Group>();
      if (!group.ok()) {
        LogIgnored(*resource, group.status());
      } else if (Holds(ExpiryOf(*group))) {
        AddGroup(GroupId(resource->name, domain), resource->version, SetOf(group->members()),
                 ExpiryOf(*group), out);
      }
    }
  }

  void AddReceived(DecisionEnvironment* out) {
    for (const state::ResourcePtr& resource : resources_.List(state::kGroupListKind)) {
      if (resources_.Find(state::kPeerKind, OwnerOf(resource->name)) == nullptr) continue;
      const auto list = ListIn(*resource);
      if (!list.ok()) {
        LogIgnored(*resource, list.status());
      } else if (Holds(ExpiryOf(*list))) {
        AddGroup(resource->name, list->version(), SetOf(list->members()), ExpiryOf(*list), out);
      }
    }
  }

  absl::Time next_expiry() const { return next_expiry_; }

 private:
  bool Holds(absl::Time expires) {
    if (expires <= now_) return false;
    next_expiry_ = std::min(next_expiry_, expires);
    return true;
  }

  const state::ResourceSnapshot& resources_;
  const absl::Time now_;
  absl::Time next_expiry_ = absl::InfiniteFuture();
};

void AddLabels(const config::v1::ClassificationConfig& classification, DecisionEnvironment* out) {
  for (const config::v1::Scale& scale : classification.scales()) {
    storage::v1::ClassificationScale& stored = *out->add_scales();
    stored.set_name(scale.name());
    *stored.mutable_labels() = scale.labels();  // their order is what a scale is
  }
  std::sort(out->mutable_scales()->begin(), out->mutable_scales()->end(),
            [](const auto& a, const auto& b) { return a.name() < b.name(); });
  const std::set<std::string> regulations = SetOf(classification.regulations());
  out->mutable_regulations()->Add(regulations.begin(), regulations.end());
}

uint64_t InForce(const state::ResourceSnapshot& resources, const std::string& kind,
                 const std::string& name) {
  const state::ResourcePtr found = resources.Find(kind, name);
  return found == nullptr ? 0 : found->version;
}

// What the store makes of `edit`.
state::ResourcePtr AfterEdit(const state::ResourceSnapshot& resources,
                             const state::ResourceEdit& edit) {
  const state::ResourcePtr before = resources.Latest(edit.kind, edit.name);
  auto after = std::make_shared<state::StoredResource>();
  after->kind = edit.kind;
  after->name = edit.name;
  after->value = edit.value;
  after->version = before == nullptr ? 1 : before->version + 1;
  after->deleted = edit.deleted;
  return after;
}

// Deletes the lists whose owner is no peer any more.
void ForgetLists(const state::ResourceSnapshot& resources, EnvironmentKeeper::Edits* edits) {
  for (const state::ResourcePtr& resource : resources.List(state::kGroupListKind)) {
    if (resources.Find(state::kPeerKind, OwnerOf(resource->name)) != nullptr) continue;
    edits->push_back({.kind = state::kGroupListKind,
                      .name = resource->name,
                      .deleted = true,
                      .author = kEnvironmentAuthor});
  }
}

// Empty where there is none; none where it cannot be read: what is made replaces it.
std::optional<std::string> StoredEnvironment(const state::ResourceSnapshot& resources) {
  const state::ResourcePtr stored =
      resources.Find(state::kEnvironmentKind, state::kEnvironmentName);
  if (stored == nullptr) return DecisionEnvironment().SerializeAsString();
  const auto environment = stored->As<DecisionEnvironment>();
  if (environment.ok()) return environment->SerializeAsString();
  LogIgnored(*stored, environment.status());
  return std::nullopt;
}

state::Outcome Refused(absl::Status status) {
  state::Outcome outcome;
  outcome.status = std::move(status);
  return outcome;
}

absl::Status TooMuchWaits() {
  return base::MakeError(base::Reason::kOverloaded,
                         "more changes of groups wait than are accepted; try again in a moment");
}

}  // namespace

absl::Status CheckClassification(const config::v1::ClassificationConfig& classification) {
  for (int i = 0; i < classification.scales_size(); ++i) {
    const config::v1::Scale& scale = classification.scales(i);
    for (int k = 0; k < scale.labels_size(); ++k) {
      if (!policy::Classifications::BuiltIn().Knows(scale.labels(k))) continue;
      const std::string key = absl::StrCat("classification.scales[", i, "].labels[", k, "]");
      return base::MakeError(
          base::Reason::kInvalidConfig,
          absl::StrCat(key, ": found \"", scale.labels(k),
                       "\", which is built in with a scale of its own; expected another label"),
          {{"key", key}});
    }
  }
  return absl::OkStatus();
}

DecisionEnvironment EnvironmentOf(const std::string& domain,
                                  const config::v1::ClassificationConfig& classification,
                                  const state::ResourceSnapshot& resources, absl::Time now,
                                  absl::Time* next_expiry) {
  DecisionEnvironment environment;
  AddLabels(classification, &environment);
  Groups groups(resources, now);
  groups.AddOurs(domain, &environment);
  groups.AddReceived(&environment);
  std::sort(environment.mutable_groups()->begin(), environment.mutable_groups()->end(),
            [](const auto& a, const auto& b) { return a.group() < b.group(); });
  *next_expiry = groups.next_expiry();
  return environment;
}

EnvironmentKeeper::~EnvironmentKeeper() {
  base::MutexLock lock(mu_);
  while (busy_) idle_.Wait(mu_);
}

absl::Status EnvironmentKeeper::Start() {
  CDGATE_RETURN_IF_ERROR(CheckClassification(deps_.classification));
  struct Waiter {
    base::Mutex mu;
    base::CondVar came;
    std::optional<absl::Status> status CDGATE_GUARDED_BY(mu);
  };
  const auto waiter = std::make_shared<Waiter>();
  Apply([](const state::ResourceSnapshot&) { return Edits(); },
        [waiter](const state::Outcome& outcome) {
          base::MutexLock lock(waiter->mu);
          waiter->status = outcome.status;
          waiter->came.SignalAll();
        });
  base::MutexLock lock(waiter->mu);
  while (!waiter->status) waiter->came.Wait(waiter->mu);
  return *waiter->status;
}

void EnvironmentKeeper::Apply(Change change, state::Done done) {
  {
    base::MutexLock lock(mu_);
    if (jobs_.size() >= kMaxWaiting) {
      lock.Unlock();
      return done(Refused(TooMuchWaits()));
    }
    jobs_.push_back({std::move(change), std::move(done)});
    if (std::exchange(busy_, true)) return;
  }
  RunNext();
}

void EnvironmentKeeper::Refresh() {
  const uint64_t commit = deps_.store.Resources()->commit();
  {
    base::MutexLock lock(mu_);
    if (refresh_waits_ || (commit == seen_commit_ && deps_.clock.Now() < holds_until_)) return;
    refresh_waits_ = true;
  }
  Apply([](const state::ResourceSnapshot&) { return Edits(); },
        [this](const state::Outcome& outcome) {
          base::MutexLock lock(mu_);
          refresh_waits_ = false;
          lock.Unlock();
          if (outcome.status.ok()) return;
          base::LogError(base::LogLevel::kError, "environment of decisions not brought up to date",
                         outcome.status);
        });
}

void EnvironmentKeeper::RunNext() {
  for (;;) {
    const auto job = std::make_shared<Job>();
    {
      base::MutexLock lock(mu_);
      if (jobs_.empty()) {
        busy_ = false;
        return idle_.SignalAll();
      }
      *job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    if (deps_.executor.TryPost([this, job] { Run(*job); })) return;
    job->done(Refused(TooMuchWaits()));
  }
}

void EnvironmentKeeper::Run(const Job& job) {
  {
    // What changes from here on asks for another look.
    base::MutexLock lock(mu_);
    refresh_waits_ = false;
  }
  const state::ResourceSnapshotPtr resources = deps_.store.Resources();
  auto edits = job.change(*resources);
  if (edits.ok()) Complete(*resources, &*edits);
  if (!edits.ok() || edits->empty()) {
    job.done(Refused(edits.status()));
    return RunNext();
  }
  state::Proposal proposal;
  proposal.resources = *std::move(edits);
  const absl::Status queued = deps_.store.Propose(
      std::move(proposal), [this, done = job.done](const state::Outcome& outcome) {
        done(outcome);
        RunNext();
      });
  if (queued.ok()) return;
  job.done(Refused(queued));
  RunNext();
}

void EnvironmentKeeper::Complete(const state::ResourceSnapshot& resources, Edits* edits) {
  const std::string author = edits->empty() ? kEnvironmentAuthor : edits->front().author;
  ForgetLists(resources, edits);
  std::vector<state::ResourcePtr> changes;
  for (state::ResourceEdit& edit : *edits) {
    edit.expected_version = InForce(resources, edit.kind, edit.name);
    changes.push_back(AfterEdit(resources, edit));
  }
  absl::Time next_expiry;
  const DecisionEnvironment environment =
      EnvironmentOf(deps_.domain, deps_.classification, *resources.With(changes), deps_.clock.Now(),
                    &next_expiry);
  if (environment.SerializeAsString() == StoredEnvironment(resources)) {
    if (!edits->empty()) return;
    base::MutexLock lock(mu_);
    seen_commit_ = resources.commit();
    holds_until_ = next_expiry;
    return;
  }
  edits->push_back(
      {.kind = state::kEnvironmentKind,
       .name = state::kEnvironmentName,
       .value = environment.SerializeAsString(),
       .expected_version = InForce(resources, state::kEnvironmentKind, state::kEnvironmentName),
       .author = author});
}

}  // namespace cdgate::manager
