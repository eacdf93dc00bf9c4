// A small CA, for a domain that has none.
//
//   CDGATE_ASSIGN_OR_RETURN(auto root, CertificateAuthority::InitRoot("alpha.example", {}, now));
//   CDGATE_ASSIGN_OR_RETURN(auto ca, CertificateAuthority::Load(root.certificate_pem,
//                                                               root.key_pem));
//   CDGATE_ASSIGN_OR_RETURN(auto leaf, ca.Issue({.uri_names =
//   {"spiffe://alpha.example/gateway/gw1"},
//                                                .dns_names = {"gw1.alpha.example"}}, now));
//
// Everything issued is backdated by five minutes, so that a clock that is a little slow
// takes it. Times have whole seconds. What a name means is the caller's business: this
// library puts the texts it is given into the certificate (auth/trust checks them).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/revocation_list.h"

namespace cdgate::crypto {

// By how much everything issued is backdated.
inline constexpr absl::Duration kBackdated = absl::Minutes(5);

// What a CA may name (RFC 5280, 4.2.1.10), in a critical extension that every verifier of X.509
// keeps to, ours and others: a kind of names is bounded where its list has an entry, and free
// where it has none. A CA below is bounded by all above it.
struct NameConstraints {
  // Hosts of URI names, each exactly: "alpha.example" permits spiffe://alpha.example/…, and
  // nothing of sub.alpha.example.
  std::vector<std::string> uri_hosts;
  // DNS names that are these or below them: "alpha.example" permits gw.alpha.example.
  std::vector<std::string> dns_suffixes;

  bool empty() const { return uri_hosts.empty() && dns_suffixes.empty(); }
};

struct RootOptions {
  absl::Duration validity = absl::Hours(24) * 3653;  // ten years
  KeyType key_type = KeyType::kP256;
  NameConstraints permitted = {};  // empty: any name
  // Behind "root CA" in the subject, to tell a domain's roots apart; of roots only.
  std::string label = {};
};

// What a leaf is for.
enum class LeafUse {
  kTls,         // both ends of TLS
  kStatements,  // signs statements, and is refused in TLS by every verifier
};

struct LeafRequest {
  // Exactly these URI names, one for every proper leaf; tests make improper ones.
  std::vector<std::string> uri_names;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_names;  // text form, IPv4 or IPv6
  absl::Duration validity = absl::Hours(24) * 90;
  KeyType key_type = KeyType::kP256;
  // The subject's common name, for people; cut to 64 bytes.
  std::string common_name;
  LeafUse use = LeafUse::kTls;
};

struct IssuedCertificate {
  std::string certificate_pem;  // itself first, then its issuers but for the root
  std::string key_pem;          // PKCS#8
};

// Immutable; thread-safe.
class CertificateAuthority {
 public:
  // A self-signed root: URI name spiffe://`domain`, CA:TRUE, keyCertSign and cRLSign.
  static absl::StatusOr<IssuedCertificate> InitRoot(absl::string_view domain,
                                                    const RootOptions& options, absl::Time now);

  // `certificate_pem`: the issuing CA's certificate first, then those above it, if any.
  // CREDENTIALS_INVALID where it is not a CA or the key is not its.
  static absl::StatusOr<CertificateAuthority> Load(absl::string_view certificate_pem,
                                                   absl::string_view key_pem,
                                                   const Passphrase& passphrase = {});

  // A CA below this one, for domains that keep the root's key offline; path length 0.
  // INVALID_ARGUMENT where this CA is such a one itself.
  absl::StatusOr<IssuedCertificate> IssueIntermediate(absl::string_view domain,
                                                      const RootOptions& options,
                                                      absl::Time now) const;

  // A leaf with a new key and a random 128-bit serial. It never outlives this CA's own
  // certificate: its end is cut to that.
  // INVALID_ARGUMENT for a malformed IP address or an empty validity.
  absl::StatusOr<IssuedCertificate> Issue(const LeafRequest& request, absl::Time now) const;

  // A list of everything revoked so far. `number` must grow with each list.
  absl::StatusOr<std::string> IssueCrl(const std::vector<RevocationList::Entry>& entries,
                                       uint64_t number, absl::Duration validity,
                                       absl::Time now) const;

  const Certificate& certificate() const { return chain_.front(); }
  // Itself first, then what is above it, as Load() got it.
  const std::vector<Certificate>& chain() const { return chain_; }

 private:
  CertificateAuthority(std::vector<Certificate> chain, PrivateKey key)
      : chain_(std::move(chain)), key_(std::move(key)) {}

  std::vector<Certificate> chain_;  // ours first, then what is above it
  PrivateKey key_;
};

}  // namespace cdgate::crypto
