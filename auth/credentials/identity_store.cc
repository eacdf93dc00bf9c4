#include "auth/credentials/identity_store.h"

#include <grpcpp/security/tls_certificate_provider.h>

#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/credentials/identity_files.h"
#include "auth/credentials/published_directory.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"

namespace cdgate::credentials {
namespace {

using grpc::experimental::CertificateProviderInterface;
using grpc::experimental::FileWatcherCertificateProvider;

constexpr unsigned kRefreshSeconds = 1;  // the least that gRPC allows

}  // namespace

// Two threads may want to publish at once: one that reloads and one that changed the
// registry. `version_` counts what changed; whoever publishes takes everything up to then,
// and no lock is held while files are written.
class IdentityStore::State {
 public:
  State(IdentityOptions options, trust::TrustRegistry& registry, const base::Clock& clock,
        std::shared_ptr<PublishedDirectory> directory)
      : options_(std::move(options)),
        registry_(registry),
        source_(registry.source()),
        clock_(clock),
        directory_(std::move(directory)) {}

  absl::Status Load();
  absl::Status PublishRoots();  // after a change of the registry

  bool FilesChanged() const {
    const std::string now = FilesVersion(options_);
    base::MutexLock lock(mu_);
    return now != files_version_;
  }
  std::shared_ptr<const IdentityInfo> Current() const {
    base::MutexLock lock(mu_);
    return std::shared_ptr<const IdentityInfo>(material_, &material_->info);
  }
  std::shared_ptr<const Material> CurrentMaterial() const {
    base::MutexLock lock(mu_);
    return material_;
  }
  // Made at the first call: it reads the files then, and a second later at the earliest again.
  std::shared_ptr<CertificateProviderInterface> provider();
  std::shared_ptr<const PublishedDirectory> directory() const { return directory_; }

 private:
  using MaterialPtr = std::shared_ptr<const Material>;

  absl::Status LoadAlone();
  absl::Status Use(const MaterialPtr& material);
  // The lists of the files with all else as before.
  void TakeLists(const Material& before);
  absl::Status CheckSameDomain(const Material& before, const Material& next) const;
  absl::Status Publish();

  const IdentityOptions options_;
  trust::TrustRegistry& registry_;
  const std::shared_ptr<const trust::SnapshotSource> source_;
  const base::Clock& clock_;
  const std::shared_ptr<PublishedDirectory> directory_;
  std::once_flag provided_;
  std::shared_ptr<CertificateProviderInterface> provider_;  // once provided_

  mutable base::Mutex mu_;
  base::CondVar idle_;
  MaterialPtr material_ CDGATE_GUARDED_BY(mu_);
  std::string files_version_ CDGATE_GUARDED_BY(mu_);
  uint64_t version_ CDGATE_GUARDED_BY(mu_) = 0;    // of what should be published
  uint64_t published_ CDGATE_GUARDED_BY(mu_) = 0;  // version that was
  bool publishing_ CDGATE_GUARDED_BY(mu_) = false;
  bool loading_ CDGATE_GUARDED_BY(mu_) = false;
};

absl::Status IdentityStore::State::Load() {
  {
    base::MutexLock lock(mu_);
    while (loading_) idle_.Wait(mu_);
    loading_ = true;
  }
  const absl::Status status = LoadAlone();
  base::MutexLock lock(mu_);
  loading_ = false;
  idle_.SignalAll();
  return status;
}

absl::Status IdentityStore::State::LoadAlone() {
  const std::string files_version = FilesVersion(options_);
  MaterialPtr before;
  {
    base::MutexLock lock(mu_);
    files_version_ = files_version;  // also a bad set is tried once, not at every look
    before = material_;
  }
  auto read = LoadMaterial(options_, clock_.Now());
  if (!read.ok()) {
    if (before != nullptr) TakeLists(*before);
    return read.status();
  }
  const auto next = std::make_shared<const Material>(*std::move(read));
  if (before != nullptr) CDGATE_RETURN_IF_ERROR(CheckSameDomain(*before, *next));
  const absl::Status status = Use(next);
  if (status.ok() || before == nullptr) return status;
  const absl::Status restored = Use(before);
  if (!restored.ok()) base::LogError(base::LogLevel::kError, "identity not restored", restored);
  return status;
}

void IdentityStore::State::TakeLists(const Material& before) {
  auto lists = LoadLists(options_);
  if (!lists.ok() || *lists == before.crl_pems) return;
  if (!registry_.Replace(before.info.domain, before.info.bundle_pem, *lists).ok()) return;
  auto next = std::make_shared<Material>(before);
  next->crl_pems = *std::move(lists);
  base::MutexLock lock(mu_);
  material_ = std::move(next);
}

absl::Status IdentityStore::State::CheckSameDomain(const Material& before,
                                                   const Material& next) const {
  if (before.info.domain == next.info.domain) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kCredentialsInvalid,
      absl::StrCat(options_.certificate_path, ": the certificate is of the domain ",
                   next.info.domain, ", and a running gateway stays in ", before.info.domain));
}

