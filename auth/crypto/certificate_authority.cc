#include "auth/crypto/certificate_authority.h"

#include <arpa/inet.h>
#include <openssl/rand.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::crypto {
namespace {

constexpr size_t kMaxNameBytes = 64;  // RFC 5280, ub-common-name and ub-organization-name
constexpr size_t kSerialBytes = 16;

absl::Status Invalid(absl::string_view what) {
  return base::MakeError(base::Reason::kInvalidArgument, what);
}

// The first `kMaxNameBytes` of `text`, not in the middle of a character.
std::string CutName(absl::string_view text) {
  if (text.size() <= kMaxNameBytes) return std::string(text);
  size_t cut = kMaxNameBytes;
  while (cut > 0 && (static_cast<uint8_t>(text[cut]) & 0xC0) == 0x80) --cut;
  return std::string(text.substr(0, cut));
}

void AddName(X509_NAME* name, const char* field, absl::string_view value) {
  const std::string cut = CutName(value);
  if (cut.empty()) return;
  CheckOpenSsl(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                          reinterpret_cast<const uint8_t*>(cut.data()),
                                          static_cast<int>(cut.size()), -1, 0) == 1,
               "X509_NAME_add_entry_by_txt");
}

NamePtr MakeName(absl::string_view organisation, absl::string_view common_name) {
  NamePtr name(X509_NAME_new());
  CheckOpenSsl(name != nullptr, "X509_NAME_new");
  AddName(name.get(), "O", organisation);
  AddName(name.get(), "CN", common_name);
  return name;
}

std::string RandomHex() {
  uint8_t bytes[4];
  CheckOpenSsl(RAND_bytes(bytes, sizeof bytes) == 1, "RAND_bytes");
  return base::HexEncode(absl::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
}

void SetRandomSerial(X509* x509) {
  uint8_t bytes[kSerialBytes];
  CheckOpenSsl(RAND_bytes(bytes, sizeof bytes) == 1, "RAND_bytes");
  const BignumPtr number(BN_bin2bn(bytes, sizeof bytes, nullptr));
  CheckOpenSsl(
      number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509)) != nullptr,
      "BN_to_ASN1_INTEGER");
}

void SetValidity(X509* x509, absl::Time from, absl::Time to) {
  CheckOpenSsl(X509_set1_notBefore(x509, ToAsn1Time(from).get()) == 1 &&
                   X509_set1_notAfter(x509, ToAsn1Time(to).get()) == 1,
               "X509_set1_notAfter");
}

// `value` is one of our constants, never a text from outside: this is OpenSSL's
// configuration language.
void AddExtension(X509* x509, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_nconf_nid(nullptr, &context, nid, value));
  CheckOpenSsl(extension != nullptr && X509_add_ext(x509, extension.get(), -1) == 1,
               "X509_add_ext");
}

void AddTextName(GENERAL_NAMES* names, int type, absl::string_view text) {
  GeneralNamePtr name(GENERAL_NAME_new());
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  CheckOpenSsl(name != nullptr && value != nullptr &&
                   ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1,
               "ASN1_STRING_set");
  GENERAL_NAME_set0_value(name.get(), type, value);
  CheckOpenSsl(sk_GENERAL_NAME_push(names, name.release()) > 0, "sk_GENERAL_NAME_push");
}

absl::Status AddAddress(GENERAL_NAMES* names, const std::string& address) {
  uint8_t bytes[16];
  int size = 4;
  if (inet_pton(AF_INET, address.c_str(), bytes) != 1) {
    size = 16;
    if (inet_pton(AF_INET6, address.c_str(), bytes) != 1) {
      return Invalid(absl::StrCat("\"", base::Shorten(address), "\" is not an IP address"));
    }
  }
  GeneralNamePtr name(GENERAL_NAME_new());
  ASN1_OCTET_STRING* value = ASN1_OCTET_STRING_new();
  CheckOpenSsl(
      name != nullptr && value != nullptr && ASN1_OCTET_STRING_set(value, bytes, size) == 1,
      "ASN1_OCTET_STRING_set");
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, value);
  CheckOpenSsl(sk_GENERAL_NAME_push(names, name.release()) > 0, "sk_GENERAL_NAME_push");
  return absl::OkStatus();
}

