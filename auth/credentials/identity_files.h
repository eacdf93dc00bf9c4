// Reads an identity from its files and checks that the parts fit together.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"

namespace cdgate::credentials {

// A whole identity, checked: fit to be published.
struct Material {
  IdentityInfo info;
  std::string chain_pem;  // leaf first
  std::string key_pem;
  std::vector<std::string> crl_pems;
};

// Errors as IdentityStore::Create describes them. Thread-safe.
absl::StatusOr<Material> LoadMaterial(const IdentityOptions& options, absl::Time now);

// The revocation lists alone. FILE_UNREADABLE.
absl::StatusOr<std::vector<std::string>> LoadLists(const IdentityOptions& options);

// (blocks) A bundle as PEM, from a file in either form. FILE_UNREADABLE, or CREDENTIALS_INVALID
// naming it where it is a SPIFFE bundle document that does not parse.
absl::StatusOr<std::string> ReadBundle(const std::string& path);

// What tells one version of the files from another without reading them: device, inode,
// size and time of each. A file that is missing counts as one more version.
std::string FilesVersion(const IdentityOptions& options);

}  // namespace cdgate::credentials
