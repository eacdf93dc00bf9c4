#include "gateway/app/audit_trail.h"

#include <google/protobuf/util/message_differencer.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/credentials/identity_files.h"
#include "auth/crypto/digest.h"
#include "gateway/app/audit_roots.h"
#include "gateway/app/audited_methods.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::app {
namespace {

using audit::Members;
using base::MutexLock;

constexpr absl::Duration kCountedInterval = absl::Seconds(10);
constexpr size_t kMaxDetailBytes = 400;
// Who changes resources in the name of a domain that redeems an invite.
constexpr char kEnrolmentAuthor[] = "enrolment";

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

Members From(absl::string_view listener, absl::string_view address) {
  Members from;
  from.Text("listener", listener).Text("address", address);
  return from;
}

void AddOutcome(const absl::Status& status, Members* out) {
  if (status.ok()) {
    out->Text("outcome", "OK");
    return;
  }
  const auto reason = base::ReasonOf(status).value_or(base::Reason::kInternal);
  out->Text("outcome", base::ReasonText(reason));
  out->Text("detail", base::Shorten(status.message(), kMaxDetailBytes));
}

// "ipv4:192.0.2.1" of "ipv4:192.0.2.1:443": one host is one source, whatever its ports.
std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

std::string ReasonTextOf(const absl::Status& status) {
  return std::string(base::ReasonText(base::ReasonOf(status).value_or(base::Reason::kInternal)));
}

Members CertificateText(const credentials::IdentityInfo& info) {
  Members out;
  out.Text("id", info.id)
      .Text("serial", info.serial)
      .Text("not_after", audit::TimeText(info.not_after))
      .Text("bundle_sha256", base::HexEncode(info.bundle_digest));
  return out;
}

std::string RootsPath(const config::v1::GatewayConfig& config) {
  return base::JoinPath(config.data_dir(), "audit/roots.pem");
}

// What the entries of the last file say that is in the log already.
class RecordedChanges {
 public:
  void See(const audit::Line& line, absl::string_view text) {
    if (line.kind == audit::kCheckpoint) {
      found_ = true;
      commit_ = audit::NumberMember(text, "state_commit");
      return;
    }
    if (line.kind != audit::kAct && line.kind != audit::kChange) return;
    const simdjson::padded_string padded(text.data(), text.size());
    simdjson::dom::array changes;
    if (parser_.parse(padded)["changes"].get(changes) != simdjson::SUCCESS) return;
    for (const simdjson::dom::element change : changes) {
      std::string_view kind;
      std::string_view name;
      uint64_t version = 0;
      if (change["kind"].get(kind) == simdjson::SUCCESS &&
          change["name"].get(name) == simdjson::SUCCESS &&
          change["after"]["version"].get(version) == simdjson::SUCCESS) {
        recorded_.insert({std::string(kind), std::string(name), version});
      }
    }
  }
  bool found() const { return found_; }
  uint64_t commit() const { return commit_; }
  const ChangeTracker::Recorded& recorded() const { return recorded_; }

 private:
  simdjson::dom::parser parser_;
  bool found_ = false;
  uint64_t commit_ = 0;
  ChangeTracker::Recorded recorded_;
};

}  // namespace

// A call that is under way.
class AuditTrail::Record final : public rpc::CallRecord {
 public:
  Record(AuditTrail& trail, rpc::CallPtr call, CallUse use, const grpc::ByteBuffer* request)
      : trail_(trail), call_(std::move(call)), use_(use) {
    if (request != nullptr) request_ = *request;
    author_ = use == CallUse::kEnrolment ? kEnrolmentAuthor : call_->principal.id;
    MutexLock lock(trail_.mu_);
    trail_.tracker_.BeginCall(author_);
  }
  ~Record() override {
    if (!ended_) End(base::MakeError(base::Reason::kCancelled, "it gave no answer"), nullptr, {});
  }

