// Where a renewed certificate comes from: the domain's own CA, or a program.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"
#include "gateway/base/child_process.h"
#include "gateway/base/clock.h"

namespace cdgate::app {

// Thread-safe.
class RenewalSource {
 public:
  virtual ~RenewalSource() = default;

  // (blocks) Puts tls.crt, tls.key and, where it has one, bundle.pem into `folder`, which is
  // empty and ours alone; or replaces the files in use itself and leaves it empty. The key is
  // encrypted as the one before. Nothing is verified.
  virtual absl::Status Renew(const std::string& folder) = 0;
  // A Renew() under way, and any later one, ends soon.
  virtual void Cancel() = 0;
};

// The folder of a CA on this machine (auth/ca), with the key that issues. The certificate has
// the names of the one in use. `validity` zero: its lifetime, too.
std::unique_ptr<RenewalSource> RenewFromCa(std::string ca_folder, std::string ca_passphrase_file,
                                           absl::Duration validity,
                                           credentials::IdentityOptions in_use,
                                           const base::Clock& clock);

// A program of an outside PKI. Its environment is PATH, CDGATE_RENEWAL_DIR, the folder to write to,
// and what is in use: CDGATE_SPIFFE_ID, CDGATE_CERTIFICATE, CDGATE_KEY, CDGATE_BUNDLE and, for
// an encrypted key, CDGATE_KEY_PASSPHRASE_FILE. Where it fails, the error has the end of what
// it wrote.
std::unique_ptr<RenewalSource> RenewByProgram(std::vector<std::string> argv, absl::Duration timeout,
                                              credentials::IdentityOptions in_use);

}  // namespace cdgate::app
