// What decisions depend on besides policies and what peers show: the classification labels
// that a gateway knows, and who is in which group. One version of it is part of the policy
// epoch, and every version is kept, so that an old decision can be repeated.
//
//   auto environment = Environment::Make(stored, /*version=*/3);
//   environment->IsMember("core@eosc.example", "beta.example", record.accept_time());
//
// Unknown is never taken for harmless: a label nobody configured is not known, and a group
// that is unknown or has expired has no members. Immutable; safe to share between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/policy/classification.h"

namespace cdgate::policy {

class Environment {
 public:
  // Version 0: what is built in, and no group.
  static const std::shared_ptr<const Environment>& BuiltIn();
  // What is built in and what `stored` adds. A label of `stored` that is built in keeps its
  // place in the built-in scale.
  static std::shared_ptr<const Environment> Make(const storage::v1::DecisionEnvironment& stored,
                                                 uint64_t version);

  uint64_t version() const { return version_; }
  const Classifications& labels() const { return labels_; }
  // `regulations`: the value of an attribute dataregulation, names separated by commas; all
  // of them have to be known. Empty: nothing is asked.
  bool KnowsRegulations(absl::string_view regulations) const;
  // Whether `domain` is in `group` for an event accepted at `time`.
  bool IsMember(absl::string_view group, absl::string_view domain, absl::Time time) const;

 private:
  struct Group {
    absl::flat_hash_set<std::string> members;
    absl::Time expires = absl::InfiniteFuture();
  };
  Environment(Classifications labels, uint64_t version)
      : labels_(std::move(labels)), version_(version) {}

  Classifications labels_;
  absl::flat_hash_set<std::string> regulations_;
  absl::flat_hash_map<std::string, Group> groups_;
  uint64_t version_ = 0;
};
using EnvironmentPtr = std::shared_ptr<const Environment>;

}  // namespace cdgate::policy