  void End(const absl::Status& outcome, const grpc::ByteBuffer* answer,
           Recorded recorded) override {
    ended_ = true;
    const std::vector<AuditedChange> changes = TakeChanges(answer);
    // Strangers may try invites as often as they like; what they change is an entry each.
    if (use_ == CallUse::kEnrolment && !outcome.ok() && changes.empty()) {
      trail_.OnRefused({.method = call_->method,
                        .listener = call_->listener,
                        .principal = call_->principal.id,
                        .peer_address = call_->peer_address},
                       outcome);
      if (recorded) recorded(absl::OkStatus());
      return;
    }
    trail_.log_->Append({.kind = audit::kAct, .members = Text(outcome, changes)},
                        [&trail = trail_, changes, required = use_ == CallUse::kAct,
                         recorded = std::move(recorded)](const absl::Status& status) {
                          {
                            MutexLock lock(trail.mu_);
                            status.ok() ? trail.tracker_.Done(changes)
                                        : trail.tracker_.GiveBack(changes);
                          }
                          if (recorded) recorded(required ? status : absl::OkStatus());
                        });
  }

 private:
  std::vector<AuditedChange> TakeChanges(const grpc::ByteBuffer* answer) {
    const rpc::FlatBytes asked(request_);
    const rpc::FlatBytes answered(answer == nullptr ? grpc::ByteBuffer() : *answer);
    const state::ResourceSnapshotPtr resources = trail_.deps_.resources();
    MutexLock lock(trail_.mu_);
    return trail_.tracker_.EndCall(author_, resources, [&](const state::StoredResource& resource) {
      // Some names are of bytes that messages carry as they are.
      const auto bytes = base::HexDecode(resource.name);
      return absl::StrContains(asked.view(), resource.name) ||
             absl::StrContains(answered.view(), resource.name) ||
             (bytes.ok() && !bytes->empty() &&
              (absl::StrContains(asked.view(), *bytes) ||
               absl::StrContains(answered.view(), *bytes)));
    });
  }

  Members Text(const absl::Status& outcome, const std::vector<AuditedChange>& changes) const {
    Members out;
    out.Text("who", call_->principal.id)
        .Object("from", From(authz::ListenerName(call_->listener), call_->peer_address))
        .Text("what", call_->method);
    AddOutcome(outcome, &out);
    if (use_ != CallUse::kEnrolment) out.Object("request", RequestText(call_->method, request_));
    std::vector<Members> list;
    for (const AuditedChange& change : changes) list.push_back(ChangeText(change));
    if (!list.empty()) out.Objects("changes", list);
    return out;
  }

  AuditTrail& trail_;
  const rpc::CallPtr call_;
  const CallUse use_;
  grpc::ByteBuffer request_;
  std::string author_;
  bool ended_ = false;
};

AuditTrail::AuditTrail(AuditTrailDeps deps)
    : deps_(std::move(deps)), identity_(deps_.identity.Current()) {}

AuditTrail::~AuditTrail() { Shutdown(); }

absl::StatusOr<std::unique_ptr<AuditTrail>> AuditTrail::Open(AuditTrailDeps deps) {
  std::unique_ptr<AuditTrail> trail(new AuditTrail(std::move(deps)));
  CDGATE_RETURN_IF_ERROR(trail->OpenLog());
  return trail;
}

absl::Status AuditTrail::OpenLog() {
  const config::v1::GatewayConfig& config = deps_.config;
  audit::AuditOptions options;
  options.journal.folder = base::JoinPath(config.data_dir(), "audit");
  options.journal.domain = config.domain();
  options.journal.instance = config.instance();
  if (config.audit().file_bytes() != 0) options.journal.file_bytes = config.audit().file_bytes();
  if (config.audit().has_retention()) {
    options.journal.retention = ToDuration(config.audit().retention());
  }
  const state::ResourceSnapshotPtr resources = deps_.resources();
  RecordedChanges recorded;
  {
    // Until the last file was read, as far as the first checkpoint of this process knows.
    MutexLock lock(mu_);
    tracker_.Start(resources, resources->commit(), {});
  }
  CDGATE_ASSIGN_OR_RETURN(
      log_, audit::AuditLog::Open(
                std::move(options),
                {.clock = deps_.clock,
                 .metrics = deps_.metrics,
                 .signer = [this] { return CurrentSigner(); },
                 .state_commit =
                     [this] {
                       MutexLock lock(mu_);
                       return tracker_.recorded_commit();
                     },
                 .seen = [&recorded](const audit::Line& line,
                                     absl::string_view text) { recorded.See(line, text); }}));
  KeepCurrentRoots();
  Members started;
  started.Text("event", "started")
      .Text("software", deps_.software)
      .Object("certificate", CertificateText(*deps_.identity.Current()));
  log_->Append({.kind = audit::kGateway, .members = started});
  {
    MutexLock lock(mu_);
    if (recorded.found()) tracker_.Start(resources, recorded.commit(), recorded.recorded());
  }
  OnResources(resources);
  return absl::OkStatus();
}

