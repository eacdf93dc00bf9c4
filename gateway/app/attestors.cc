#include "gateway/app/attestors.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

credentials::IdentityOptions OptionsOf(const config::v1::GatewayConfig& config) {
  const config::v1::Identity& identity = config.identity();
  credentials::IdentityOptions options;
  options.certificate_path = config.attestor().certificate();
  options.key_path = config.attestor().key();
  options.key_passphrase_path = config.attestor().key_passphrase_file();
  options.bundle_path = identity.bundle();
  options.crl_paths.assign(identity.crls().begin(), identity.crls().end());
  options.crl_grace = absl::Seconds(identity.crl_grace().seconds());
  options.expected_domain = config.domain();
  options.use = credentials::IdentityUse::kStatements;
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Attestors>> Attestors::Open(AttestorsDeps deps) {
  std::unique_ptr<Attestors> attestors(new Attestors(std::move(deps)));
  const AttestorsDeps& own = attestors->deps_;
  CDGATE_ASSIGN_OR_RETURN(attestors->registry_,
                          session::AttestorRegistry::Open({.domain = own.config.domain(),
                                                           .store = own.store,
                                                           .trust = own.trust,
                                                           .origins = own.origins,
                                                           .clock = own.clock}));
  if (own.config.has_attestor()) CDGATE_RETURN_IF_ERROR(attestors->OpenOwn());
  return attestors;
}

absl::Status Attestors::OpenOwn() {
  const credentials::IdentityOptions options = OptionsOf(deps_.config);
  const auto not_renewed = [this](const absl::Status& why) {
    deps_.on_refused(why, AttestorsDeps::kNotRenewed);
  };
  renewal_ = Renewal::FromConfig(
      deps_.config, options,
      {deps_.background, deps_.clock, deps_.random, deps_.metrics, not_renewed});
  // Whoever is shown what it signs can be given its certificate.
  const auto before_use = [this](const credentials::AttestorIdentity& next) {
    registry_->TakeOwn(next);
  };
  CDGATE_ASSIGN_OR_RETURN(own_, renewal_ != nullptr ? renewal_->OpenAttestor(before_use)
                                                    : credentials::AttestorStore::Create(
                                                          options, deps_.clock, before_use));
  if (renewal_ != nullptr) renewal_->Attach(*own_);
  return absl::OkStatus();
}

absl::Status Attestors::Reload() {
  if (own_ == nullptr) return absl::OkStatus();
  const auto before = own_->Current();
  const absl::Status reloaded = own_->Reload();
  if (!reloaded.ok()) deps_.on_refused(reloaded, AttestorsDeps::kRefused);
  const auto current = own_->Current();
  if (current != before) {
    base::Log(base::LogLevel::kInfo, "attestor reloaded",
              {{"id", current->id}, {"key_id", base::HexEncode(current->key_id)}});
  }
  return reloaded;
}

void Attestors::Upkeep() {
  if (own_ != nullptr) {
    const absl::Status reloaded = own_->FilesChanged() ? Reload() : absl::OkStatus();
    if (!reloaded.ok()) {
      base::LogError(base::LogLevel::kError, "attestor not reloaded; the last good one stays",
                     reloaded);
    }
  }
  if (renewal_ != nullptr) renewal_->Tick();
  registry_->Tick();
}

std::vector<std::string> Attestors::Problems() const {
  if (own_ == nullptr) return {};
  std::vector<std::string> out = CertificateProblems(
      *own_->Info(), renewal_.get(), deps_.clock.Now(), credentials::IdentityUse::kStatements);
  const absl::Status last = own_->LastReload();
  if (!last.ok()) {
    out.push_back(absl::StrCat("the attestor's files could not be taken over (", last.message(),
                               "); the last good one signs"));
  }
  return out;
}

void Attestors::UpdateGauges() {
  if (own_ == nullptr) return;
  deps_.metrics
      .AddGauge("cdgate_attestor_expiry_timestamp_seconds",
                "When our attestor's certificate expires, seconds since the Unix epoch.")
      .Set(absl::ToDoubleSeconds(own_->Info()->not_after - absl::UnixEpoch()));
}

void Attestors::Stop() {
  if (renewal_ != nullptr) renewal_->Stop();
}

}  // namespace cdgate::app
