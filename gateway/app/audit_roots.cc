#include "gateway/app/audit_roots.h"

#include <algorithm>
#include <vector>

#include "auth/crypto/certificate.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

// More than any domain has in the years that a log is kept; the oldest give way.
constexpr size_t kMostRoots = crypto::Certificate::kMaxCertificates;

}  // namespace

absl::Status KeepRoots(const std::string& path, absl::string_view bundle_pem) {
  std::vector<crypto::Certificate> roots;
  if (base::FileExists(path)) {
    CDGATE_ASSIGN_OR_RETURN(const std::string kept, base::ReadFile(path));
    CDGATE_ASSIGN_OR_RETURN(roots, crypto::Certificate::ParsePemChain(kept));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto bundle, crypto::Certificate::ParsePemChain(bundle_pem));
  const size_t before = roots.size();
  for (const crypto::Certificate& root : bundle) {
    const bool known = std::any_of(roots.begin(), roots.end(), [&](const auto& one) {
      return one.FingerprintSha256() == root.FingerprintSha256();
    });
    if (!known) roots.push_back(root);
  }
  if (roots.size() == before) return absl::OkStatus();
  if (roots.size() > kMostRoots) {
    roots.erase(roots.begin(), roots.end() - static_cast<ptrdiff_t>(kMostRoots));
  }
  return base::WriteFileAtomically(path, crypto::ToPem(roots), 0600);
}

}  // namespace cdgate::app
