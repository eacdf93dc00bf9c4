#include "auth/crypto/revocation_list.h"

#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::crypto {
namespace {

absl::Status Unreadable(absl::string_view what) {
  return base::MakeError(base::Reason::kCredentialsInvalid, what);
}

// Unspecified where the entry has none, or one that has no name here.
RevocationReason ReasonIn(const X509_REVOKED* entry) {
  const std::unique_ptr<ASN1_ENUMERATED, FreeWith<ASN1_ENUMERATED_free>> found(
      static_cast<ASN1_ENUMERATED*>(
          X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr)));
  const long number = found == nullptr ? 0 : ASN1_ENUMERATED_get(found.get());
  const bool named = (number >= 0 && number <= 5) || number == 9;
  return static_cast<RevocationReason>(named ? number : 0);
}

}  // namespace

absl::StatusOr<std::vector<RevocationList>> RevocationList::ParsePem(absl::string_view pem) {
  const ErrorScope errors;
  const BioPtr bio = ReadOnlyBio(pem);
  if (bio == nullptr) return Unreadable("the PEM text is too long");
  std::vector<RevocationList> out;
  while (X509_CRL* crl = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)) {
    out.push_back(RevocationList(std::shared_ptr<X509_crl_st>(crl, X509_CRL_free)));
  }
  const unsigned long code = ERR_peek_last_error();
  if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE) {
    return Unreadable(absl::StrCat("revocation list ", out.size() + 1,
                                   " of the PEM text cannot be read: ", TakeOpenSslError()));
  }
  if (out.empty()) return Unreadable("no PEM revocation list");
  return out;
}

std::string RevocationList::ToPem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CheckOpenSsl(bio != nullptr && PEM_write_bio_X509_CRL(bio.get(), crl_.get()) == 1,
               "PEM_write_bio_X509_CRL");
  return Contents(bio.get());
}

std::string RevocationList::issuer() const { return NameText(X509_CRL_get_issuer(crl_.get())); }

std::string RevocationList::issuer_key_id() const {
  const ErrorScope errors;
  const AuthorityKeyIdPtr id(static_cast<AUTHORITY_KEYID*>(
      X509_CRL_get_ext_d2i(crl_.get(), NID_authority_key_identifier, nullptr, nullptr)));
  if (id == nullptr || id->keyid == nullptr) return "";
  return base::HexEncode(
      absl::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(id->keyid)),
                        static_cast<size_t>(ASN1_STRING_length(id->keyid))));
}

absl::Time RevocationList::this_update() const {
  return ToAbslTime(X509_CRL_get0_lastUpdate(crl_.get()));
}

absl::Time RevocationList::next_update() const {
  const ASN1_TIME* next = X509_CRL_get0_nextUpdate(crl_.get());
  return next == nullptr ? absl::InfiniteFuture() : ToAbslTime(next);
}

uint64_t RevocationList::number() const {
  const ErrorScope errors;
  const Asn1IntegerPtr number(static_cast<ASN1_INTEGER*>(
      X509_CRL_get_ext_d2i(crl_.get(), NID_crl_number, nullptr, nullptr)));
  uint64_t value = 0;
  return number != nullptr && ASN1_INTEGER_get_uint64(&value, number.get()) == 1 ? value : 0;
}

std::vector<RevocationList::Entry> RevocationList::entries() const {
  const ErrorScope errors;
  std::vector<Entry> out;
  STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(crl_.get());
  for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(revoked, i);
    out.push_back({SerialHex(X509_REVOKED_get0_serialNumber(entry)),
                   ToAbslTime(X509_REVOKED_get0_revocationDate(entry)), ReasonIn(entry)});
  }
  return out;
}

bool RevocationList::IsIssuedBy(const Certificate& issuer) const {
  const ErrorScope errors;
  return X509_NAME_cmp(X509_CRL_get_issuer(crl_.get()), X509_get_subject_name(issuer.handle())) ==
             0 &&
         X509_CRL_verify(crl_.get(), X509_get0_pubkey(issuer.handle())) == 1;
}

}  // namespace cdgate::crypto
