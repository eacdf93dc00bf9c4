#include "gateway/app/identity_keys.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

constexpr absl::Duration kLeastPause = absl::Seconds(30);  // between two readings of an address

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

oidc::ProviderOptions OptionsOf(const config::v1::IdentityProvider& config) {
  return {.name = config.name(),
          .issuer = config.issuer(),
          .audiences = {config.audiences().begin(), config.audiences().end()},
          .claim = config.claim(),
          .algorithms = {config.algorithms().begin(), config.algorithms().end()},
          .max_lifetime = ToDuration(config.max_lifetime()),
          .clock_skew = ToDuration(config.clock_skew())};
}

// Differs where the file is another one or was written since; empty where there is none.
std::string StampOf(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return "";
  return absl::StrCat(file.st_ino, " ", file.st_size, " ", file.st_mtim.tv_sec, " ",
                      file.st_mtim.tv_nsec);
}

}  // namespace

std::shared_ptr<IdentityKeys> IdentityKeys::Create(Deps deps) {
  std::shared_ptr<IdentityKeys> keys(new IdentityKeys(std::move(deps)));
  keys->self_ = keys;
  return keys;
}

IdentityKeys::IdentityKeys(Deps deps) : deps_(std::move(deps)) {
  std::vector<oidc::ProviderOptions> options;
  for (const config::v1::IdentityProvider& config : deps_.config.identity_providers()) {
    options.push_back(OptionsOf(config));
    Source source{.config = config};
    source.age = &deps_.metrics.AddGauge(
        "cdgate_identity_keys_age_seconds",
        "How long ago the keys of an identity provider were last read; -1: never.",
        {{"provider", config.name()}});
    source.failures = &deps_.metrics.AddCounter(
        "cdgate_identity_keys_failures_total",
        "Readings of an identity provider's keys that failed or gave none.",
        {{"provider", config.name()}});
    sources_.push_back(std::move(source));
  }
  providers_ = std::make_shared<oidc::IdentityProviders>(
      oidc::IdentityProviders::Deps{.domain = deps_.config.domain(),
                                    .clock = deps_.clock,
                                    .on_unknown_key = [this](size_t provider) { Want(provider); }},
      std::move(options));
}

absl::Status IdentityKeys::Start() {
  for (size_t i = 0; i < providers_->options().size(); ++i) {
    const config::v1::IdentityProvider& config =
        deps_.config.identity_providers(static_cast<int>(i));
    if (config.jwks_file().empty()) continue;
    const absl::Status read = ReadFile(i);
    if (read.ok()) continue;
    return base::MakeError(base::Reason::kInvalidConfig,
                           absl::StrCat("identity provider ", config.name(), ": ",
                                        config.jwks_file(), ": ", read.message()),
                           {{"file", config.jwks_file()}});
  }
  FetchDue();
  return absl::OkStatus();
}

void IdentityKeys::Tick() {
  for (size_t i = 0; i < providers_->options().size(); ++i) {
    const std::string& file = deps_.config.identity_providers(static_cast<int>(i)).jwks_file();
    if (file.empty()) continue;
    const std::string stamp = StampOf(file);
    {
      base::MutexLock lock(mu_);
      if (stamp == sources_[i].stamp) continue;
    }
    ReadFile(i).IgnoreError();  // Take() has noted and logged it
  }
  FetchDue();
}

absl::Status IdentityKeys::ReadFile(size_t provider) {
  const std::string& path = deps_.config.identity_providers(static_cast<int>(provider)).jwks_file();
  // Before it is read: what is written meanwhile is read the next time.
  const std::string stamp = StampOf(path);
  const auto text = base::ReadFile(path, oidc::kMaxJwkSetBytes);
  {
    base::MutexLock lock(mu_);
    sources_[provider].stamp = stamp;
  }
  return Take(provider, text);
}

