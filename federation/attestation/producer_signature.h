// What a producer itself signed of its event: the attribute `dssematerial` of CloudEvents
// (extension "verifiability"), a DSSE 1.0 envelope around digests of the event.
//
//   CDGATE_ASSIGN_OR_RETURN(const crypto::PublicKey key, crypto::PublicKey::FromPem(pem));
//   CDGATE_ASSIGN_OR_RETURN(const ProducerSignature signed_by,
//                           VerifyProducer(event, {key}));
//   Show(signed_by.attributes);
//
// It covers data and context attributes as they were published, byte by byte, so that a copy from
// which anything was removed or replaced cannot match; gateways drop it from such. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/crypto/public_key.h"
#include "gateway/event/cloud_event_view.h"

namespace cdgate::attestation {

// Of the attribute; longer ones are refused.
inline constexpr size_t kMaxProducerMaterialBytes = 64 << 10;

struct ProducerSignature {
  size_t key = 0;  // of those that were given
  // Extension attributes that are covered, besides the attributes of CloudEvents and the data.
  std::vector<std::string> attributes;
};

// "DSSEv1 SP LEN(type) SP type SP LEN(body) SP body": what is signed.
std::string PreAuthenticationEncoding(absl::string_view type, absl::string_view body);

// The first key that signed the event as it is. ATTESTATION_UNPROVEN where it has no dssematerial,
// or none of `keys` signed it; ATTESTATION_INVALID where the material is malformed, or is of
// another content. Names of keys in the envelope are hints, and not looked at.
absl::StatusOr<ProducerSignature> VerifyProducer(const event::CloudEventView& event,
                                                 const std::vector<crypto::PublicKey>& keys);

}  // namespace cdgate::attestation
