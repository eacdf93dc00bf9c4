#include "gateway/app/origin_signing.h"

#include <algorithm>

#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/attestation/merkle.h"
#include "federation/attestation/signed_text.h"
#include "gateway/base/logging.h"
#include "gateway/state/store.h"

namespace cdgate::app {
namespace {

bool Alters(const admin::v1::ExportRule& rule) {
  return rule.action() == admin::v1::ACTION_ALLOW &&
         (rule.redact_size() > 0 || rule.pseudonymise_size() > 0 ||
          rule.links() != admin::v1::LINK_HANDLING_KEEP);
}

bool AnyExportRule(const state::ResourceSnapshot& resources,
                   bool (*is)(const admin::v1::ExportRule& rule)) {
  for (const state::ResourcePtr& resource : resources.List(state::kPolicyKind)) {
    const auto policy = resource->As<admin::v1::Policy>();
    if (!policy.ok()) continue;  // nothing crosses by it
    const auto& rules = policy->export_().rules();
    if (std::any_of(rules.begin(), rules.end(), is)) return true;
  }
  return false;
}

}  // namespace

bool AltersEvents(const state::ResourceSnapshot& resources) {
  return AnyExportRule(resources, Alters);
}

bool PassesOn(const state::ResourceSnapshot& resources) {
  return AnyExportRule(resources, [](const admin::v1::ExportRule& rule) {
    return rule.action() == admin::v1::ACTION_ALLOW && rule.terms().onward() > 0;
  });
}

OriginSigning::OriginSigning(const config::v1::GatewayConfig& config, const base::Clock& clock,
                             base::Random& random)
    : domain_(config.domain()),
      when_(config.attestor().field_commitments()),
      clock_(clock),
      random_(random),
      fields_(when_ == config::v1::FIELD_COMMITMENTS_ALWAYS) {}

void OriginSigning::OnResources(const state::ResourceSnapshot& resources) {
  passes_on_ = PassesOn(resources);
  if (when_ == config::v1::FIELD_COMMITMENTS_UNSPECIFIED) fields_ = AltersEvents(resources);
}

admission::OriginAttestation OriginSigning::Current() const {
  if (attestor_ == nullptr) return {};
  return {.statements = passes_on_, .fields = fields_};
}

std::optional<storage::v1::TreeSignature> OriginSigning::Sign(
    absl::Span<const crypto::Sha256Digest> leaves) {
  const credentials::StatementSigner* const attestor = attestor_;
  if (attestor == nullptr || leaves.size() > attestation::kMaxLeaves) return std::nullopt;
  storage::v1::TreeSignature signature;
  signature.set_seed(random_.Bytes(attestation::kSeedBytes));
  signature.set_sign_time_nanos(absl::ToUnixNanos(clock_.Now()));
  attestation::MerkleTree tree;
  tree.Build(leaves, signature.seed());
  auto done =
      attestor->Sign(attestation::OriginText(domain_, signature.sign_time_nanos(), tree.root()));
  if (!done.ok()) {
    base::LogError(base::LogLevel::kError, "events are committed unsigned", done.status());
    return std::nullopt;
  }
  signature.set_key_id(std::move(done->key_id));
  signature.set_signature(std::move(done->signature));
  return signature;
}

}  // namespace cdgate::app