void IdentityKeys::FetchDue() {
  const absl::Duration now = deps_.clock.Monotonic();
  size_t due = 0;
  {
    base::MutexLock lock(mu_);
    if (fetching_) return;
    for (; due < sources_.size(); ++due) {
      const Source& source = sources_[due];
      if (source.config.jwks_url().empty()) continue;
      const absl::Duration pause =
          source.wanted ? kLeastPause : ToDuration(source.config.refresh());
      if (now - source.tried >= pause) break;
    }
    if (due == sources_.size()) return;
    fetching_ = true;
    sources_[due].tried = now;
    sources_[due].wanted = false;
  }
  const bool queued = deps_.background.TryPost([weak = self_, due] {
    if (const auto self = weak.lock()) self->Fetch(due);
  });
  if (queued) return;
  base::MutexLock lock(mu_);  // the pool is full: again after the pause
  fetching_ = false;
  sources_[due].wanted = true;
}

void IdentityKeys::Fetch(size_t provider) {
  const config::v1::IdentityProvider& config =
      deps_.config.identity_providers(static_cast<int>(provider));
  const auto text = deps_.fetch(
      {.url = config.jwks_url(), .ca_file = config.ca_file(), .max_bytes = oidc::kMaxJwkSetBytes});
  Take(provider, text).IgnoreError();  // it has noted and logged it
  {
    base::MutexLock lock(mu_);
    fetching_ = false;
  }
  FetchDue();
}

absl::Status IdentityKeys::Take(size_t provider, const absl::StatusOr<std::string>& text) {
  const absl::StatusOr<oidc::JwkSetPtr> keys =
      text.ok() ? oidc::JwkSet::Parse(*text) : absl::StatusOr<oidc::JwkSetPtr>(text.status());
  const absl::Time now = deps_.clock.Now();
  const config::v1::IdentityProvider& config =
      deps_.config.identity_providers(static_cast<int>(provider));
  if (keys.ok()) {
    const bool file = !config.jwks_file().empty();
    providers_->SetKeys(provider, *keys,
                        file ? absl::InfiniteFuture() : now + ToDuration(config.max_key_age()));
  }
  base::Counter* failures = nullptr;
  {
    base::MutexLock lock(mu_);
    Source& source = sources_[provider];
    failures = source.failures;
    source.problem = keys.ok() ? "" : std::string(keys.status().message());
    if (keys.ok()) source.read = now;
    if (!keys.ok()) source.wanted = true;  // sooner than at the interval
  }
  if (keys.ok()) {
    base::Log(base::LogLevel::kInfo, "keys of an identity provider read",
              {{"provider", config.name()}, {"keys", absl::StrCat((*keys)->size())}});
    return absl::OkStatus();
  }
  failures->Add();
  base::LogError(base::LogLevel::kError,
                 "keys of an identity provider not read; the last good ones stay", keys.status(),
                 {{"provider", config.name()}});
  return keys.status();
}

void IdentityKeys::Want(size_t provider) {
  base::MutexLock lock(mu_);
  sources_[provider].wanted = true;
}

absl::StatusOr<rpc::BearerPtr> IdentityKeys::Resolve(absl::string_view token) const {
  CDGATE_ASSIGN_OR_RETURN(oidc::IdentityTokenPtr identity, providers_->Verify(token));
  auto bearer = std::make_shared<rpc::Bearer>();
  bearer->principal = identity->principal;
  bearer->check = [providers = providers_, identity] { return providers->StillGood(*identity); };
  return rpc::BearerPtr(std::move(bearer));
}

absl::StatusOr<authz::Principal> IdentityKeys::Who(absl::string_view token) const {
  CDGATE_ASSIGN_OR_RETURN(const oidc::IdentityTokenPtr identity, providers_->Verify(token));
  return identity->principal;
}

std::vector<std::string> IdentityKeys::Problems() const {
  std::vector<std::string> out;
  base::MutexLock lock(mu_);
  for (const Source& source : sources_) {
    if (source.problem.empty()) continue;
    out.push_back(
        absl::StrCat("the keys of the identity provider ", source.config.name(),
                     " cannot be read (", source.problem, "); those in use are of ",
                     source.read == absl::InfinitePast()
                         ? "never: its tokens are refused"
                         : absl::FormatTime(absl::RFC3339_sec, source.read, absl::UTCTimeZone())));
  }
  return out;
}

void IdentityKeys::UpdateGauges() {
  const absl::Time now = deps_.clock.Now();
  base::MutexLock lock(mu_);
  for (const Source& source : sources_) {
    source.age->Set(source.read == absl::InfinitePast() ? -1
                                                        : absl::ToDoubleSeconds(now - source.read));
  }
}

}  // namespace cdgate::app
