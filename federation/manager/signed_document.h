// Documents that a gateway signs and gateways of other domains verify.
//
//   CDGATE_ASSIGN_OR_RETURN(Seal seal, SignDocument("cdgate/group/v1", bytes, *material));
//   ...elsewhere, with the bundle held for the signer's domain:
//   CDGATE_RETURN_IF_ERROR(CheckSeal({"cdgate/group/v1", bytes, seal.signature, certificates},
//                                    "alpha.example", store, clock.Now()));
//
// What is signed is the label, a zero byte, and the document, so that a signature of one thing
// is never one of another. Pure; thread-safe.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_files.h"
#include "auth/crypto/verify.h"

namespace cdgate::manager {

struct Seal {
  std::string signature;
  std::vector<std::string> certificates;  // DER, leaf first
};

// With the gateway's own key. CREDENTIALS_INVALID where that is of a kind that does not sign
// (auth/crypto/signature.h).
absl::StatusOr<Seal> SignDocument(absl::string_view label, absl::string_view document,
                                  const credentials::Material& own);

// A document as it came.
struct SealedDocument {
  absl::string_view label;
  absl::string_view document;
  absl::string_view signature;
  const google::protobuf::RepeatedPtrField<std::string>& certificates;
};

// OK where a gateway of `domain`, whose certificate verifies under `store` at `now`, signed it.
// What is wrong otherwise: CERTIFICATE_MALFORMED, WRONG_PEER, CERTIFICATE_UNTRUSTED and other
// reasons of trust::VerifyAgainst.
absl::Status CheckSeal(const SealedDocument& sealed, absl::string_view domain,
                       const crypto::TrustStore& store, absl::Time now);

}  // namespace cdgate::manager
