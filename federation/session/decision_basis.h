// What decides the events of one peer: its policy, what it showed of its own rules, the
// groups and labels in force, and the keys of its pseudonyms. Loaded from the store, as it is
// now or as it was when an event was decided, so that enforcement, plan and explain decide by
// the same.
//
//   BasisSource source(store, keeper, "alpha.example");
//   CDGATE_ASSIGN_OR_RETURN(DecisionBasis now, source.Current("beta.example"));
//   CDGATE_ASSIGN_OR_RETURN(DecisionBasis then, source.Of("beta.example", row.policy_epoch()));
//   policy::DecideExport(then.policy.get(), event, then.ForExport("alpha.example", transformer));
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/policy/policy.h"
#include "federation/session/pseudonym_keeper.h"
#include "gateway/state/store.h"

namespace cdgate::session {

// Immutable, but for what it points to being shared. A default one lets nothing cross.
struct DecisionBasis {
  std::shared_ptr<const policy::CompiledPolicy> policy;  // null: none was in force
  // Null: nothing was shown, or, with `interest_known` false, it is not kept any more.
  std::shared_ptr<const policy::CompiledInterest> interest;
  bool interest_known = true;
  policy::EnvironmentPtr environment = policy::Environment::BuiltIn();
  policy::KeyringPtr keys;  // null: no event can be pseudonymised
  storage::v1::PolicyEpoch epoch;

  // Views of this; keep it as long.
  policy::ExportContext ForExport(absl::string_view own_domain,
                                  policy::EventTransformer& transformer,
                                  policy::DecisionMemo* memo = nullptr) const;
  policy::ImportContext ForImport(absl::string_view own_domain, absl::string_view peer,
                                  policy::DecisionMemo* memo = nullptr) const;
};

// Reads the store, which may block, and remembers what it compiled. Not thread-safe; cheap to
// make for one question.
class BasisSource {
 public:
  // Both outlive the source.
  BasisSource(const state::Store& store, const PseudonymKeeper& keeper)
      : store_(store), keeper_(keeper) {}

  // As the store has it: a policy that does not compile is none. LOG_CORRUPT.
  absl::StatusOr<DecisionBasis> Current(absl::string_view peer);
  // The same with another policy, not in force: what a plan is about.
  absl::StatusOr<DecisionBasis> Candidate(absl::string_view peer,
                                          std::shared_ptr<const policy::CompiledPolicy> policy);
  // As it was. A version that is not kept, or that this release does not take, is none: then
  // nothing was allowed.
  absl::StatusOr<DecisionBasis> Of(absl::string_view peer, const storage::v1::PolicyEpoch& epoch);
  // A version of the policy, in the groups and labels of its time.
  absl::StatusOr<std::shared_ptr<const policy::CompiledPolicy>> PolicyOf(
      absl::string_view peer, uint64_t version, const policy::EnvironmentPtr& environment);

 private:
  using Named = std::pair<std::string, uint64_t>;
  using InTime = std::tuple<std::string, uint64_t, uint64_t>;  // peer, version, environment

  absl::StatusOr<policy::EnvironmentPtr> EnvironmentOf(uint64_t version);
  absl::StatusOr<policy::KeyringPtr> KeysOf(absl::string_view peer);

  const state::Store& store_;
  const PseudonymKeeper& keeper_;
  std::map<InTime, std::shared_ptr<const policy::CompiledPolicy>> policies_;
  std::map<Named, std::optional<std::shared_ptr<const policy::CompiledInterest>>> interests_;
  std::map<uint64_t, policy::EnvironmentPtr> environments_;
  std::map<std::string, policy::KeyringPtr> keys_;
};

// The environment as `resources` have it. LOG_CORRUPT.
absl::StatusOr<policy::EnvironmentPtr> EnvironmentIn(const state::ResourceSnapshot& resources);

}  // namespace cdgate::session
