#include "gateway/api/plan_book.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "cdgate/admin/v1/agreement.pb.h"
#include "federation/session/export_stop.h"
#include "gateway/api/times.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/message_writer.h"

namespace cdgate::api {
namespace {

constexpr char kHashDomain[] = "cdgate/plan/v1";
constexpr char kUpkeepAuthor[] = "expiry";
constexpr size_t kMostAtOnce = 256;

// Fields one after the other, each so that it cannot run into the next.
class HashInput {
 public:
  void Add(absl::string_view text) {
    Add(text.size());
    bytes_.append(text.data(), text.size());
  }
  void Add(uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<char>(number >> shift & 0xff));
    }
  }
  std::string Digest() const { return crypto::Sha256(bytes_); }

 private:
  std::string bytes_;
};

uint64_t VersionOf(const state::ResourceSnapshot& resources, absl::string_view kind,
                   absl::string_view name) {
  const state::ResourcePtr found = resources.Find(kind, name);
  return found == nullptr ? 0 : found->version;
}

uint64_t EnvironmentVersion(const state::ResourceSnapshot& resources) {
  return VersionOf(resources, state::kEnvironmentKind, state::kEnvironmentName);
}

absl::Status Stale(absl::string_view what) {
  return base::MakeError(base::Reason::kPlanStale,
                         absl::StrCat("the plan is stale: ", what, "; make it again"));
}

absl::StatusOr<StoredPlan> ReadPlan(const state::StoredResource& resource) {
  StoredPlan plan;
  CDGATE_ASSIGN_OR_RETURN(plan.hash, base::HexDecode(resource.name));
  CDGATE_ASSIGN_OR_RETURN(plan.change, resource.As<storage::v1::PlannedChange>());
  plan.version = resource.version;
  return plan;
}

google::protobuf::Timestamp TimeOf(int64_t nanos) { return ToProto(absl::FromUnixNanos(nanos)); }

template <typename Message>
std::string YamlOf(const std::string& bytes) {
  Message message;
  return message.ParseFromString(bytes) ? config::ToYaml(message) : "";
}

// As its author wrote it, or as it could have been written.
std::string CandidateText(const storage::v1::PlannedChange& change) {
  if (!change.source().empty()) return change.source();
  if (change.kind() == "policy") return YamlOf<admin::v1::Policy>(change.candidate());
  if (change.kind() == "grant") return YamlOf<admin::v1::Grant>(change.candidate());
  if (change.kind() == "group") return YamlOf<admin::v1::Group>(change.candidate());
  if (change.kind() == session::kExportsKind) {
    return YamlOf<admin::v1::ExportSwitch>(change.candidate());
  }
  return YamlOf<admin::v1::Peer>(change.candidate());
}

}  // namespace

std::string DeterministicBytes(const google::protobuf::MessageLite& message) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return out;
}

std::string HashOf(const storage::v1::PlannedChange& change) {
  HashInput input;
  input.Add(absl::string_view(kHashDomain));
  for (const absl::string_view text :
       {absl::string_view(change.kind()), absl::string_view(change.name()),
        absl::string_view(change.candidate())}) {
    input.Add(text);
  }
  for (const uint64_t number :
       {change.base_version(), change.environment_version(), change.grants_commit(),
        change.first_sequence(), change.last_sequence(), uint64_t{change.backfill()},
        change.restored_version()}) {
    input.Add(number);
  }
  input.Add(absl::string_view(change.identities_digest()));
  if (!change.besides_digest().empty()) input.Add(absl::string_view(change.besides_digest()));
  return input.Digest();
}

void PlanBook::Date(const std::string& author, storage::v1::PlannedChange* change) const {
  const auto resources = store_.Resources();
  const absl::Time now = clock_.Now();
  change->set_base_version(VersionOf(*resources, change->kind(), change->name()));
  change->set_environment_version(EnvironmentVersion(*resources));
  change->set_grants_commit(resources->LastChange(state::kGrantKind));
  change->set_author(author);
  change->set_create_time_nanos(absl::ToUnixNanos(now));
  change->set_expire_time_nanos(absl::ToUnixNanos(now + settings_.validity));
  change->clear_approved_by();
  change->clear_approve_time_nanos();
}

state::ResourceEdit PlanBook::Entry(const storage::v1::PlannedChange& change) const {
  state::ResourceEdit edit;
  edit.kind = state::kPlanKind;
  edit.name = base::HexEncode(HashOf(change));
  edit.value = change.SerializeAsString();
  edit.author = change.author();
  return edit;
}

absl::StatusOr<StoredPlan> PlanBook::Find(absl::string_view hash) const {
  if (hash.size() != crypto::kSha256Bytes) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           absl::StrCat("the hash of a plan has ", crypto::kSha256Bytes,
                                        " bytes, this one has ", hash.size()));
  }
  const std::string name = base::HexEncode(hash);
  const state::ResourcePtr found = store_.Resources()->Find(state::kPlanKind, name);
  if (found != nullptr) return ReadPlan(*found);
  return base::MakeError(
      base::Reason::kPlanUnknown,
      absl::StrCat("there is no plan ", name, "; it was applied, is long over, or never was"),
      {{"plan", name}});
}

absl::StatusOr<StoredPlan> PlanBook::FindFresh(absl::string_view hash) const {
  CDGATE_ASSIGN_OR_RETURN(StoredPlan plan, Find(hash));
  CDGATE_RETURN_IF_ERROR(CheckFresh(plan.change));
  return plan;
}

