#include "auth/audit/checkpoint.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "auth/audit/line.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/signature.h"
#include "auth/crypto/verify.h"
#include "auth/trust/spiffe_id.h"
#include "auth/trust/trust_registry.h"
#include "auth/trust/verify.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::audit {
namespace {

constexpr absl::string_view kSignatureKey = ",\"signature\":\"";
constexpr size_t kMaxChain = 16;

absl::Status Damaged(absl::string_view what) {
  return base::MakeError(base::Reason::kAuditDamaged, what);
}

absl::Status Damaged(absl::string_view what, const absl::Status& why) {
  return Damaged(absl::StrCat(what, ": ", why.message()));
}

std::string SignedBytes(absl::string_view unsealed) {
  return absl::StrCat(kCheckpointLabel, unsealed);
}

// The certificates that a checkpoint carries.
absl::StatusOr<std::vector<crypto::Certificate>> CertificatesOf(absl::string_view line) {
  constexpr absl::string_view kStart = ",\"certificates\":[";
  const size_t at = line.find(kStart);
  if (at == absl::string_view::npos) return Damaged("it carries no certificate");
  absl::string_view rest = line.substr(at + kStart.size());
  std::vector<crypto::Certificate> out;
  while (!rest.empty() && rest.front() == '"' && out.size() < kMaxChain) {
    const size_t end = rest.find('"', 1);
    if (end == absl::string_view::npos) break;
    std::string der;
    if (!absl::Base64Unescape(rest.substr(1, end - 1), &der)) break;
    auto certificate = crypto::Certificate::FromDer(der);
    if (!certificate.ok()) return Damaged("a certificate in it is malformed", certificate.status());
    out.push_back(*std::move(certificate));
    rest.remove_prefix(end + 1);
    if (rest.substr(0, 1) == ",") rest.remove_prefix(1);
  }
  if (rest.substr(0, 1) == "]" && !out.empty()) return out;
  return Damaged("its certificates cannot be read");
}

absl::Status VerifyAgainstBundle(const std::vector<crypto::Certificate>& chain,
                                 const trust::SpiffeId& id, absl::string_view bundle_pem,
                                 absl::string_view time_text) {
  absl::Time time;
  std::string ignored;
  if (!absl::ParseTime(absl::RFC3339_full, std::string(time_text), &time, &ignored)) {
    return Damaged("its time is none");
  }
  const auto store = trust::MakeTrustStore(id.trust_domain(), bundle_pem, {});
  if (!store.ok()) {
    return base::Annotate(store.status(),
                          absl::StrCat("the bundle is not one of ", id.trust_domain()));
  }
  const std::string chain_pem =
      crypto::ToPem(std::vector<crypto::Certificate>(chain.begin() + 1, chain.end()));
  const auto verified = trust::VerifyAgainst(**store, id.trust_domain(), chain.front().ToPem(),
                                             chain_pem, crypto::Purpose::kClient, time);
  if (verified.ok()) return absl::OkStatus();
  return Damaged("its certificate does not verify against the bundle", verified.status());
}

}  // namespace

absl::StatusOr<Signer> MakeSigner(absl::string_view chain_pem, absl::string_view key_pem) {
  CDGATE_ASSIGN_OR_RETURN(const auto chain, crypto::Certificate::ParsePemChain(chain_pem));
  CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, trust::ClaimedId(chain.front()));
  CDGATE_ASSIGN_OR_RETURN(const crypto::PrivateKey key, crypto::PrivateKey::FromPem(key_pem));
  // A key of a kind that does not sign is found here, not at every checkpoint.
  CDGATE_RETURN_IF_ERROR(crypto::SignBytes(key, kCheckpointLabel).status());
  Signer signer;
  signer.id = id.text();
  for (const crypto::Certificate& certificate : chain) {
    signer.certificates.push_back(certificate.ToDer());
  }
  signer.sign = [key](absl::string_view bytes) { return crypto::SignBytes(key, bytes); };
  return signer;
}

std::string MakeCheckpoint(uint64_t number, absl::Time time, absl::string_view previous,
                           const Checkpoint& checkpoint, const absl::StatusOr<Signer>& signer) {
  Members members;
  members.Text("reason", checkpoint.reason)
      .Text("domain", checkpoint.domain)
      .Text("instance", checkpoint.instance)
      .Number("state_commit", checkpoint.state_commit);
  const auto without_signature = [&](const absl::Status& why) {
    members.Text("not_signed", why.message());
    return Seal(Unsealed(number, time, previous, kCheckpoint, members.text()));
  };
  if (!signer.ok()) return without_signature(signer.status());
  std::vector<std::string> certificates;
  for (const std::string& der : signer->certificates) {
    certificates.push_back(absl::Base64Escape(der));
  }
  Members signing = members;
  signing.Text("gateway", signer->id).Texts("certificates", certificates);
  std::string line = Unsealed(number, time, previous, kCheckpoint, signing.text());
  const auto signature = signer->sign(SignedBytes(line));
  if (!signature.ok()) return without_signature(signature.status());
  absl::StrAppend(&line, kSignatureKey, absl::Base64Escape(*signature), "\"");
  return Seal(std::move(line));
}

bool IsSigned(absl::string_view line) {
  return line.find(kSignatureKey) != absl::string_view::npos;
}

absl::StatusOr<std::string> VerifyCheckpoint(absl::string_view line, absl::string_view bundle_pem) {
  const size_t at = line.find(kSignatureKey);
  if (at == absl::string_view::npos) return Damaged("it is not signed");
  CDGATE_ASSIGN_OR_RETURN(const auto chain, CertificatesOf(line.substr(0, at)));
  std::string signature;
  if (!absl::Base64Unescape(TextMember(line.substr(at), "signature"), &signature) ||
      !crypto::SignatureFits(chain.front(), SignedBytes(line.substr(0, at)), signature)) {
    return Damaged("its signature is not that of its certificate's key");
  }
  const auto id = trust::ClaimedId(chain.front());
  if (!id.ok()) return Damaged("its certificate is not a gateway's", id.status());
  const auto named =
      trust::SpiffeId::Gateway(TextMember(line, "domain"), TextMember(line, "instance"));
  if (!named.ok() || named->text() != id->text() || TextMember(line, "gateway") != id->text()) {
    return Damaged(absl::StrCat("it is signed by ", id->text(), ", not by the gateway it names"));
  }
  if (bundle_pem.empty()) return id->text();
  CDGATE_RETURN_IF_ERROR(
      VerifyAgainstBundle(chain, *id, bundle_pem, line.substr(line.find("\"time\":\"") + 8, 30)));
  return id->text();
}

}  // namespace cdgate::audit