absl::StatusOr<audit::Signer> AuditTrail::CurrentSigner() const {
  const auto material = deps_.identity.CurrentMaterial();
  return audit::MakeSigner(material->chain_pem, material->key_pem);
}

void AuditTrail::OnRefused(const rpc::RefusedFacts& call, const absl::Status& why) {
  const std::string listener(authz::ListenerName(call.listener));
  Members members;
  members.Text("who", call.principal)
      .Object("from", From(listener, call.peer_address))
      .Text("what", call.method);
  AddOutcome(why, &members);
  const std::string source = call.principal.empty() || call.listener == authz::Listener::kEnrolment
                                 ? HostOf(call.peer_address)
                                 : call.principal;
  RecordRefusal({.source = source, .reason = ReasonTextOf(why), .where = listener},
                std::move(members));
}

void AuditTrail::OnHandshakeRefused(const credentials::Refusal& refusal) {
  // The other side's refusals are its own to record.
  if (refusal.reason == base::Reason::kPeerClosedHandshake) return;
  const bool server = refusal.side == credentials::Side::kServer;
  Members members;
  members.Text("who", refusal.claimed_id);
  // gRPC does not say of which connection a certificate is; the ingress does (docs/audit.md).
  if (!refusal.address.empty()) {
    members.Object("from", From(server ? "ingress" : "", refusal.address));
  }
  members.Text("what", server ? "incoming handshake" : "outgoing handshake")
      .Text("outcome", base::ReasonText(refusal.reason))
      .Text("detail", base::Shorten(refusal.message, kMaxDetailBytes));
  RecordRefusal(
      {.source = refusal.claimed_id.empty() ? HostOf(refusal.address) : refusal.claimed_id,
       .reason = std::string(base::ReasonText(refusal.reason)),
       .where = "handshake"},
      std::move(members));
}

void AuditTrail::OnRequestRefused(const std::string& address, const std::string& principal,
                                  const absl::Status& why) {
  Members members;
  members.Text("who", principal).Object("from", From("ingress", address)).Text("what", "publish");
  AddOutcome(why, &members);
  RecordRefusal({.source = principal.empty() ? address : principal,
                 .reason = ReasonTextOf(why),
                 .where = "ingress"},
                std::move(members));
}

void AuditTrail::RecordRefusal(const audit::RefusalKey& key, Members members) {
  {
    MutexLock lock(mu_);
    if (!meter_.Take(key, deps_.clock.Monotonic())) return;
  }
  log_->Append({.kind = audit::kRefusal, .members = std::move(members)});
}

absl::StatusOr<std::unique_ptr<rpc::CallRecord>> AuditTrail::Begin(
    const rpc::CallPtr& call, const grpc::ByteBuffer* request) {
  const CallUse use = UseOf(call->method);
  if (!IsRecorded(use, call->listener)) return nullptr;
  if (use == CallUse::kAct || use == CallUse::kEnrolment) {
    CDGATE_RETURN_IF_ERROR(log_->health());
  }
  return std::make_unique<Record>(*this, call, use, request);
}

void AuditTrail::OnResources(const state::ResourceSnapshotPtr& resources) {
  std::vector<AuditedChange> orphans;
  {
    MutexLock lock(mu_);
    tracker_.Observe(resources);
    orphans = tracker_.TakeOrphans();
  }
  RecordChanges(orphans);
}