absl::Status IdentityStore::State::Use(const MaterialPtr& material) {
  {
    base::MutexLock lock(mu_);
    ++version_;
    material_ = material;
  }
  CDGATE_RETURN_IF_ERROR(
      registry_.Replace(material->info.domain, material->info.bundle_pem, material->crl_pems));
  return Publish();
}

absl::Status IdentityStore::State::PublishRoots() {
  {
    base::MutexLock lock(mu_);
    ++version_;
  }
  return Publish();
}

absl::Status IdentityStore::State::Publish() {
  MaterialPtr material;
  uint64_t version = 0;
  {
    base::MutexLock lock(mu_);
    while (publishing_) idle_.Wait(mu_);
    if (published_ == version_) return absl::OkStatus();
    publishing_ = true;
    version = version_;
    material = material_;
  }
  const absl::Status status = directory_->Publish(material->chain_pem, material->key_pem,
                                                  source_->Current()->UnionOfRootsPem());
  base::MutexLock lock(mu_);
  publishing_ = false;
  if (status.ok()) published_ = version;
  idle_.SignalAll();
  return status;
}

std::shared_ptr<CertificateProviderInterface> IdentityStore::State::provider() {
  std::call_once(provided_, [this] {
    provider_ = std::make_shared<FileWatcherCertificateProvider>(
        directory_->key_path(), directory_->certificate_path(), directory_->roots_path(),
        kRefreshSeconds);
  });
  return provider_;
}

IdentityStore::IdentityStore(std::shared_ptr<State> state) : state_(std::move(state)) {}
IdentityStore::~IdentityStore() = default;

absl::StatusOr<std::unique_ptr<IdentityStore>> IdentityStore::Create(IdentityOptions options,
                                                                     trust::TrustRegistry& registry,
                                                                     const base::Clock& clock) {
  CDGATE_ASSIGN_OR_RETURN(auto directory, PublishedDirectory::Create(options.publish_under));
  auto state = std::make_shared<State>(std::move(options), registry, clock,
                                       std::shared_ptr<PublishedDirectory>(std::move(directory)));
  CDGATE_RETURN_IF_ERROR(state->Load());
  auto store = std::unique_ptr<IdentityStore>(new IdentityStore(state));
  store->watch_ = registry.Watch([weak = std::weak_ptr<State>(state)] {
    const auto locked = weak.lock();
    const absl::Status status = locked == nullptr ? absl::OkStatus() : locked->PublishRoots();
    if (!status.ok()) base::LogError(base::LogLevel::kError, "roots not published", status);
  });
  // What changed between the first publication and the watch.
  CDGATE_RETURN_IF_ERROR(state->PublishRoots());
  return store;
}

absl::Status IdentityStore::Reload() { return state_->Load(); }
bool IdentityStore::FilesChanged() const { return state_->FilesChanged(); }
std::shared_ptr<const IdentityInfo> IdentityStore::Current() const { return state_->Current(); }
std::shared_ptr<const Material> IdentityStore::CurrentMaterial() const {
  return state_->CurrentMaterial();
}
std::shared_ptr<CertificateProviderInterface> IdentityStore::provider() const {
  return state_->provider();
}
const std::string& IdentityStore::published_directory_for_test() const {
  return state_->directory()->path();
}
std::shared_ptr<const void> IdentityStore::published_files() const { return state_->directory(); }

}  // namespace cdgate::credentials
