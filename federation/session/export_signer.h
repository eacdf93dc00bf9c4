// Vouches for what one peer is sent: which key signs, and which certificates the peer needs.
//
//   ExportSigner signer(deps, {.sender = "alpha.example", .receiver = "beta.example", ...});
//   config.signer = &signer;
//   ExportBlock block(..., signer.NewSeed());
//   relay.Set(record, decision); signer.Note(relay.statements());
//   if (auto certificates = signer.TakeCertificates()) Step(link::AttestorsChanged{...});
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "federation/link/batch_signer.h"
#include "federation/session/session_types.h"

namespace cdgate::session {

class ExportSigner : public link::BatchSigner {
 public:
  struct Parties {
    std::string sender, receiver, agreement;
  };

  ExportSigner(const SessionDeps& deps, Parties parties)
      : deps_(deps), parties_(std::move(parties)) {}

  // Of a tree over what is sent next, by the key in force from now on; empty: nothing is signed.
  std::string NewSeed();
  // These statements are going out: the peer needs the keys that signed them.
  void Note(absl::Span<const std::string> statements);
  // Certificates that the peer was not given on this link and needs for what comes next.
  std::optional<federation::v1::Attestors> TakeCertificates();

  std::string Sign(const link::BatchTree& tree, const link::BatchClaim& claim,
                   storage::v1::TreeSignature* statement) const override;
  // What we have of the other direction; none: we do not sign.
  std::optional<federation::v1::Receipt> SignReceipt(absl::string_view link_epoch,
                                                     uint64_t position, const std::string& digest);

 private:
  void Need(const std::string& key_id);

  const SessionDeps& deps_;
  const Parties parties_;
  absl::flat_hash_set<std::string> given_;  // keys that the peer was given
  federation::v1::Attestors needed_;
};

}  // namespace cdgate::session