absl::StatusOr<std::vector<StoredPlan>> PlanBook::List(absl::string_view after,
                                                       size_t limit) const {
  std::vector<StoredPlan> out;
  for (const auto& resource : store_.Resources()->List(state::kPlanKind, after, limit)) {
    CDGATE_ASSIGN_OR_RETURN(out.emplace_back(), ReadPlan(*resource));
  }
  return out;
}

absl::Status PlanBook::CheckFresh(const storage::v1::PlannedChange& change) const {
  const auto resources = store_.Resources();
  if (absl::ToUnixNanos(clock_.Now()) >= change.expire_time_nanos()) {
    return Stale("its time is over");
  }
  const uint64_t now = VersionOf(*resources, change.kind(), change.name());
  if (now != change.base_version()) {
    return Stale(absl::StrCat("it is based on version ", change.base_version(), " of the ",
                              change.kind(), " ", change.name(), ", and version ", now,
                              " is in force"));
  }
  if (EnvironmentVersion(*resources) != change.environment_version()) {
    return Stale("groups or classification labels have changed");
  }
  if (resources->LastChange(state::kGrantKind) != change.grants_commit()) {
    return Stale("a grant has changed");
  }
  return absl::OkStatus();
}

absl::Status PlanBook::CheckApproved(const StoredPlan& plan, absl::string_view applier) const {
  if (!NeedsApproval(plan.change)) return absl::OkStatus();
  const std::string hash = base::HexEncode(plan.hash);
  const std::string what = absl::StrCat("the ", plan.change.kind(), " ", plan.change.name());
  if (plan.change.approved_by().empty()) {
    return base::MakeError(
        base::Reason::kApprovalRequired,
        absl::StrCat("the change of ", what, " widens what crosses (", plan.change.widens(0),
                     "); have another principal run cdgate policy approve ", hash,
                     ", then apply it again"),
        {{"plan", hash}, {"kind", plan.change.kind()}, {"name", plan.change.name()}});
  }
  if (plan.change.approved_by() != applier && plan.change.approved_by() != plan.change.author()) {
    return absl::OkStatus();
  }
  return base::MakeError(base::Reason::kApproverNotIndependent,
                         absl::StrCat(plan.change.approved_by(), " approved the change of ", what,
                                      " and cannot apply it; have somebody else do that"),
                         {{"plan", hash}});
}

absl::Status PlanBook::CheckApprover(const StoredPlan& plan, absl::string_view approver) {
  if (plan.change.author() != approver) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kApproverNotIndependent,
      absl::StrCat(approver, " made the plan for the ", plan.change.kind(), " ", plan.change.name(),
                   " and cannot approve it; have another approver do that"),
      {{"plan", base::HexEncode(plan.hash)}});
}

state::ResourceEdit PlanBook::Approval(const StoredPlan& plan, const std::string& approver) const {
  storage::v1::PlannedChange change = plan.change;
  change.set_approved_by(approver);
  change.set_approve_time_nanos(absl::ToUnixNanos(clock_.Now()));
  state::ResourceEdit edit = Entry(change);
  edit.expected_version = plan.version;
  edit.author = approver;
  return edit;
}

void PlanBook::Use(const StoredPlan& plan, const std::string& applier, state::Proposal* proposal) {
  state::ResourceEdit& edit = proposal->resources.front();
  edit.plan = plan.hash;
  edit.approved_by = plan.change.approved_by();
  edit.unplanned = false;
  state::ResourceEdit removal;
  removal.kind = state::kPlanKind;
  removal.name = base::HexEncode(plan.hash);
  removal.deleted = true;
  removal.expected_version = plan.version;
  removal.author = applier;
  proposal->resources.push_back(std::move(removal));
}

admin::v1::Plan PlanBook::Describe(const StoredPlan& plan) const {
  const storage::v1::PlannedChange& change = plan.change;
  admin::v1::Plan out;
  out.set_hash(plan.hash);
  out.set_kind(change.kind());
  out.set_name(change.name());
  out.set_base_version(change.base_version());
  out.set_author(change.author());
  *out.mutable_create_time() = TimeOf(change.create_time_nanos());
  *out.mutable_expire_time() = TimeOf(change.expire_time_nanos());
  *out.mutable_widens() = change.widens();
  out.set_needs_approval(NeedsApproval(change));
  out.set_approved_by(change.approved_by());
  out.set_first_sequence(change.first_sequence());
  out.set_last_sequence(change.last_sequence());
  out.set_backfill(change.backfill());
  if (change.kind() == state::kPolicyKind) {
    out.mutable_newly()->set_events(change.newly());
    out.mutable_no_longer()->set_events(change.no_longer());
    out.mutable_more_content()->set_events(change.more_content());
  }
  out.set_candidate(CandidateText(change));
  out.set_stale(!CheckFresh(change).ok());
  return out;
}

absl::Status RemoveStalePlans(state::Store& store, const PlanBook& book) {
  state::Proposal proposal;
  for (const state::ResourcePtr& stored : store.Resources()->List(state::kPlanKind)) {
    const auto change = stored->As<storage::v1::PlannedChange>();
    if (change.ok() && book.CheckFresh(*change).ok()) continue;
    proposal.resources.push_back({.kind = state::kPlanKind,
                                  .name = stored->name,
                                  .deleted = true,
                                  .expected_version = stored->version,
                                  .author = kUpkeepAuthor});
    if (proposal.resources.size() == kMostAtOnce) break;
  }
  if (proposal.resources.empty()) return absl::OkStatus();
  return store.Propose(std::move(proposal), [](const state::Outcome& outcome) {
    if (outcome.status.ok()) return;
    base::LogError(base::LogLevel::kWarning, "stale plans kept for now", outcome.status);
  });
}

}  // namespace cdgate::api
