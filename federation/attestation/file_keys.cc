#include "federation/attestation/file_keys.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/trust/verify.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::attestation {
namespace {

absl::Status Unproven(absl::string_view domain, absl::string_view why) {
  return base::MakeError(base::Reason::kAttestationUnproven,
                         absl::StrCat("a statement of ", base::Shorten(domain), ": ", why));
}

std::string KeyText(absl::string_view key_id) { return base::HexEncode(key_id.substr(0, 6)); }

}  // namespace

absl::Status FileKeys::Add(absl::string_view chain_pem) {
  CDGATE_ASSIGN_OR_RETURN(std::vector<crypto::Certificate> chain,
                          crypto::Certificate::ParsePemChain(chain_pem));
  std::string key_id = chain.front().FingerprintSha256();
  chains_.insert_or_assign(std::move(key_id), std::move(chain));
  return absl::OkStatus();
}

absl::StatusOr<AttestorKey> FileKeys::Find(absl::string_view domain, absl::string_view key_id,
                                           absl::Time sign_time) {
  if (trusted_.Find(domain) == nullptr)
    return Unproven(domain, "no bundle of that domain is given");
  const auto chain = chains_.find(key_id);
  if (chain == chains_.end()) {
    return Unproven(domain,
                    absl::StrCat("the certificate of key ", KeyText(key_id), " is missing"));
  }
  const auto verified = trust::VerifyAttestor(trusted_, chain->second, now_);
  if (!verified.ok()) {
    return Unproven(domain,
                    absl::StrCat("key ", KeyText(key_id), ": ", verified.status().message()));
  }
  if (verified->id.trust_domain() != domain) {
    return Unproven(domain,
                    absl::StrCat("key ", KeyText(key_id), " is of ", verified->id.trust_domain()));
  }
  if (sign_time < verified->not_before || sign_time > verified->not_after) {
    return Unproven(domain,
                    absl::StrCat("key ", KeyText(key_id), " was not valid at the time of signing, ",
                                 absl::FormatTime(sign_time, absl::UTCTimeZone())));
  }
  return AttestorKey(chain->second.front());
}

std::string FileKeys::NameOf(absl::string_view key_id) const {
  const auto chain = chains_.find(key_id);
  if (chain == chains_.end()) return "";
  return absl::StrJoin(chain->second.front().uri_names(), " ");
}

}  // namespace cdgate::attestation