void AuditTrail::RecordChanges(const std::vector<AuditedChange>& changes) {
  for (const AuditedChange& change : changes) {
    Members members;
    members.Text("who", change.after->author).Objects("changes", {ChangeText(change)});
    log_->Append({.kind = audit::kChange, .members = std::move(members)},
                 [this, change](const absl::Status& status) {
                   MutexLock lock(mu_);
                   status.ok() ? tracker_.Done({change}) : tracker_.GiveBack({change});
                 });
  }
}

void AuditTrail::RecordIdentity() {
  const auto now = deps_.identity.Current();
  std::shared_ptr<const credentials::IdentityInfo> before;
  {
    MutexLock lock(mu_);
    before = std::exchange(identity_, now);
  }
  if (before->leaf_pem == now->leaf_pem && before->bundle_digest == now->bundle_digest) return;
  KeepCurrentRoots();
  Members members;
  members.Text("event", "certificate changed")
      .Object("before", CertificateText(*before))
      .Object("after", CertificateText(*now));
  log_->Append({.kind = audit::kIdentity, .members = std::move(members)});
}

std::string AuditTrail::Roots() const {
  const auto kept = base::ReadFile(RootsPath(deps_.config));
  return kept.ok() ? *kept : deps_.identity.Current()->bundle_pem;
}

void AuditTrail::KeepCurrentRoots() const {
  const absl::Status kept =
      KeepRoots(RootsPath(deps_.config), deps_.identity.Current()->bundle_pem);
  if (!kept.ok()) base::LogError(base::LogLevel::kWarning, "roots for audits not kept", kept);
}

void AuditTrail::OnIdentityRefused(const absl::Status& why, absl::string_view event) {
  Members members;
  members.Text("event", event);
  AddOutcome(why, &members);
  log_->Append({.kind = audit::kIdentity, .members = std::move(members)});
}

void AuditTrail::OnProviders(const Providers& before, const Providers& after,
                             const absl::Status& taken) {
  const auto text = [](const Providers& providers) {
    std::vector<Members> out;
    for (const config::v1::IdentityProvider& provider : providers) {
      Members members;
      for (const auto& [path, value] : FieldsOf(provider)) members.Text(path, value);
      out.push_back(std::move(members));
    }
    return out;
  };
  const bool same = std::equal(before.begin(), before.end(), after.begin(), after.end(),
                               google::protobuf::util::MessageDifferencer::Equals);
  if (same && taken.ok()) return;
  Members members;
  members.Text("event", taken.ok() ? "identity providers changed" : "identity providers refused");
  AddOutcome(taken, &members);
  members.Objects("before", text(before)).Objects("after", text(after));
  log_->Append({.kind = audit::kGateway, .members = std::move(members)});
}

void AuditTrail::RecordCounted() {
  std::vector<audit::CountedRefusals> counted;
  {
    MutexLock lock(mu_);
    counted = meter_.Drain();
  }
  for (const audit::CountedRefusals& row : counted) {
    Members members;
    members.Text("who", row.key.source)
        .Text("where", row.key.where)
        .Text("outcome", row.key.reason)
        .Number("count", row.count);
    log_->Append({.kind = audit::kSummary, .members = std::move(members)});
  }
}

void AuditTrail::Tick() {
  RecordIdentity();
  bool counted = false;
  {
    MutexLock lock(mu_);
    counted = deps_.clock.Monotonic() >= counted_due_;
    if (counted) counted_due_ = deps_.clock.Monotonic() + kCountedInterval;
  }
  if (counted) RecordCounted();
  OnResources(deps_.resources());
  log_->Tick();
}

void AuditTrail::Shutdown() {
  {
    MutexLock lock(mu_);
    if (std::exchange(stopped_, true)) return;
  }
  if (log_ == nullptr) return;
  RecordCounted();
  OnResources(deps_.resources());
  Members members;
  members.Text("event", "stopped");
  log_->Append({.kind = audit::kGateway, .members = std::move(members)});
  log_->Shutdown();
}

}  // namespace cdgate::app
