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
          .clock_skew = ToDuration(config.clock_skew()),
          .key_source =
              absl::StrCat(config.jwks_file(), " ", config.jwks_url(), " ", config.ca_file())};
}

absl::Status Unreadable(const config::v1::IdentityProvider& config, const absl::Status& why) {
  return base::MakeError(base::Reason::kInvalidConfig,
                         absl::StrCat("identity provider ", config.name(), ": ", config.jwks_file(),
                                      ": ", why.message()),
                         {{"file", config.jwks_file()}});
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
  providers_ = std::make_shared<oidc::IdentityProviders>(
      oidc::IdentityProviders::Deps{
          .domain = deps_.domain,
          .clock = deps_.clock,
          .on_unknown_key = [this](const std::string& provider) { Want(provider); }},
      std::vector<oidc::ProviderOptions>());
}

absl::Status IdentityKeys::Start() { return Reload(deps_.providers); }

absl::Status IdentityKeys::Reload(const Configs& providers) {
  CDGATE_ASSIGN_OR_RETURN(const Files files, ReadNewFiles(providers));
  std::vector<oidc::ProviderOptions> options;
  std::vector<SourcePtr> kept;
  for (const config::v1::IdentityProvider& config : providers) {
    options.push_back(OptionsOf(config));
    kept.push_back(SourceOf(config));
  }
  const std::vector<SourcePtr> before = Sources();
  providers_->Replace(std::move(options));
  std::vector<SourcePtr> next;
  for (int i = 0; i < providers.size(); ++i) {
    const config::v1::IdentityProvider& config = providers[i];
    SourcePtr source = kept[static_cast<size_t>(i)];
    if (source == nullptr) source = MakeSource(config);
    if (const auto file = files.find(config.name()); file != files.end()) {
      source->stamp = file->second.first;
      source->read = deps_.clock.Now();
      oidc::IdentityProviders::SetKeys(source->provider, file->second.second,
                                       absl::InfiniteFuture());
    }
    next.push_back(std::move(source));
  }
  {
    base::MutexLock lock(mu_);
    // What may differ of one that is as before.
    for (size_t i = 0; i < next.size(); ++i) {
      const config::v1::IdentityProvider& config = providers[static_cast<int>(i)];
      next[i]->refresh = ToDuration(config.refresh());
      next[i]->max_key_age = ToDuration(config.max_key_age());
    }
    sources_ = std::move(next);
  }
  for (const SourcePtr& source : before) {
    if (providers_->Find(source->options.name) == nullptr) source->age->Set(-1);
  }
  FetchDue();
  return absl::OkStatus();
}

absl::StatusOr<IdentityKeys::Files> IdentityKeys::ReadNewFiles(const Configs& providers) const {
  Files files;
  for (const config::v1::IdentityProvider& config : providers) {
    if (config.jwks_file().empty() || SourceOf(config) != nullptr) continue;
    // Before it is read: what is written meanwhile is read the next time.
    std::string stamp = StampOf(config.jwks_file());
    const auto text = base::ReadFile(config.jwks_file(), oidc::kMaxJwkSetBytes);
    if (!text.ok()) return Unreadable(config, text.status());
    auto keys = oidc::JwkSet::Parse(*text);
    if (!keys.ok()) return Unreadable(config, keys.status());
    files[config.name()] = {std::move(stamp), *std::move(keys)};
  }
  return files;
}

// Null where there is none that is as this one is configured.
IdentityKeys::SourcePtr IdentityKeys::SourceOf(const config::v1::IdentityProvider& config) const {
  const oidc::ProviderOptions options = OptionsOf(config);
  for (const SourcePtr& source : Sources()) {
    if (source->options == options) return source;
  }
  return nullptr;
}

IdentityKeys::SourcePtr IdentityKeys::MakeSource(const config::v1::IdentityProvider& config) {
  auto source = std::make_shared<Source>(Source{.options = OptionsOf(config),
                                                .file = config.jwks_file(),
                                                .url = config.jwks_url(),
                                                .ca_file = config.ca_file(),
                                                .provider = providers_->Find(config.name())});
  source->age = &deps_.metrics.AddGauge(
      "cdgate_identity_keys_age_seconds",
      "How long ago the keys of an identity provider were last read; -1: never.",
      {{"provider", config.name()}});
  source->failures =
      &deps_.metrics.AddCounter("cdgate_identity_keys_failures_total",
                                "Readings of an identity provider's keys that failed or gave none.",
                                {{"provider", config.name()}});
  return source;
}