absl::Status AddAlternativeNames(X509* x509, const LeafRequest& request) {
  const GeneralNamesPtr names(GENERAL_NAMES_new());
  CheckOpenSsl(names != nullptr, "GENERAL_NAMES_new");
  for (const std::string& uri : request.uri_names) AddTextName(names.get(), GEN_URI, uri);
  for (const std::string& dns : request.dns_names) AddTextName(names.get(), GEN_DNS, dns);
  for (const std::string& ip : request.ip_names) {
    CDGATE_RETURN_IF_ERROR(AddAddress(names.get(), ip));
  }
  if (sk_GENERAL_NAME_num(names.get()) == 0) return absl::OkStatus();
  // RFC 5280, 4.2.1.6: critical where the subject is empty.
  const int critical = X509_NAME_entry_count(X509_get_subject_name(x509)) == 0 ? 1 : 0;
  CheckOpenSsl(
      X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(), critical, X509V3_ADD_DEFAULT) == 1,
      "X509_add1_ext_i2d");
  return absl::OkStatus();
}

// Ed25519 hashes by itself.
const EVP_MD* DigestFor(const PrivateKey& key) {
  return EVP_PKEY_is_a(key.handle(), "ED25519") == 1 ? nullptr : EVP_sha256();
}

std::shared_ptr<X509> NewCertificate(const PrivateKey& key, const X509_NAME* subject) {
  std::shared_ptr<X509> x509(X509_new(), X509_free);
  CheckOpenSsl(x509 != nullptr && X509_set_version(x509.get(), X509_VERSION_3) == 1 &&
                   X509_set_subject_name(x509.get(), subject) == 1 &&
                   X509_set_pubkey(x509.get(), key.handle()) == 1,
               "X509_new");
  SetRandomSerial(x509.get());
  return x509;
}

void SignCertificate(X509* x509, X509* issuer, const PrivateKey& issuer_key) {
  AddExtension(x509, issuer, NID_subject_key_identifier, "hash");
  AddExtension(x509, issuer, NID_authority_key_identifier, "keyid:always");
  CheckOpenSsl(X509_sign(x509, issuer_key.handle(), DigestFor(issuer_key)) > 0, "X509_sign");
}

absl::Status CheckValidity(absl::Duration validity) {
  if (validity >= absl::Seconds(1)) return absl::OkStatus();
  return Invalid("a certificate is valid for at least a second");
}

// Its own certificate before those above it.
absl::StatusOr<std::string> ChainPem(const X509* x509, const std::vector<Certificate>& issuers) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CheckOpenSsl(bio != nullptr && PEM_write_bio_X509(bio.get(), x509) == 1, "PEM_write_bio_X509");
  std::string out = Contents(bio.get());
  for (const Certificate& issuer : issuers) {
    if (!issuer.is_self_signed()) absl::StrAppend(&out, issuer.ToPem());
  }
  return out;
}

// Without the extension a certificate is for any use, TLS among them. What signs statements is
// for the signing of documents (RFC 9336).
const char* ExtendedKeyUsage(LeafUse use) {
  return use == LeafUse::kTls ? "serverAuth,clientAuth" : "1.3.6.1.5.5.7.3.36";
}

void AddCaExtensions(X509* x509, X509* issuer, absl::string_view domain,
                     const char* basic_constraints) {
  AddExtension(x509, issuer, NID_basic_constraints, basic_constraints);
  AddExtension(x509, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  const GeneralNamesPtr names(GENERAL_NAMES_new());
  CheckOpenSsl(names != nullptr, "GENERAL_NAMES_new");
  AddTextName(names.get(), GEN_URI, absl::StrCat("spiffe://", domain));
  CheckOpenSsl(
      X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1,
      "X509_add1_ext_i2d");
}

void AddSubtrees(NAME_CONSTRAINTS* constraints, int type, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const GeneralNamesPtr one(GENERAL_NAMES_new());
    GENERAL_SUBTREE* subtree = GENERAL_SUBTREE_new();
    CheckOpenSsl(one != nullptr && subtree != nullptr, "GENERAL_SUBTREE_new");
    AddTextName(one.get(), type, name);
    GENERAL_NAME_free(subtree->base);
    subtree->base = sk_GENERAL_NAME_pop(one.get());
    CheckOpenSsl(sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree) > 0,
                 "sk_GENERAL_SUBTREE_push");
  }
}

void AddNameConstraints(X509* x509, const NameConstraints& permitted) {
  if (permitted.empty()) return;
  const NameConstraintsPtr constraints(NAME_CONSTRAINTS_new());
  CheckOpenSsl(constraints != nullptr, "NAME_CONSTRAINTS_new");
  constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
  CheckOpenSsl(constraints->permittedSubtrees != nullptr, "sk_GENERAL_SUBTREE_new_null");
  AddSubtrees(constraints.get(), GEN_URI, permitted.uri_hosts);
  AddSubtrees(constraints.get(), GEN_DNS, permitted.dns_suffixes);
  CheckOpenSsl(
      X509_add1_ext_i2d(x509, NID_name_constraints, constraints.get(), 1, X509V3_ADD_DEFAULT) == 1,
      "X509_add1_ext_i2d");
}

