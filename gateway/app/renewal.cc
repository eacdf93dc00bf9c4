#include "gateway/app/renewal.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/app/renewal_schedule.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

using credentials::AttestorStore;
using credentials::IdentityStore;
using credentials::IdentityUse;

constexpr base::BackoffOptions kPauses{.first = absl::Seconds(5), .cap = absl::Minutes(10)};

// How it is called in what people read.
absl::string_view NameOf(IdentityUse use) {
  return use == IdentityUse::kStatements ? "the attestor's certificate"
                                         : "the gateway's certificate";
}

base::Counter& CounterOf(IdentityUse use, base::Metrics& metrics, const std::string& result) {
  const bool statements = use == IdentityUse::kStatements;
  return metrics.AddCounter(
      statements ? "cdgate_attestor_renewals_total" : "cdgate_certificate_renewals_total",
      absl::StrCat("Renewals of ", NameOf(use), " by the gateway, by result."),
      {{"result", result}});
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace

Renewal::Renewal(RenewalOptions options, std::unique_ptr<RenewalSource> source, RenewalDeps deps)
    : options_(std::move(options)),
      source_(std::move(source)),
      deps_(deps),
      files_(options_.directory, options_.in_use),
      renewed_(CounterOf(options_.in_use.use, deps.metrics, "renewed")),
      failed_(CounterOf(options_.in_use.use, deps.metrics, "failed")),
      backoff_(kPauses) {}

std::unique_ptr<Renewal> Renewal::FromConfig(const config::v1::GatewayConfig& config,
                                             const credentials::IdentityOptions& in_use,
                                             RenewalDeps deps) {
  const bool statements = in_use.use == IdentityUse::kStatements;
  if (!(statements ? config.attestor().has_renewal() : config.identity().has_renewal())) {
    return nullptr;
  }
  const config::v1::Renewal& renewal =
      statements ? config.attestor().renewal() : config.identity().renewal();
  std::unique_ptr<RenewalSource> source;
  if (!renewal.ca().empty()) {
    source = RenewFromCa(renewal.ca(), renewal.ca_passphrase_file(), ToDuration(renewal.validity()),
                         in_use, deps.clock);
  } else {
    source = RenewByProgram({renewal.command().begin(), renewal.command().end()},
                            ToDuration(renewal.command_timeout()), in_use);
  }
  return std::make_unique<Renewal>(
      RenewalOptions{.before = ToDuration(renewal.before()),
                     .directory = base::JoinPath(config.data_dir(),
                                                 statements ? "attestor-renewal" : "renewal"),
                     .in_use = in_use},
      std::move(source), deps);
}

void Renewal::Attach(IdentityStore& identity) {
  current_ = [&identity] { return identity.Current(); };
  reload_ = [&identity] { return identity.Reload(); };
}

void Renewal::Attach(AttestorStore& attestor) {
  current_ = [&attestor] { return attestor.Info(); };
  reload_ = [&attestor] { return attestor.Reload(); };
}

absl::StatusOr<std::unique_ptr<IdentityStore>> Renewal::Open(trust::TrustRegistry& registry) {
  std::unique_ptr<IdentityStore> store;
  CDGATE_RETURN_IF_ERROR(OpenBy([&]() -> absl::Status {
    CDGATE_ASSIGN_OR_RETURN(store, IdentityStore::Create(options_.in_use, registry, deps_.clock));
    return absl::OkStatus();
  }));
  return store;
}

absl::StatusOr<std::unique_ptr<AttestorStore>> Renewal::OpenAttestor(
    AttestorStore::BeforeUse before_use) {
  std::unique_ptr<AttestorStore> store;
  CDGATE_RETURN_IF_ERROR(OpenBy([&]() -> absl::Status {
    CDGATE_ASSIGN_OR_RETURN(store, AttestorStore::Create(options_.in_use, deps_.clock, before_use));
    return absl::OkStatus();
  }));
  return store;
}

absl::Status Renewal::OpenBy(const std::function<absl::Status()>& open) {
  CDGATE_RETURN_IF_ERROR(files_.FinishInstall());
  const absl::Status opened = open();
  if (opened.ok()) return opened;
  base::LogError(base::LogLevel::kWarning,
                 absl::StrCat(NameOf(options_.in_use.use), " cannot be used; renewing it at once"),
                 opened);
  const absl::Status replaced = Replace(nullptr);
  Note(replaced);
  if (replaced.ok()) return open();
  return base::Annotate(replaced, absl::StrCat(opened.message(), "; renewing it failed"));
}

void Renewal::Tick() {
  const auto current = current_();
  {
    base::MutexLock lock(mu_);
    if (running_ || stopped_ || deps_.clock.Monotonic() < next_try_) return;
    const InUse in_use{current->not_before, current->not_after, renewed_at_};
    if (deps_.clock.Now() < RenewalDue(in_use, options_.before)) return;
    running_ = true;
  }
  if (deps_.executor.TryPost([this] { Run(); })) return;
  base::MutexLock lock(mu_);
  running_ = false;  // the next tick tries again
}

void Renewal::Run() {
  const absl::Status status = ReplaceAndReload();
  Note(status);
  base::MutexLock lock(mu_);
  running_ = false;
}

absl::Status Renewal::Replace(const credentials::IdentityInfo* in_use) {
  CDGATE_ASSIGN_OR_RETURN(const std::string folder, files_.MakeFolder());
  CDGATE_RETURN_IF_ERROR(source_->Renew(folder));
  // An empty folder: the source replaced the files by itself.
  if (!files_.HasCertificate()) return absl::OkStatus();
  return files_.Install(deps_.clock.Now(), in_use);
}

absl::Status Renewal::ReplaceAndReload() {
  const auto before = current_();
  CDGATE_RETURN_IF_ERROR(Replace(before.get()));
  CDGATE_RETURN_IF_ERROR(reload_());
  if (current_()->serial != before->serial) return absl::OkStatus();
  return base::MakeError(base::Reason::kCredentialsInvalid,
                         absl::StrCat("the renewal brought no certificate: none is in the folder "
                                      "CDGATE_RENEWAL_DIR, and ",
                                      options_.in_use.certificate_path, " is as it was"));
}

void Renewal::Note(const absl::Status& status) {
  if (status.ok()) {
    renewed_.Add();
    base::Log(base::LogLevel::kInfo, absl::StrCat(NameOf(options_.in_use.use), " renewed"));
    base::MutexLock lock(mu_);
    renewed_at_ = deps_.clock.Now();
    failures_ = 0;
    next_try_ = -absl::InfiniteDuration();
    backoff_.Reset();
    return;
  }
  failed_.Add();
  absl::Duration pause;
  {
    base::MutexLock lock(mu_);
    ++failures_;
    last_failure_ = status;
    pause = backoff_.Next(deps_.random.Unit());
    next_try_ = deps_.clock.Monotonic() + pause;
  }
  base::LogError(base::LogLevel::kError,
                 absl::StrCat(NameOf(options_.in_use.use), " not renewed; the last good one stays"),
                 status,
                 {{"next_try_in", absl::FormatDuration(absl::Trunc(pause, absl::Seconds(1)))}});
  if (deps_.on_failed) deps_.on_failed(status);
}

std::vector<std::string> Renewal::Problems() const {
  const absl::Time end = current_()->not_after;
  base::MutexLock lock(mu_);
  if (failures_ == 0) return {};
  return {absl::StrCat(NameOf(options_.in_use.use), " was not renewed (",
                       failures_ == 1 ? "once" : absl::StrCat(failures_, " times"),
                       "): ", last_failure_.message(), "; the last good one is valid until ",
                       TimeText(end), ", and it is tried again")};
}

void Renewal::Stop() {
  {
    base::MutexLock lock(mu_);
    stopped_ = true;
  }
  source_->Cancel();
}

std::vector<std::string> CertificateProblems(const credentials::IdentityInfo& in_use,
                                             const Renewal* renewal, absl::Time now,
                                             IdentityUse use) {
  std::vector<std::string> out;
  const absl::Duration left = in_use.not_after - now;
  if (left < ExpiryWarning({in_use.not_before, in_use.not_after})) {
    out.push_back(absl::StrCat(NameOf(use), " expires in ",
                               absl::FormatDuration(absl::Trunc(left, absl::Minutes(1))),
                               "; renew it with cdgate cert renew"));
  }
  if (renewal == nullptr) return out;
  for (std::string& problem : renewal->Problems()) out.push_back(std::move(problem));
  return out;
}

}  // namespace cdgate::app
