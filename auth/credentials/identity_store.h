// Our own certificate, key and bundle: read from files, checked, and only then put
// where gRPC picks them up. A pair that does not fit would stop every handshake without a
// word, so a bad one is refused here and the last good one stays in use.
//
//   CDGATE_ASSIGN_OR_RETURN(auto identity, IdentityStore::Create({
//       .certificate_path = "/etc/cdgate/tls.crt", .key_path = "/etc/cdgate/tls.key",
//       .bundle_path = "/etc/cdgate/bundle.pem"}, registry, base::SystemClock()));
//   ...on SIGHUP, or when the files changed:
//   absl::Status status = identity->Reload();
//
// Published files live in a directory of our own (mode 0700, in memory where the machine
// has such a place), removed with the last credentials that were made from it: tls.crt, tls.key and
// roots.pem, replaced together. gRPC looks when credentials are first made, and
// then once a second: what is to be trusted from the start is in the registry before that.
// roots.pem is the union of all bundles of the TrustRegistry, the TLS library's own check in front
// of our verifier, and follows the registry by itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/clock.h"

namespace grpc::experimental {
class CertificateProviderInterface;
}

namespace cdgate::credentials {

struct Material;  // identity_files.h

// What an identity is for: to connect, or to sign statements (attestor.h).
enum class IdentityUse { kConnections, kStatements };

struct IdentityOptions {
  std::string certificate_path;        // PEM chain, leaf first
  std::string key_path;                // PEM PKCS#8; readable by the owner only
  std::string key_passphrase_path;     // of an encrypted key; empty: it is not encrypted
  std::string bundle_path;             // roots of our own domain: PEM, or a SPIFFE bundle document
  std::vector<std::string> crl_paths;  // PEM lists of our own CAs; none: not checked
  // How long past their validity the lists are good; as the registry has it.
  absl::Duration crl_grace = absl::ZeroDuration();
  // The SPIFFE ID that the certificate must have; empty: any proper one.
  std::string expected_id;
  // The trust domain that it must be of; empty: any.
  std::string expected_domain = {};
  IdentityUse use = IdentityUse::kConnections;
  // Where the published directory is made; empty: $RUNTIME_DIRECTORY, /dev/shm or $TMPDIR.
  std::string publish_under;
};

// What is in use.
struct IdentityInfo {
  std::string id;      // SPIFFE ID
  std::string domain;  // its trust domain: ours
  std::string serial;  // lower-case hex
  absl::Time not_before;
  absl::Time not_after;
  std::string leaf_pem;
  std::string bundle_pem;     // of our own domain, as PEM whatever form was read
  std::string bundle_digest;  // trust::BundleDigest
};

// Thread-safe.
class IdentityStore {
 public:
  // Loads and publishes; also puts our own bundle and lists into `registry`, under our own
  // domain. FILE_UNREADABLE, FILE_UNWRITABLE, or CREDENTIALS_INVALID naming the file and what
  // is wrong: key and certificate do not match, the chain does not verify against the
  // bundle, expired, not exactly one SPIFFE ID, another SPIFFE ID than expected, a key that every
  // user of the machine can read. `registry` and `clock` must outlive the store.
  static absl::StatusOr<std::unique_ptr<IdentityStore>> Create(IdentityOptions options,
                                                               trust::TrustRegistry& registry,
                                                               const base::Clock& clock);
  ~IdentityStore();
  IdentityStore(const IdentityStore&) = delete;
  IdentityStore& operator=(const IdentityStore&) = delete;

  // Reads the files again. On an error the last good identity stays in use, and its bundle; new
  // revocation lists that parse are taken nevertheless, as they say of others too (also
  // where it is our own certificate that they revoke). Errors as Create, and CREDENTIALS_INVALID
  // where the domain is another than before. New handshakes see a new identity within about a
  // second; live connections keep what they have. A second call at the same time waits for the
  // first.
  absl::Status Reload();

  // True where one of the files was modified since the last Reload() that read them.
  bool FilesChanged() const;

  std::shared_ptr<const IdentityInfo> Current() const;
  // The same with chain and key, for listeners that are not gRPC's. Another object exactly
  // where another identity is in use.
  std::shared_ptr<const Material> CurrentMaterial() const;

  // For credentials.cc. The provider may outlive the store and then keeps the last material;
  // whoever keeps it also keeps the published files, which it goes on reading.
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider() const;
  std::shared_ptr<const void> published_files() const;

  // The published directory, for tests.
  const std::string& published_directory_for_test() const;

 private:
  class State;
  explicit IdentityStore(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
  trust::TrustRegistry::WatchHandle watch_;
};

}  // namespace cdgate::credentials
