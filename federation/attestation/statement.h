// Statements about one event: made from a signature over a tree, read, and verified.
//
//   // Who has the tree:
//   const auto statement = MakeOriginStatement("alpha.example", signature, place);
//   relayed.add_statements(statement.SerializeAsString());
//   // Who received it:
//   StatementVerifier verifier(keys);                           // one per worker
//   CDGATE_RETURN_IF_ERROR(ReadStatement(bytes, &read));
//   CDGATE_RETURN_IF_ERROR(verifier.VerifyOrigin(read, claim, outer, attributes));
//
// The same statement always serialises to the same bytes, which the next one depends on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/statement.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/attestation/attestor_keys.h"
#include "federation/attestation/copy.h"
#include "federation/attestation/leaves.h"
#include "federation/attestation/merkle.h"
#include "federation/attestation/verified_roots.h"

namespace cdgate::attestation {

// Of a serialised statement; groups of terms are what may make it long.
inline constexpr size_t kMaxStatementBytes = 64 << 10;

// Where an event is in a tree.
struct LeafPlace {
  LeafSalt salt{};
  Inclusion inclusion;
};

// Of the origin `domain`.
federation::v1::Statement MakeOriginStatement(absl::string_view domain,
                                              const storage::v1::TreeSignature& signature,
                                              const LeafPlace& place);

// Of `sender` about the copy that it sent to `receiver`. `link`: LinkDigest() of the batch.
federation::v1::Statement MakeExportStatement(absl::string_view sender, absl::string_view receiver,
                                              const storage::v1::TreeSignature& signature,
                                              const LeafPlace& place, const Digest& link,
                                              const CopyDigests& copy, const TermsView& terms);

// ATTESTATION_INVALID where `bytes` are no statement, or one that is out of its bounds.
absl::Status ReadStatement(absl::string_view bytes, federation::v1::Statement* statement);

// Whether statements are true: the leaf is what is known of the event, it is in the tree, and the
// tree is signed. `statement` is one that ReadStatement() took. Errors: ATTESTATION_INVALID, and
// those of AttestorKeys. Not thread-safe.
class StatementVerifier {
 public:
  // `keys` outlives it.
  explicit StatementVerifier(AttestorKeys& keys) : keys_(keys) {}

  // `attributes`: as LeafMaker::Origin has it. The statement's domain must be claim.origin.
  absl::Status VerifyOrigin(const federation::v1::Statement& statement, const EventClaim& claim,
                            bool outer, const Digest& attributes);
  // `previous`: SHA-256 of the statement before, all zero where there is none.
  absl::Status VerifyExport(const federation::v1::Statement& statement, const EventClaim& claim,
                            const Digest& previous);

  // Whether `domain` signed `text`: of a batch, of a receipt.
  absl::Status VerifySignature(absl::string_view domain, absl::string_view key_id,
                               int64_t sign_time_nanos, absl::string_view text,
                               absl::string_view signature);
  absl::Status VerifySignature(absl::string_view domain,
                               const storage::v1::TreeSignature& signature,
                               absl::string_view text) {
    return VerifySignature(domain, signature.key_id(), signature.sign_time_nanos(), text,
                           signature.signature());
  }

  LeafMaker& leaves() { return leaves_; }

 private:
  absl::StatusOr<Digest> RootFrom(const federation::v1::Statement& statement, const Digest& leaf);
  absl::Status VerifySigned(const federation::v1::Statement& statement, absl::string_view text);

  AttestorKeys& keys_;
  VerifiedRoots roots_;
  LeafMaker leaves_;
  crypto::Sha256Hasher hasher_;
};

}  // namespace cdgate::attestation
