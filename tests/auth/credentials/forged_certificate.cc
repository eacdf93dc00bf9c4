#include "tests/auth/credentials/forged_certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"

namespace cdgate::credentials {
namespace {

void Check(bool ok) {
  if (!ok) std::abort();  // in a test's preparation
}

EVP_PKEY* NewKey(absl::string_view kind) {
  if (kind == "P-256" || kind == "P-224") return EVP_EC_gen(std::string(kind).c_str());
  if (kind == "Ed25519") return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  unsigned bits = 0;
  Check(absl::ConsumePrefix(&kind, "RSA ") && absl::SimpleAtoi(kind, &bits));
  return EVP_RSA_gen(bits);
}

void Extend(X509* leaf, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, leaf, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str());
  Check(extension != nullptr && X509_add_ext(leaf, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void ExtendUnknown(X509* leaf) {
  ASN1_OBJECT* object = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
  ASN1_OCTET_STRING* bytes = ASN1_OCTET_STRING_new();
  Check(ASN1_OCTET_STRING_set(bytes, reinterpret_cast<const uint8_t*>("\x05\x00"), 2) == 1);
  X509_EXTENSION* extension = X509_EXTENSION_create_by_OBJ(nullptr, object, 1, bytes);
  Check(X509_add_ext(leaf, extension, -1) == 1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(bytes);
  ASN1_OBJECT_free(object);
}

std::string UriNames(const std::vector<std::string>& names) {
  return absl::StrJoin(names, ",", [](std::string* out, const std::string& name) {
    absl::StrAppend(out, "URI:", name);
  });
}

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<size_t>(size));
  BIO_free(bio);
  return out;
}

}  // namespace

crypto::IssuedCertificate Forge(const Shape& shape, const std::string& issuer_chain_pem,
                                const std::string& issuer_key_pem) {
  const auto chain = crypto::Certificate::ParsePemChain(issuer_chain_pem).value();
  const auto issuer_key = crypto::PrivateKey::FromPem(issuer_key_pem).value();
  EVP_PKEY* key = NewKey(shape.key);
  X509* leaf = X509_new();
  Check(key != nullptr && leaf != nullptr && X509_set_version(leaf, X509_VERSION_3) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(leaf), 4711);
  X509_gmtime_adj(X509_getm_notBefore(leaf), absl::ToInt64Seconds(shape.from));
  X509_gmtime_adj(X509_getm_notAfter(leaf), absl::ToInt64Seconds(shape.until));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN", MBSTRING_ASC,
                             reinterpret_cast<const uint8_t*>("forged"), -1, -1, 0);
  X509* issuer = shape.self_signed ? leaf : chain.front().handle();
  Check(X509_set_issuer_name(leaf, X509_get_subject_name(issuer)) == 1 &&
        X509_set_pubkey(leaf, key) == 1);
  Extend(leaf, issuer, NID_basic_constraints, shape.basic_constraints);
  Extend(leaf, issuer, NID_key_usage, shape.key_usage);
  Extend(leaf, issuer, NID_ext_key_usage, shape.extended_key_usage);
  Extend(leaf, issuer, NID_subject_alt_name, UriNames(shape.uri_names));
  Extend(leaf, issuer, NID_subject_key_identifier, "hash");
  Extend(leaf, issuer, NID_authority_key_identifier, "keyid");
  if (shape.unknown_critical) ExtendUnknown(leaf);
  Check(X509_sign(leaf, shape.self_signed ? key : issuer_key.handle(),
                  EVP_get_digestbyname(shape.digest.c_str())) > 0);
  BIO* certificate = BIO_new(BIO_s_mem());
  BIO* private_key = BIO_new(BIO_s_mem());
  Check(PEM_write_bio_X509(certificate, leaf) == 1 &&
        PEM_write_bio_PKCS8PrivateKey(private_key, key, nullptr, nullptr, 0, nullptr, nullptr) ==
            1);
  crypto::IssuedCertificate out{Text(certificate), Text(private_key)};
  if (shape.with_issuers) {
    for (const auto& above : chain) {
      if (!above.is_self_signed()) absl::StrAppend(&out.certificate_pem, above.ToPem());
    }
  }
  X509_free(leaf);
  EVP_PKEY_free(key);
  return out;
}

}  // namespace cdgate::credentials
