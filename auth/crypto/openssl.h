// Ownership of OpenSSL objects and the texts of its errors. For the .cc files of this
// library only: no other header includes it, and nothing else sees OpenSSL.
#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::crypto {

template <auto kFree>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

struct FreeExtensions {
  void operator()(STACK_OF(X509_EXTENSION) * stack) const {
    sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
  }
};
// The elements belong to somebody else.
struct FreeCertificateStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};

using AuthorityKeyIdPtr = std::unique_ptr<AUTHORITY_KEYID, FreeWith<AUTHORITY_KEYID_free>>;
using Asn1IntegerPtr = std::unique_ptr<ASN1_INTEGER, FreeWith<ASN1_INTEGER_free>>;
using Asn1TimePtr = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using CertificateStackPtr = std::unique_ptr<STACK_OF(X509), FreeCertificateStack>;
using CipherPtr = std::unique_ptr<EVP_CIPHER, FreeWith<EVP_CIPHER_free>>;
using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using ConfPtr = std::unique_ptr<CONF, FreeWith<NCONF_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;
using GeneralNamePtr = std::unique_ptr<GENERAL_NAME, FreeWith<GENERAL_NAME_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using NameConstraintsPtr = std::unique_ptr<NAME_CONSTRAINTS, FreeWith<NAME_CONSTRAINTS_free>>;
using NamePtr = std::unique_ptr<X509_NAME, FreeWith<X509_NAME_free>>;
using RevokedPtr = std::unique_ptr<X509_REVOKED, FreeWith<X509_REVOKED_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;

// The library failed where no input can make it fail (no memory, a missing algorithm): to
// go on would give out a wrong digest or an unsealed secret.
inline void CheckOpenSsl(bool ok, const char* what) {
  if (ok) return;
  ERR_print_errors_fp(stderr);
  std::fprintf(stderr, "cdgate: OpenSSL failed in %s\n", what);
  std::abort();
}

// The oldest queued error of this thread, "no start line"; empties the queue.
std::string TakeOpenSslError();

// Clears the error queue at the end of a scope, so that errors we have dealt with do not
// surface in somebody else's call (gRPC reads the same queue).
class ErrorScope {
 public:
  ErrorScope() { ERR_clear_error(); }
  ~ErrorScope() { ERR_clear_error(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
};

// Reads from `bytes`, which must outlive the result. Null where it is too long for OpenSSL.
inline BioPtr ReadOnlyBio(absl::string_view bytes) {
  if (bytes.size() > INT_MAX) return nullptr;
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// What was written to a BIO_s_mem.
std::string Contents(BIO* bio);

// Infinite past where OpenSSL cannot read the time.
absl::Time ToAbslTime(const ASN1_TIME* time);
Asn1TimePtr ToAsn1Time(absl::Time time);

// Lower-case hex of whole bytes: "00" for zero.
std::string SerialHex(const ASN1_INTEGER* serial);
// "P-256", "Ed25519", "RSA 2048", or OpenSSL's own name and the bits.
std::string KeyDescription(const EVP_PKEY* key);
// RFC 2253.
std::string NameText(const X509_NAME* name);

}  // namespace cdgate::crypto
