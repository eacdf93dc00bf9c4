// How this gateway vouches for what is published to it: which commits are signed, and what events
// are committed to.
//
//   OriginSigning signing(config);
//   StoreDeps{.sign_origin = signing.signer(), ...}
//   AdmissionDeps{.attestation = [&signing] { return signing.Current(); }, ...}
//   signing.SetAttestor(&attestor);              // once there is one
//   signing.OnResources(*store.Resources());     // whenever they changed
//
// Thread-safe.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "auth/credentials/attestor.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/admission/admission.h"
#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "gateway/state/options.h"
#include "gateway/state/resources.h"

namespace cdgate::app {

class OriginSigning {
 public:
  // `clock` and `random` outlive it.
  OriginSigning(const config::v1::GatewayConfig& config, const base::Clock& clock,
                base::Random& random);

  // Null: nothing is signed. What is given outlives this, or is taken back before.
  void SetAttestor(const credentials::StatementSigner* attestor) { attestor_ = attestor; }
  // What the policies ask for: statements with each commit where events may go on from a peer
  // (without, they are made when one is asked for); and commitments to fields, where the
  // configuration leaves it to them.
  void OnResources(const state::ResourceSnapshot& resources);

  admission::OriginAttestation Current() const;
  // None where there is no attestor, or it cannot sign, which is logged.
  std::optional<storage::v1::TreeSignature> Sign(absl::Span<const crypto::Sha256Digest> leaves);
  state::SignOrigin signer() {
    return [this](absl::Span<const crypto::Sha256Digest> leaves) { return Sign(leaves); };
  }

 private:
  const std::string domain_;
  const config::v1::FieldCommitments when_;
  const base::Clock& clock_;
  base::Random& random_;
  std::atomic<const credentials::StatementSigner*> attestor_{nullptr};
  std::atomic<bool> passes_on_{false};
  std::atomic<bool> fields_;
};

// Whether an export rule in force lets events go on from the peer.
bool PassesOn(const state::ResourceSnapshot& resources);
// Whether one removes or replaces anything.
bool AltersEvents(const state::ResourceSnapshot& resources);

}  // namespace cdgate::app
