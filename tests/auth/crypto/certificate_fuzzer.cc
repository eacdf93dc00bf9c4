// Certificates and revocation lists from outside, in PEM and DER: whatever comes is read or
// refused, and what was read can be asked and written.
#include <cstddef>
#include <cstdint>

#include "auth/crypto/certificate.h"
#include "auth/crypto/revocation_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cdgate::crypto::Certificate;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto chain = Certificate::ParsePemChain(text); chain.ok()) {
    for (const Certificate& certificate : *chain) {
      (void)(certificate.subject() + certificate.issuer() + certificate.serial());
      (void)certificate.is_self_signed();
      (void)certificate.not_after();
      (void)certificate.may_be_used_for_tls();
    }
  }
  if (const auto certificate = Certificate::FromDer(text); certificate.ok()) {
    (void)certificate->ToPem();
  }
  if (const auto lists = cdgate::crypto::RevocationList::ParsePem(text); lists.ok()) {
    for (const auto& list : *lists) (void)(list.entries().size() + list.number());
  }
  return 0;
}
