#include "auth/crypto/certificate.h"

#include <arpa/inet.h>

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::crypto {
namespace {

absl::Status Malformed(absl::string_view what) {
  return base::MakeError(base::Reason::kCertificateMalformed, what);
}

std::string TextOf(const ASN1_STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

// Empty for anything that is neither an IPv4 nor an IPv6 address.
std::string AddressText(const ASN1_OCTET_STRING* address) {
  const int size = ASN1_STRING_length(address);
  const int family = size == 4 ? AF_INET : AF_INET6;
  char text[INET6_ADDRSTRLEN] = "";
  if (size != 4 && size != 16) return "";
  inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof text);
  return text;
}

// The alternative names of `x509`; null where it has none. Malformed where they do not
// parse or the extension occurs twice.
absl::StatusOr<GeneralNamesPtr> AlternativeNames(const X509* x509) {
  int critical = 0;
  GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, nullptr)));
  if (names == nullptr && critical != -1) {
    return Malformed("the certificate's alternative names cannot be read");
  }
  return names;
}

// Whether one of the URI names among `subtrees` stands for `host` (RFC 5280, 4.2.1.10); nothing
// where there is none at all.
std::optional<bool> UriHostIn(const STACK_OF(GENERAL_SUBTREE) * subtrees, absl::string_view host) {
  std::optional<bool> found;
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); ++i) {
    const GENERAL_NAME* base = sk_GENERAL_SUBTREE_value(subtrees, i)->base;
    if (base->type != GEN_URI) continue;
    const std::string name = TextOf(base->d.uniformResourceIdentifier);
    const bool below = absl::StartsWith(name, ".");
    const bool stands_for =
        below ? absl::EndsWithIgnoreCase(host, name) : absl::EqualsIgnoreCase(host, name);
    found = found.value_or(false) || stands_for;
  }
  return found;
}

// True where the PEM reader stopped because nothing more was there.
bool AtEndOfPem() {
  const unsigned long code = ERR_peek_last_error();
  return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

}  // namespace

absl::StatusOr<Certificate> Certificate::FromHandle(std::shared_ptr<x509_st> x509) {
  // Also caches the extensions, so that later reads change nothing and are thread-safe.
  if (X509_check_purpose(x509.get(), -1, 0) != 1) {
    return Malformed("the certificate's extensions cannot be read");
  }
  CDGATE_ASSIGN_OR_RETURN(const GeneralNamesPtr names, AlternativeNames(x509.get()));
  Certificate certificate(std::move(x509));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) {
      certificate.uri_names_.push_back(TextOf(name->d.uniformResourceIdentifier));
    } else if (name->type == GEN_DNS) {
      certificate.dns_names_.push_back(TextOf(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
      certificate.ip_names_.push_back(AddressText(name->d.iPAddress));
    }
  }
  return certificate;
}

absl::StatusOr<Certificate> Certificate::FromPem(absl::string_view pem) {
  const ErrorScope errors;
  const BioPtr bio = ReadOnlyBio(pem);
  X509* x509 = bio == nullptr ? nullptr : PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr);
  if (x509 == nullptr) {
    return Malformed(absl::StrCat("no PEM certificate: ", TakeOpenSslError()));
  }
  return FromHandle(std::shared_ptr<x509_st>(x509, X509_free));
}

absl::StatusOr<std::vector<Certificate>> Certificate::ParsePemChain(absl::string_view pem) {
  const ErrorScope errors;
  const BioPtr bio = ReadOnlyBio(pem);
  if (bio == nullptr) return Malformed("the PEM text is too long");
  std::vector<Certificate> out;
  while (X509* x509 = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    std::shared_ptr<x509_st> owned(x509, X509_free);
    if (out.size() == kMaxCertificates) {
      return Malformed(absl::StrCat("more than ", kMaxCertificates, " certificates"));
    }
    CDGATE_ASSIGN_OR_RETURN(Certificate certificate, FromHandle(std::move(owned)));
    out.push_back(std::move(certificate));
  }
  if (!AtEndOfPem()) {
    return Malformed(absl::StrCat("certificate ", out.size() + 1,
                                  " of the PEM text cannot be read: ", TakeOpenSslError()));
  }
  if (out.empty()) return Malformed("no PEM certificate");
  return out;
}

