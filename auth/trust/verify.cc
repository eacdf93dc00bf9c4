#include "auth/trust/verify.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::trust {
namespace {

using crypto::Certificate;

absl::Status Malformed(const Certificate& leaf, absl::string_view fault) {
  return base::MakeError(base::Reason::kCertificateMalformed,
                         absl::StrCat("certificate ", base::Shorten(leaf.subject()), ", serial ",
                                      leaf.serial(), " ", fault));
}

// The same reason and message, with the claimed ID for programs and logs.
absl::Status About(const SpiffeId& id, const absl::Status& status) {
  if (status.ok()) return status;
  base::Metadata metadata = base::MetadataOf(status);
  metadata.emplace_back("id", id.text());
  return base::MakeError(base::ReasonOf(status).value_or(base::Reason::kInternal),
                         absl::StrCat(id.text(), ": ", status.message()), std::move(metadata));
}

absl::StatusOr<std::vector<Certificate>> ParseIntermediates(absl::string_view chain_pem) {
  if (chain_pem.empty()) return std::vector<Certificate>();
  return Certificate::ParsePemChain(chain_pem);
}

struct Shown {
  Certificate leaf;
  SpiffeId id;
};

absl::StatusOr<Shown> ReadLeaf(absl::string_view leaf_pem) {
  CDGATE_ASSIGN_OR_RETURN(Certificate leaf, Certificate::FromPem(leaf_pem));
  CDGATE_ASSIGN_OR_RETURN(SpiffeId id, ClaimedId(leaf));
  return Shown{std::move(leaf), std::move(id)};
}

// What a certificate is judged by.
struct Judge {
  const crypto::TrustStore* store;  // null: its domain is not known
  const DenyList* denied;           // null: nobody is
  crypto::Purpose purpose;
  absl::Time now;
};

absl::Status UnknownDomain(const SpiffeId& id, absl::string_view remedy) {
  return base::MakeError(
      base::Reason::kUnknownTrustDomain,
      absl::StrCat("no trust bundle is held for the domain ", id.trust_domain(), ": ", remedy));
}

absl::StatusOr<crypto::ChainFacts> JudgeChain(const Shown& shown,
                                              const std::vector<Certificate>& intermediates,
                                              const Judge& judge) {
  if (absl::Status use = CheckUse(shown.id, judge.purpose); !use.ok()) return use;
  CDGATE_ASSIGN_OR_RETURN(
      crypto::ChainFacts chain,
      crypto::VerifiedChain(shown.leaf, intermediates, *judge.store, judge.purpose, judge.now));
  if (judge.denied == nullptr) return chain;
  CDGATE_RETURN_IF_ERROR(judge.denied->CheckCertificate(shown.id.text(), shown.id.trust_domain(),
                                                        shown.leaf.serial(), chain.authorities));
  return chain;
}

absl::StatusOr<VerifiedPeer> VerifyShown(const Shown& shown, absl::string_view chain_pem,
                                         const Judge& judge) {
  const auto intermediates = ParseIntermediates(chain_pem);
  if (!intermediates.ok()) return About(shown.id, intermediates.status());
  const auto chain = JudgeChain(shown, *intermediates, judge);
  if (!chain.ok()) return About(shown.id, chain.status());
  return VerifiedPeer{shown.id, chain->not_after, shown.leaf.serial(), shown.leaf.ToPem(),
                      std::string(chain_pem)};
}

absl::StatusOr<VerifiedPeer> VerifyKnown(const Shown& shown, absl::string_view chain_pem,
                                         const Judge& judge) {
  if (judge.store != nullptr) return VerifyShown(shown, chain_pem, judge);
  return About(shown.id, UnknownDomain(shown.id, "peer with it first"));
}

}  // namespace