BignumPtr SerialFromHex(const std::string& hex) {
  BIGNUM* number = nullptr;
  const int digits = BN_hex2bn(&number, hex.c_str());
  BignumPtr owned(number);
  if (digits == 0 || static_cast<size_t>(digits) != hex.size()) return nullptr;
  return owned;
}

// RFC 5280, 5.3.1: an unspecified reason is left out.
bool AddReason(X509_REVOKED* revoked, RevocationReason reason) {
  if (reason == RevocationReason::kUnspecified) return true;
  const std::unique_ptr<ASN1_ENUMERATED, FreeWith<ASN1_ENUMERATED_free>> value(
      ASN1_ENUMERATED_new());
  return value != nullptr && ASN1_ENUMERATED_set(value.get(), static_cast<long>(reason)) == 1 &&
         X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, value.get(), 0, X509V3_ADD_DEFAULT) ==
             1;
}

absl::Status AddRevoked(X509_CRL* crl, const RevocationList::Entry& entry) {
  const BignumPtr number = SerialFromHex(entry.serial);
  if (number == nullptr) {
    return Invalid(absl::StrCat("\"", base::Shorten(entry.serial), "\" is not a serial number"));
  }
  const Asn1IntegerPtr serial(BN_to_ASN1_INTEGER(number.get(), nullptr));
  RevokedPtr revoked(X509_REVOKED_new());
  CheckOpenSsl(
      serial != nullptr && revoked != nullptr &&
          X509_REVOKED_set_serialNumber(revoked.get(), serial.get()) == 1 &&
          X509_REVOKED_set_revocationDate(revoked.get(), ToAsn1Time(entry.revoked).get()) == 1 &&
          AddReason(revoked.get(), entry.reason) &&
          X509_CRL_add0_revoked(crl, revoked.release()) == 1,
      "X509_CRL_add0_revoked");
  return absl::OkStatus();
}

void AddCrlExtensions(X509_CRL* crl, X509* issuer, uint64_t number) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, crl, 0);
  const ExtensionPtr key_id(
      X509V3_EXT_nconf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  const Asn1IntegerPtr value(ASN1_INTEGER_new());
  CheckOpenSsl(
      key_id != nullptr && X509_CRL_add_ext(crl, key_id.get(), -1) == 1 && value != nullptr &&
          ASN1_INTEGER_set_uint64(value.get(), number) == 1 &&
          X509_CRL_add1_ext_i2d(crl, NID_crl_number, value.get(), 0, X509V3_ADD_DEFAULT) == 1,
      "X509_CRL_add1_ext_i2d");
}

}  // namespace

absl::StatusOr<IssuedCertificate> CertificateAuthority::InitRoot(absl::string_view domain,
                                                                 const RootOptions& options,
                                                                 absl::Time now) {
  const ErrorScope errors;
  CDGATE_RETURN_IF_ERROR(CheckValidity(options.validity));
  CDGATE_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::Generate(options.key_type));
  const NamePtr name =
      MakeName(domain, options.label.empty() ? "root CA" : absl::StrCat("root CA ", options.label));
  const std::shared_ptr<X509> root = NewCertificate(key, name.get());
  CheckOpenSsl(X509_set_issuer_name(root.get(), name.get()) == 1, "X509_set_issuer_name");
  SetValidity(root.get(), now - kBackdated, now + options.validity);
  AddCaExtensions(root.get(), root.get(), domain, "critical,CA:TRUE");
  AddNameConstraints(root.get(), options.permitted);
  SignCertificate(root.get(), root.get(), key);
  CDGATE_ASSIGN_OR_RETURN(std::string pem, ChainPem(root.get(), {}));
  return IssuedCertificate{std::move(pem), key.ToPem()};
}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Load(absl::string_view certificate_pem,
                                                                absl::string_view key_pem,
                                                                const Passphrase& passphrase) {
  CDGATE_ASSIGN_OR_RETURN(std::vector<Certificate> chain,
                          Certificate::ParsePemChain(certificate_pem));
  CDGATE_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(key_pem, passphrase));
  if (!chain.front().is_ca() || !chain.front().may_sign_certificates()) {
    return base::MakeError(
        base::Reason::kCredentialsInvalid,
        absl::StrCat("certificate ", base::Shorten(chain.front().subject()), " is not a CA's"));
  }
  if (!chain.front().MatchesKey(key)) {
    return base::MakeError(base::Reason::kCredentialsInvalid,
                           absl::StrCat("the key is not that of certificate ",
                                        base::Shorten(chain.front().subject())));
  }
  return CertificateAuthority(std::move(chain), std::move(key));
}

