#include "auth/crypto/verify.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::crypto {
namespace {

// Longer chains are somebody's mistake or malice.
constexpr int kMaxIntermediates = 8;
// OpenSSL's level 2: keys and signatures of at least 112 bits.
constexpr int kSecurityLevel = 2;

absl::Status CheckRoot(const Certificate& root) {
  const char* fault = nullptr;
  if (!root.is_ca()) {
    fault = "is not a CA";
  } else if (!root.may_sign_certificates()) {
    fault = "may not sign certificates";
  } else if (!root.is_self_signed()) {
    fault = "is not a root: it is not its own issuer";
  }
  if (fault == nullptr) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kCertificateMalformed,
      absl::StrCat("certificate ", base::Shorten(root.subject()), " of the bundle ", fault));
}

std::string FaultyCertificate(X509_STORE_CTX* context) {
  const X509* at_fault = X509_STORE_CTX_get_current_cert(context);
  if (at_fault == nullptr) return "the chain";
  return absl::StrCat("certificate ", base::Shorten(NameText(X509_get_subject_name(at_fault)), 120),
                      ", serial ", SerialHex(X509_get0_serialNumber(at_fault)));
}

absl::Status VerifyError(X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  return base::MakeError(
      ReasonOfVerifyError(error),
      absl::StrCat(FaultyCertificate(context), ": ", X509_verify_cert_error_string(error)),
      {{"depth", absl::StrCat(X509_STORE_CTX_get_error_depth(context))}});
}

// What the callback below judges times by.
struct TimeRules {
  absl::Duration crl_grace;
  absl::Time now;
  bool any_validity;  // whether a certificate may have ended, or not begun
};

bool IsWithinGrace(const X509_CRL* list, const TimeRules& rules) {
  return list != nullptr && X509_CRL_get0_nextUpdate(list) != nullptr &&
         rules.now < ToAbslTime(X509_CRL_get0_nextUpdate(list)) + rules.crl_grace;
}

// OpenSSL refuses a list from the second it ends; ours is good for the grace besides.
int JudgeTimes(int ok, X509_STORE_CTX* context) {
  if (ok == 1) return ok;
  const auto* rules = static_cast<const TimeRules*>(X509_STORE_CTX_get_app_data(context));
  bool allowed = false;
  switch (X509_STORE_CTX_get_error(context)) {
    case X509_V_ERR_CRL_HAS_EXPIRED:
      allowed = IsWithinGrace(X509_STORE_CTX_get0_current_crl(context), *rules);
      break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: allowed = rules->any_validity; break;
    default: break;
  }
  if (allowed) X509_STORE_CTX_set_error(context, X509_V_OK);
  return allowed ? 1 : 0;
}

const char* DefaultsFor(Purpose purpose) {
  switch (purpose) {
    case Purpose::kClient: return "ssl_client";
    case Purpose::kServer: return "ssl_server";
    case Purpose::kStatements: break;
  }
  return "default";  // any use: CheckUse() looks
}

absl::Status CheckUse(const Certificate& leaf, Purpose purpose) {
  if (purpose != Purpose::kStatements || !leaf.may_be_used_for_tls()) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kCertificateWrongUse,
      absl::StrCat("certificate ", base::Shorten(leaf.subject(), 120), ", serial ", leaf.serial(),
                   ": it could be used for TLS; one that signs statements has an extended key "
                   "usage without serverAuth and clientAuth, as cdgate cert issue attestor/NAME "
                   "makes it"));
}

std::string Sha256Fingerprint(const X509* certificate) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CheckOpenSsl(X509_digest(certificate, EVP_sha256(), digest, &size) == 1, "X509_digest");
  return std::string(reinterpret_cast<const char*>(digest), size);
}

ChainFacts FactsOf(X509_STORE_CTX* context) {
  ChainFacts facts{
      .not_before = absl::InfinitePast(), .not_after = absl::InfiniteFuture(), .authorities = {}};
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    const X509* certificate = sk_X509_value(chain, i);
    facts.not_before = std::max(facts.not_before, ToAbslTime(X509_get0_notBefore(certificate)));
    facts.not_after = std::min(facts.not_after, ToAbslTime(X509_get0_notAfter(certificate)));
    if (i > 0) facts.authorities.push_back(Sha256Fingerprint(certificate));
  }
  return facts;
}

void SetParameters(X509_STORE_CTX* context, const TrustStore& store, Purpose purpose,
                   absl::Time now) {
  CheckOpenSsl(X509_STORE_CTX_set_default(context, DefaultsFor(purpose)) == 1,
               "X509_STORE_CTX_set_default");
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context);
  unsigned long flags = X509_V_FLAG_X509_STRICT;
  if (!store.crls().empty()) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  X509_VERIFY_PARAM_set_flags(parameters, flags);
  X509_VERIFY_PARAM_set_time(parameters, absl::ToTimeT(now));
  X509_VERIFY_PARAM_set_depth(parameters, kMaxIntermediates);
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
}

}  // namespace