absl::StatusOr<SpiffeId> ClaimedId(const Certificate& leaf) {
  if (leaf.uri_names().size() != 1) {
    return Malformed(leaf, absl::StrCat("has ", leaf.uri_names().size(),
                                        " URI names instead of one, its SPIFFE ID"));
  }
  CDGATE_ASSIGN_OR_RETURN(SpiffeId id, SpiffeId::Parse(leaf.uri_names().front()));
  if (id.path().empty()) return About(id, Malformed(leaf, "names a domain and nobody in it"));
  if (leaf.is_ca()) return About(id, Malformed(leaf, "is a CA's"));
  if (!leaf.has_key_usage() || !leaf.may_sign_data() || leaf.may_sign_certificates() ||
      leaf.may_sign_crls()) {
    return About(id, Malformed(leaf,
                               "does not have the key usage of a leaf: digitalSignature, "
                               "and neither keyCertSign nor cRLSign"));
  }
  return id;
}

absl::Status CheckUse(const SpiffeId& id, crypto::Purpose purpose) {
  const bool for_statements = purpose == crypto::Purpose::kStatements;
  if (id.is_attestor() == for_statements) return absl::OkStatus();
  return base::MakeError(base::Reason::kCertificateWrongUse,
                         for_statements ? "it is no attestor, whose path begins with attestor/, "
                                          "and signs no statements"
                                        : "an attestor signs statements and never connects");
}

absl::StatusOr<VerifiedPeer> Verify(const TrustSnapshot& snapshot, absl::string_view leaf_pem,
                                    absl::string_view chain_pem, crypto::Purpose purpose,
                                    absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(const Shown shown, ReadLeaf(leaf_pem));
  return VerifyKnown(shown, chain_pem,
                     {snapshot.Find(shown.id.trust_domain()), &snapshot.denied(), purpose, now});
}

absl::StatusOr<VerifiedPeer> VerifyEstablished(const TrustSnapshot& snapshot,
                                               absl::string_view leaf_pem,
                                               absl::string_view chain_pem, crypto::Purpose purpose,
                                               absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(const Shown shown, ReadLeaf(leaf_pem));
  return VerifyKnown(
      shown, chain_pem,
      {snapshot.FindForEstablished(shown.id.trust_domain()), &snapshot.denied(), purpose, now});
}

absl::StatusOr<VerifiedPeer> VerifyAgainst(const crypto::TrustStore& store,
                                           absl::string_view domain, absl::string_view leaf_pem,
                                           absl::string_view chain_pem, crypto::Purpose purpose,
                                           absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(const Shown shown, ReadLeaf(leaf_pem));
  if (shown.id.trust_domain() != domain) {
    return About(shown.id, base::MakeError(base::Reason::kWrongPeer,
                                           absl::StrCat("the certificate is not of the domain ",
                                                        base::Shorten(domain))));
  }
  return VerifyShown(shown, chain_pem, {&store, nullptr, purpose, now});
}

absl::StatusOr<VerifiedAttestor> VerifyAttestor(const TrustSnapshot& snapshot,
                                                const std::vector<Certificate>& chain,
                                                absl::Time now) {
  if (chain.empty()) {
    return base::MakeError(base::Reason::kCertificateMalformed, "there is no certificate");
  }
  CDGATE_ASSIGN_OR_RETURN(SpiffeId id, ClaimedId(chain.front()));
  const crypto::TrustStore* store = snapshot.Find(id.trust_domain());
  if (store == nullptr) {
    return About(id,
                 UnknownDomain(id, absl::StrCat("set it with cdgate trust set ", id.trust_domain(),
                                                " --bundle FILE, or peer with it")));
  }
  const Shown shown{chain.front(), id};
  const auto facts =
      JudgeChain(shown, chain, {store, &snapshot.denied(), crypto::Purpose::kStatements, now});
  if (!facts.ok()) return About(id, facts.status());
  return VerifiedAttestor{std::move(id), chain.front().serial(), facts->not_before,
                          facts->not_after};
}

}  // namespace cdgate::trust