absl::StatusOr<IssuedCertificate> CertificateAuthority::IssueIntermediate(
    absl::string_view domain, const RootOptions& options, absl::Time now) const {
  const ErrorScope errors;
  CDGATE_RETURN_IF_ERROR(CheckValidity(options.validity));
  CDGATE_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::Generate(options.key_type));
  if (X509_get_pathlen(certificate().handle()) == 0) {
    return Invalid(
        absl::StrCat("the CA ", base::Shorten(certificate().subject()), " may issue leaves only"));
  }
  // A name of its own: a CA named like its issuer is "self-issued", and those do not count
  // against a path length.
  const NamePtr name = MakeName(domain, absl::StrCat("issuing CA ", RandomHex()));
  const std::shared_ptr<X509> x509 = NewCertificate(key, name.get());
  X509* const issuer = certificate().handle();
  CheckOpenSsl(X509_set_issuer_name(x509.get(), X509_get_subject_name(issuer)) == 1,
               "X509_set_issuer_name");
  SetValidity(x509.get(), now - kBackdated,
              std::min(now + options.validity, certificate().not_after()));
  AddCaExtensions(x509.get(), issuer, domain, "critical,CA:TRUE,pathlen:0");
  AddNameConstraints(x509.get(), options.permitted);
  SignCertificate(x509.get(), issuer, key_);
  CDGATE_ASSIGN_OR_RETURN(std::string pem, ChainPem(x509.get(), chain_));
  return IssuedCertificate{std::move(pem), key.ToPem()};
}

absl::StatusOr<IssuedCertificate> CertificateAuthority::Issue(const LeafRequest& request,
                                                              absl::Time now) const {
  const ErrorScope errors;
  CDGATE_RETURN_IF_ERROR(CheckValidity(request.validity));
  CDGATE_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::Generate(request.key_type));
  const NamePtr name = MakeName("", request.common_name);
  const std::shared_ptr<X509> leaf = NewCertificate(key, name.get());
  X509* const issuer = certificate().handle();
  CheckOpenSsl(X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer)) == 1,
               "X509_set_issuer_name");
  SetValidity(leaf.get(), now - kBackdated,
              std::min(now + request.validity, certificate().not_after()));
  AddExtension(leaf.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(leaf.get(), issuer, NID_key_usage, "critical,digitalSignature");
  AddExtension(leaf.get(), issuer, NID_ext_key_usage, ExtendedKeyUsage(request.use));
  CDGATE_RETURN_IF_ERROR(AddAlternativeNames(leaf.get(), request));
  SignCertificate(leaf.get(), issuer, key_);
  CDGATE_ASSIGN_OR_RETURN(std::string pem, ChainPem(leaf.get(), chain_));
  return IssuedCertificate{std::move(pem), key.ToPem()};
}

absl::StatusOr<std::string> CertificateAuthority::IssueCrl(
    const std::vector<RevocationList::Entry>& entries, uint64_t number, absl::Duration validity,
    absl::Time now) const {
  const ErrorScope errors;
  CDGATE_RETURN_IF_ERROR(CheckValidity(validity));
  const CrlPtr crl(X509_CRL_new());
  X509* const issuer = certificate().handle();
  CheckOpenSsl(crl != nullptr && X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) == 1 &&
                   X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer)) == 1 &&
                   X509_CRL_set1_lastUpdate(crl.get(), ToAsn1Time(now - kBackdated).get()) == 1 &&
                   X509_CRL_set1_nextUpdate(crl.get(), ToAsn1Time(now + validity).get()) == 1,
               "X509_CRL_new");
  for (const RevocationList::Entry& entry : entries) {
    CDGATE_RETURN_IF_ERROR(AddRevoked(crl.get(), entry));
  }
  AddCrlExtensions(crl.get(), issuer, number);
  X509_CRL_sort(crl.get());
  CheckOpenSsl(X509_CRL_sign(crl.get(), key_.handle(), DigestFor(key_)) > 0, "X509_CRL_sign");
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CheckOpenSsl(bio != nullptr && PEM_write_bio_X509_CRL(bio.get(), crl.get()) == 1,
               "PEM_write_bio_X509_CRL");
  return Contents(bio.get());
}

}  // namespace cdgate::crypto
