// Vouches for what one peer is sent: which key signs, and which certificates the peer needs.
//
//   ExportSigner signer(deps, {.sender = "alpha.example", .receiver = "beta.example", ...});
//   config.signer = &signer;
//   ExportBlock block(..., signer.NewSeed());
//   relay.Set(record, decision); signer.Note(relay.statements());
//   ...the link, before it sends what was decided:
//   signer.Prepare(&attestors);
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "auth/credentials/attestor.h"
#include "federation/attestation/attestor_directory.h"
#include "federation/attestation/merkle.h"
#include "federation/link/batch_signer.h"
#include "gateway/base/clock.h"
#include "gateway/base/random.h"

namespace cdgate::session {

class ExportSigner : public link::BatchSigner {
 public:
  struct Parties {
    std::string sender, receiver, agreement;
  };

  // All outlive it.
  struct Deps {
    const credentials::StatementSigner* attestor = nullptr;  // null: nothing is signed
    attestation::AttestorDirectory* attestors = nullptr;     // null: no certificate is known
    const base::Clock& clock;
    base::Random& random;
  };

  ExportSigner(const Deps& deps, Parties parties) : deps_(deps), parties_(std::move(parties)) {}

  // Of a tree over what is sent next; empty: nothing is signed.
  std::string NewSeed();
  // These statements are going out: the peer needs the keys that signed them.
  void Note(absl::Span<const std::string> statements);

  // Signs what Sign() will be asked for, if it is asked for just that: where there is time now and
  // will be none then. Each call forgets what the one before made.
  void SignAhead(const link::BatchTree& tree, const link::BatchClaim& claim);

  void Prepare(federation::v1::Attestors* needed) override;
  std::string Sign(const link::BatchTree& tree, const link::BatchClaim& claim,
                   storage::v1::TreeSignature* statement) override;
  // What we have of the other direction, by the key of the last Prepare(); none: we do not sign.
  std::optional<federation::v1::Receipt> SignReceipt(absl::string_view link_epoch,
                                                     uint64_t position, const std::string& digest);

 private:
  // A signed batch, but for the seed of its tree.
  struct Signature {
    attestation::Digest link = {};
    attestation::Digest root = {};
    std::string key_id = {};
    int64_t sign_time_nanos = 0;
    std::string bytes = {};
  };

  void Need(const std::string& key_id);
  attestation::Digest LinkOf(const link::BatchTree& tree, const link::BatchClaim& claim,
                             const attestation::Digest& before) const;
  std::optional<Signature> SignBatch(const attestation::Digest& link,
                                     const attestation::Digest& root) const;
  std::optional<Signature> TakeAhead(const attestation::Digest& link,
                                     const attestation::Digest& root);
  // By the key of the last Prepare(); none: there is none that the peer knows, or it has ended.
  std::optional<std::string> SignText(const std::string& text) const;

  const Deps deps_;
  const Parties parties_;
  std::shared_ptr<const credentials::Attestor> attestor_;  // of the last Prepare()
  absl::flat_hash_set<std::string> given_;                 // keys that the peer was given
  federation::v1::Attestors needed_;
  std::optional<Signature> ahead_;
};

}  // namespace cdgate::session
