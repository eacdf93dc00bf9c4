#include "federation/manager/signed_document.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/signature.h"
#include "auth/trust/verify.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using crypto::Certificate;

constexpr int kMaxCertificates = 8;

std::string SignedBytes(absl::string_view label, absl::string_view document) {
  return absl::StrCat(label, absl::string_view("\0", 1), document);
}

struct Shown {
  Certificate leaf;
  std::string chain_pem;  // what came with it
};

absl::StatusOr<Shown> ReadCertificates(
    const google::protobuf::RepeatedPtrField<std::string>& certificates) {
  if (certificates.empty() || certificates.size() > kMaxCertificates) {
    return base::MakeError(base::Reason::kCertificateMalformed,
                           absl::StrCat(certificates.size(),
                                        " certificates came with it, not 1 to ", kMaxCertificates));
  }
  CDGATE_ASSIGN_OR_RETURN(Certificate leaf, Certificate::FromDer(certificates[0]));
  std::string chain;
  for (int i = 1; i < certificates.size(); ++i) {
    CDGATE_ASSIGN_OR_RETURN(const Certificate above, Certificate::FromDer(certificates[i]));
    chain += above.ToPem();
  }
  return Shown{std::move(leaf), std::move(chain)};
}

}  // namespace

absl::StatusOr<Seal> SignDocument(absl::string_view label, absl::string_view document,
                                  const credentials::Material& own) {
  CDGATE_ASSIGN_OR_RETURN(const auto key, crypto::PrivateKey::FromPem(own.key_pem));
  CDGATE_ASSIGN_OR_RETURN(const auto chain, Certificate::ParsePemChain(own.chain_pem));
  Seal seal;
  CDGATE_ASSIGN_OR_RETURN(seal.signature, crypto::SignBytes(key, SignedBytes(label, document)));
  for (const Certificate& certificate : chain) seal.certificates.push_back(certificate.ToDer());
  return seal;
}

absl::Status CheckSeal(const SealedDocument& sealed, absl::string_view domain,
                       const crypto::TrustStore& store, absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(const Shown shown, ReadCertificates(sealed.certificates));
  CDGATE_ASSIGN_OR_RETURN(const trust::VerifiedPeer signer,
                          trust::VerifyAgainst(store, domain, shown.leaf.ToPem(), shown.chain_pem,
                                               crypto::Purpose::kClient, now));
  if (!signer.id.is_gateway()) {
    return base::MakeError(base::Reason::kWrongPeer,
                           absl::StrCat(signer.id.text(), " is no gateway"));
  }
  if (crypto::SignatureFits(shown.leaf, SignedBytes(sealed.label, sealed.document),
                            sealed.signature)) {
    return absl::OkStatus();
  }
  return base::MakeError(base::Reason::kCertificateUntrusted,
                         absl::StrCat("the signature is not one by the key of ", signer.id.text()));
}

}  // namespace cdgate::manager
