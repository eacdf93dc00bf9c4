// Signs batches as the gateway would that the liar lies for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "auth/credentials/attestor.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/attestation/leaf_batch.h"
#include "federation/attestation/merkle.h"
#include "federation/attestation/signed_text.h"
#include "gateway/base/clock.h"
#include "gateway/event/relayed_view.h"
#include "tests/e2e/dial.h"

namespace cdgate::e2e {

using attestation::Digest;
using federation::v1::Batch;
using federation::v1::RelayedEvent;

class Signer {
 public:
  Signer(std::string domain, const std::string& folder) : domain_(std::move(domain)) {
    credentials::IdentityOptions options;
    options.certificate_path = folder + "/tls.crt";
    options.key_path = folder + "/tls.key";
    options.bundle_path = folder + "/bundle.pem";
    options.expected_domain = domain_;
    auto store = credentials::AttestorStore::Create(options, base::SystemClock());
    if (!store.ok()) GiveUp(std::string(store.status().message()));
    attestor_ = *std::move(store);
  }

  struct Context {
    std::string receiver, agreement;
    Digest before{};
  };

  // Of the batch as it is; the digest behind it.
  Digest After(const Batch& batch, const Digest& before) {
    return attestation::NextDigest(before, batch.first_position(), Count(batch), Root(batch));
  }
  Digest Sign(const Context& context, Batch* batch) {
    storage::v1::TreeSignature& statement = *batch->mutable_export_statement();
    const Digest root = Root(*batch);
    const Digest link = attestation::LinkDigest({.seed = statement.seed(),
                                                 .agreement = context.agreement,
                                                 .link_epoch = batch->link_epoch(),
                                                 .first_position = batch->first_position(),
                                                 .count = Count(*batch),
                                                 .before = context.before});
    const int64_t now = absl::ToUnixNanos(absl::Now());
    const auto done =
        attestor_->Sign(attestation::ExportText(domain_, context.receiver, now, link, root));
    if (!done.ok()) GiveUp(std::string(done.status().message()));
    statement.set_sign_time_nanos(now);
    statement.set_key_id(done->key_id);
    statement.set_signature(done->signature);
    return After(*batch, context.before);
  }

 private:
  static uint32_t Count(const Batch& batch) { return static_cast<uint32_t>(batch.events_size()); }
  Digest Root(const Batch& batch) {
    const std::string& seed = batch.export_statement().seed();
    leaves_.Reset(seed);
    for (const RelayedEvent& event : batch.events()) {
      const std::string bytes = event.SerializeAsString();
      event::RelayedView relayed;
      event::CloudEventView view;
      if (!relayed.Assign(bytes) || !view.Assign(relayed.cloud_event())) GiveUp("no event");
      if (!leaves_.AddReceived(relayed, view, nullptr)) GiveUp("no terms");
    }
    tree_.Build(leaves_.Leaves(), seed);
    return tree_.root();
  }

  const std::string domain_;
  std::unique_ptr<credentials::AttestorStore> attestor_;
  attestation::LeafBatch leaves_;
  attestation::MerkleTree tree_;
};

}  // namespace cdgate::e2e