absl::StatusOr<Certificate> Certificate::FromDer(absl::string_view der) {
  const ErrorScope errors;
  const auto* begin = reinterpret_cast<const uint8_t*>(der.data());
  const uint8_t* position = begin;
  std::shared_ptr<x509_st> x509(d2i_X509(nullptr, &position, static_cast<long>(der.size())),
                                X509_free);
  if (x509 == nullptr) {
    return Malformed(absl::StrCat("no DER certificate: ", TakeOpenSslError()));
  }
  if (position != begin + der.size()) return Malformed("bytes after the DER certificate");
  return FromHandle(std::move(x509));
}

std::string Certificate::ToPem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CheckOpenSsl(bio != nullptr && PEM_write_bio_X509(bio.get(), x509_.get()) == 1,
               "PEM_write_bio_X509");
  return Contents(bio.get());
}

std::string Certificate::ToDer() const {
  uint8_t* der = nullptr;
  const int size = i2d_X509(x509_.get(), &der);
  CheckOpenSsl(size > 0, "i2d_X509");
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string Certificate::FingerprintSha256() const { return Sha256(ToDer()); }

absl::Time Certificate::not_before() const { return ToAbslTime(X509_get0_notBefore(x509_.get())); }
absl::Time Certificate::not_after() const { return ToAbslTime(X509_get0_notAfter(x509_.get())); }
std::string Certificate::serial() const { return SerialHex(X509_get0_serialNumber(x509_.get())); }
std::string Certificate::subject() const { return NameText(X509_get_subject_name(x509_.get())); }
std::string Certificate::issuer() const { return NameText(X509_get_issuer_name(x509_.get())); }

bool Certificate::is_ca() const { return (X509_get_extension_flags(x509_.get()) & EXFLAG_CA) != 0; }
bool Certificate::has_key_usage() const {
  return (X509_get_extension_flags(x509_.get()) & EXFLAG_KUSAGE) != 0;
}
bool Certificate::may_sign_certificates() const {
  return (X509_get_key_usage(x509_.get()) & KU_KEY_CERT_SIGN) != 0;
}
bool Certificate::may_sign_crls() const {
  return (X509_get_key_usage(x509_.get()) & KU_CRL_SIGN) != 0;
}
bool Certificate::may_sign_data() const {
  return (X509_get_key_usage(x509_.get()) & KU_DIGITAL_SIGNATURE) != 0;
}

bool Certificate::may_be_used_for_tls() const {
  // All bits where the extension is absent.
  return (X509_get_extended_key_usage(x509_.get()) &
          (XKU_SSL_SERVER | XKU_SSL_CLIENT | XKU_ANYEKU | XKU_SGC)) != 0;
}

std::string Certificate::key_description() const {
  const ErrorScope errors;
  return KeyDescription(X509_get0_pubkey(x509_.get()));
}

bool Certificate::is_self_signed() const {
  const ErrorScope errors;
  return X509_self_signed(x509_.get(), 1) == 1;
}

bool Certificate::IsIssuedBy(const Certificate& issuer) const {
  const ErrorScope errors;
  return X509_check_issued(issuer.handle(), x509_.get()) == X509_V_OK &&
         X509_verify(x509_.get(), X509_get0_pubkey(issuer.handle())) == 1;
}

bool Certificate::PermitsUriHost(absl::string_view host) const {
  const ErrorScope errors;
  const NameConstraintsPtr constraints(static_cast<NAME_CONSTRAINTS*>(
      X509_get_ext_d2i(x509_.get(), NID_name_constraints, nullptr, nullptr)));
  if (constraints == nullptr) return true;
  if (UriHostIn(constraints->excludedSubtrees, host).value_or(false)) return false;
  return UriHostIn(constraints->permittedSubtrees, host).value_or(true);
}

bool Certificate::MatchesKey(const PrivateKey& key) const {
  const ErrorScope errors;
  return X509_check_private_key(x509_.get(), key.handle()) == 1;
}

std::string ToPem(const std::vector<Certificate>& certificates) {
  std::string out;
  for (const Certificate& certificate : certificates) absl::StrAppend(&out, certificate.ToPem());
  return out;
}

}  // namespace cdgate::crypto
