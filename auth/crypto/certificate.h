// X.509 certificates, read.
//
//   CDGATE_ASSIGN_OR_RETURN(auto chain, crypto::Certificate::ParsePemChain(pem));
//   for (const std::string& uri : chain.front().uri_names()) ...
//
// What an object holds was parsed, not verified: see verify.h.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/private_key.h"

struct x509_st;

namespace cdgate::crypto {

// Immutable; copies share the certificate. Thread-safe.
class Certificate {
 public:
  // No chain or bundle has more certificates than this; longer ones are malformed.
  static constexpr size_t kMaxCertificates = 64;

  // The first certificate in `pem`. CERTIFICATE_MALFORMED where there is none.
  static absl::StatusOr<Certificate> FromPem(absl::string_view pem);

  // All certificates in `pem`, in order: at least one, at most kMaxCertificates. Text
  // between them is skipped; a block that does not parse makes the whole malformed, so
  // that a damaged bundle is never taken for a shorter one. Reason CERTIFICATE_MALFORMED.
  static absl::StatusOr<std::vector<Certificate>> ParsePemChain(absl::string_view pem);

  // Exactly one certificate and nothing after it. CERTIFICATE_MALFORMED otherwise.
  static absl::StatusOr<Certificate> FromDer(absl::string_view der);

  std::string ToPem() const;
  std::string ToDer() const;

  // Of the DER form, 32 bytes.
  std::string FingerprintSha256() const;

  absl::Time not_before() const;
  absl::Time not_after() const;
  // Lower-case hex, without leading zeros beyond whole bytes: "5f03…".
  std::string serial() const;
  // RFC 2253: "CN=beta.example root CA,O=beta.example".
  std::string subject() const;
  std::string issuer() const;

  // Subject alternative names by kind, in order. IP addresses in their text form. A name
  // with a NUL byte inside is returned with it, and matches nothing.
  const std::vector<std::string>& uri_names() const { return uri_names_; }
  const std::vector<std::string>& dns_names() const { return dns_names_; }
  const std::vector<std::string>& ip_names() const { return ip_names_; }

  // basicConstraints CA:TRUE.
  bool is_ca() const;
  // keyUsage allows signing certificates (or CRLs); also where the extension is absent.
  bool may_sign_certificates() const;
  bool may_sign_crls() const;
  // True where keyUsage allows digitalSignature; also where the extension is absent.
  bool may_sign_data() const;
  // True where keyUsage is present.
  bool has_key_usage() const;
  // extendedKeyUsage allows one of the ends of TLS, or any use; also where it is absent.
  bool may_be_used_for_tls() const;
  // "P-256", "Ed25519", "RSA 2048": of the public key, for people.
  std::string key_description() const;
  // Issuer and subject are equal and the signature is its own.
  bool is_self_signed() const;

  // `issuer` names and signed it. Nothing else of either is looked at.
  bool IsIssuedBy(const Certificate& issuer) const;

  // False where its name constraints, of which other kinds than URI do not matter here, let
  // nothing below it name a URI whose host is `host`.
  bool PermitsUriHost(absl::string_view host) const;

  // True where `key` is the private half of this certificate's public key.
  bool MatchesKey(const PrivateKey& key) const;

  // For the .cc files of this library.
  x509_st* handle() const { return x509_.get(); }

 private:
  explicit Certificate(std::shared_ptr<x509_st> x509) : x509_(std::move(x509)) {}
  static absl::StatusOr<Certificate> FromHandle(std::shared_ptr<x509_st> x509);

  std::shared_ptr<x509_st> x509_;
  std::vector<std::string> uri_names_;
  std::vector<std::string> dns_names_;
  std::vector<std::string> ip_names_;
};

// The concatenated PEM of `certificates`.
std::string ToPem(const std::vector<Certificate>& certificates);

}  // namespace cdgate::crypto