TrustStore::TrustStore(std::vector<Certificate> roots, std::vector<RevocationList> crls,
                       absl::Duration crl_grace, std::shared_ptr<x509_store_st> store)
    : roots_(std::move(roots)),
      crls_(std::move(crls)),
      crl_grace_(crl_grace),
      store_(std::move(store)) {}

absl::StatusOr<std::shared_ptr<const TrustStore>> TrustStore::Create(
    std::vector<Certificate> roots, std::vector<RevocationList> crls, absl::Duration crl_grace) {
  const ErrorScope errors;
  if (roots.empty()) {
    return base::MakeError(base::Reason::kCertificateMalformed, "the bundle has no certificate");
  }
  std::shared_ptr<x509_store_st> store(X509_STORE_new(), X509_STORE_free);
  CheckOpenSsl(store != nullptr, "X509_STORE_new");
  for (const Certificate& root : roots) {
    if (absl::Status status = CheckRoot(root); !status.ok()) return status;
    CheckOpenSsl(X509_STORE_add_cert(store.get(), root.handle()) == 1, "X509_STORE_add_cert");
  }
  for (const RevocationList& crl : crls) {
    CheckOpenSsl(X509_STORE_add_crl(store.get(), crl.handle()) == 1, "X509_STORE_add_crl");
  }
  return std::shared_ptr<const TrustStore>(
      new TrustStore(std::move(roots), std::move(crls), crl_grace, std::move(store)));
}

absl::Status VerifyChain(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                         const TrustStore& store, Purpose purpose, absl::Time now) {
  return VerifiedChain(leaf, intermediates, store, purpose, now).status();
}

absl::StatusOr<ChainFacts> VerifiedChain(const Certificate& leaf,
                                         const std::vector<Certificate>& intermediates,
                                         const TrustStore& store, Purpose purpose, absl::Time now) {
  const ErrorScope errors;
  const CertificateStackPtr untrusted(sk_X509_new_null());
  const StoreContextPtr context(X509_STORE_CTX_new());
  CheckOpenSsl(untrusted != nullptr && context != nullptr, "X509_STORE_CTX_new");
  for (const Certificate& intermediate : intermediates) {
    CheckOpenSsl(sk_X509_push(untrusted.get(), intermediate.handle()) > 0, "sk_X509_push");
  }
  CheckOpenSsl(
      X509_STORE_CTX_init(context.get(), store.handle(), leaf.handle(), untrusted.get()) == 1,
      "X509_STORE_CTX_init");
  SetParameters(context.get(), store, purpose, now);
  TimeRules rules{store.crl_grace(), now, purpose == Purpose::kStatements};
  X509_STORE_CTX_set_app_data(context.get(), &rules);
  X509_STORE_CTX_set_verify_cb(context.get(), JudgeTimes);
  if (X509_verify_cert(context.get()) != 1) return VerifyError(context.get());
  if (absl::Status use = CheckUse(leaf, purpose); !use.ok()) return use;
  return FactsOf(context.get());
}

base::Reason ReasonOfVerifyError(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return base::Reason::kCertificateExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return base::Reason::kCertificateNotYetValid;
    case X509_V_ERR_CERT_REVOKED: return base::Reason::kCertificateRevoked;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED: return base::Reason::kRevocationListStale;
    case X509_V_ERR_INVALID_PURPOSE: return base::Reason::kCertificateWrongUse;
    // What no CA may issue, whoever it is: the certificate itself breaks the rules.
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
    case X509_V_ERR_INVALID_EXTENSION:
    case X509_V_ERR_UNSUPPORTED_EXTENSION_FEATURE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
    case X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA:
    case X509_V_ERR_PATHLEN_WITHOUT_KU_KEY_CERT_SIGN:
    case X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA:
    case X509_V_ERR_ISSUER_NAME_EMPTY:
    case X509_V_ERR_SUBJECT_NAME_EMPTY:
    case X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER:
    case X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER:
    case X509_V_ERR_EMPTY_SUBJECT_ALT_NAME:
    case X509_V_ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL:
    case X509_V_ERR_CA_BCONS_NOT_CRITICAL:
    case X509_V_ERR_AUTHORITY_KEY_IDENTIFIER_CRITICAL:
    case X509_V_ERR_SUBJECT_KEY_IDENTIFIER_CRITICAL:
    case X509_V_ERR_CA_CERT_MISSING_KEY_USAGE:
    case X509_V_ERR_EXTENSIONS_REQUIRE_VERSION_3:
    case X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH:
    case X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY: return base::Reason::kCertificateMalformed;

    // Everything else, also what later releases of OpenSSL add: no way to a root of this
    // bundle, or its revocation cannot be known.
    default: return base::Reason::kCertificateUntrusted;
  }
}

}  // namespace cdgate::crypto
