#include "federation/policy/environment.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace cdgate::policy {
namespace {

// Those that the CloudEvents data classification extension names, and others as common.
constexpr absl::string_view kRegulations[] = {"GDPR", "HIPAA", "PCI-DSS", "ITAR", "EAR", "CCPA"};

std::vector<std::vector<std::string>> ScalesOf(const storage::v1::DecisionEnvironment& stored) {
  std::vector<std::vector<std::string>> scales = Classifications::BuiltIn().scales();
  for (const storage::v1::ClassificationScale& scale : stored.scales()) {
    scales.emplace_back(scale.labels().begin(), scale.labels().end());
  }
  return scales;
}

}  // namespace

const EnvironmentPtr& Environment::BuiltIn() {
  static const auto* const built_in = new EnvironmentPtr(Make({}, 0));
  return *built_in;
}

EnvironmentPtr Environment::Make(const storage::v1::DecisionEnvironment& stored, uint64_t version) {
  std::shared_ptr<Environment> out(new Environment(Classifications(ScalesOf(stored)), version));
  out->regulations_.insert(std::begin(kRegulations), std::end(kRegulations));
  out->regulations_.insert(stored.regulations().begin(), stored.regulations().end());
  for (const storage::v1::GroupMembers& members : stored.groups()) {
    Group& group = out->groups_[members.group()];
    group.members.insert(members.members().begin(), members.members().end());
    if (members.expire_time_nanos() != 0) {
      group.expires = absl::FromUnixNanos(members.expire_time_nanos());
    }
  }
  return out;
}

bool Environment::KnowsRegulations(absl::string_view regulations) const {
  if (regulations.empty()) return true;
  for (const absl::string_view name : absl::StrSplit(regulations, ',')) {
    if (!regulations_.contains(absl::StripAsciiWhitespace(name))) return false;
  }
  return true;
}

bool Environment::IsMember(absl::string_view group, absl::string_view domain,
                           absl::Time time) const {
  const auto found = groups_.find(group);
  return found != groups_.end() && time < found->second.expires &&
         found->second.members.contains(domain);
}

}  // namespace cdgate::policy