std::vector<IdentityKeys::SourcePtr> IdentityKeys::Sources() const {
  base::MutexLock lock(mu_);
  return sources_;
}

void IdentityKeys::Tick() {
  for (const SourcePtr& source : Sources()) {
    if (source->file.empty()) continue;
    const std::string stamp = StampOf(source->file);
    {
      base::MutexLock lock(mu_);
      if (stamp == source->stamp) continue;
    }
    ReadFile(source).IgnoreError();  // Take() has noted and logged it
  }
  FetchDue();
}

absl::Status IdentityKeys::ReadFile(const SourcePtr& source) {
  const std::string stamp = StampOf(source->file);  // as in ReadNewFiles
  const auto text = base::ReadFile(source->file, oidc::kMaxJwkSetBytes);
  {
    base::MutexLock lock(mu_);
    source->stamp = stamp;
  }
  return Take(source, text);
}

void IdentityKeys::FetchDue() {
  const absl::Duration now = deps_.clock.Monotonic();
  SourcePtr due;
  {
    base::MutexLock lock(mu_);
    if (fetching_) return;
    for (const SourcePtr& source : sources_) {
      if (source->url.empty()) continue;
      const absl::Duration pause = source->wanted ? kLeastPause : source->refresh;
      if (now - source->tried < pause) continue;
      due = source;
      break;
    }
    if (due == nullptr) return;
    fetching_ = true;
    due->tried = now;
    due->wanted = false;
  }
  const bool queued = deps_.background.TryPost([weak = self_, due] {
    if (const auto self = weak.lock()) self->Fetch(due);
  });
  if (queued) return;
  base::MutexLock lock(mu_);  // the pool is full: again after the pause
  fetching_ = false;
  due->wanted = true;
}

void IdentityKeys::Fetch(const SourcePtr& source) {
  const auto text = deps_.fetch(
      {.url = source->url, .ca_file = source->ca_file, .max_bytes = oidc::kMaxJwkSetBytes});
  Take(source, text).IgnoreError();  // it has noted and logged it
  {
    base::MutexLock lock(mu_);
    fetching_ = false;
  }
  FetchDue();
}

absl::Status IdentityKeys::Take(const SourcePtr& source, const absl::StatusOr<std::string>& text) {
  const absl::StatusOr<oidc::JwkSetPtr> keys =
      text.ok() ? oidc::JwkSet::Parse(*text) : absl::StatusOr<oidc::JwkSetPtr>(text.status());
  const absl::Time now = deps_.clock.Now();
  absl::Duration good_for;
  {
    base::MutexLock lock(mu_);
    source->problem = keys.ok() ? "" : std::string(keys.status().message());
    if (keys.ok()) source->read = now;
    if (!keys.ok()) source->wanted = true;  // sooner than at the interval
    good_for = source->file.empty() ? source->max_key_age : absl::InfiniteDuration();
  }
  const std::string& name = source->options.name;
  if (keys.ok()) {
    oidc::IdentityProviders::SetKeys(source->provider, *keys, now + good_for);
    base::Log(base::LogLevel::kInfo, "keys of an identity provider read",
              {{"provider", name}, {"keys", absl::StrCat((*keys)->size())}});
    return absl::OkStatus();
  }
  source->failures->Add();
  base::LogError(base::LogLevel::kError,
                 "keys of an identity provider not read; the last good ones stay", keys.status(),
                 {{"provider", name}});
  return keys.status();
}

void IdentityKeys::Want(const std::string& name) {
  base::MutexLock lock(mu_);
  for (const SourcePtr& source : sources_) {
    if (source->options.name == name) source->wanted = true;
  }
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
  for (const SourcePtr& source : sources_) {
    if (source->problem.empty()) continue;
    out.push_back(
        absl::StrCat("the keys of the identity provider ", source->options.name,
                     " cannot be read (", source->problem, "); those in use are of ",
                     source->read == absl::InfinitePast()
                         ? "never: its tokens are refused"
                         : absl::FormatTime(absl::RFC3339_sec, source->read, absl::UTCTimeZone())));
  }
  return out;
}

void IdentityKeys::UpdateGauges() {
  const absl::Time now = deps_.clock.Now();
  base::MutexLock lock(mu_);
  for (const SourcePtr& source : sources_) {
    source->age->Set(
        source->read == absl::InfinitePast() ? -1 : absl::ToDoubleSeconds(now - source->read));
  }
}

}  // namespace cdgate::app
