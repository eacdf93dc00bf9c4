// What an altered copy has in place of the salt: a proof that what is left of its fields is what
// the origin committed to (docs/attestation.md).
//
//   FieldProver prover;                                         // one per worker
//   // The origin, or who has an unaltered copy:
//   CDGATE_ASSIGN_OR_RETURN(std::string proof, prover.Alter(original, salt, copy));
//   // Who alters an altered copy further:
//   CDGATE_ASSIGN_OR_RETURN(std::string next, prover.AlterAgain(copy, proof, further));
//   // Who received one:
//   CDGATE_ASSIGN_OR_RETURN(Digest commitment, prover.Verify(copy, proof));
//   if (commitment != claimed) ...
//
// A copy's data is JSON as it was admitted. Of a hostile copy and proof time and memory are
// bounded by the limits of event_fields.h and the bytes of the lists. Keeps its memory; not
// thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/statement.pb.h"
#include "federation/attestation/copy.h"
#include "federation/attestation/merkle.h"
#include "gateway/event/event_fields.h"

namespace cdgate::attestation {

// Bytes of a serialised FieldProof, at most.
inline constexpr size_t kMaxFieldProofBytes = event::kMaxFields * 33 + 64;

// Walks over those fields of a copy that an entry of a proof stands for: passes over what is left
// of objects and arrays whose members were all withheld, and of elements that were.
class CopyReader {
 public:
  void Start(const CopyView& copy);
  bool Next();
  bool ok() const { return fields_.ok(); }

  absl::string_view name() const { return fields_.name(); }
  absl::string_view value() const { return fields_.value(); }
  // Whether a value that the origin did not write may be in its place.
  bool MaySubstitute();
  // How many fields were passed over, since the walk began.
  size_t passed_over() const { return passed_over_; }

 private:
  bool PassesOver();
  bool IsElement() const;
  bool HoldsWithheld(absl::string_view pointer);

  event::FieldReader fields_;
  std::vector<absl::string_view> withheld_;     // sorted
  std::vector<absl::string_view> substituted_;  // sorted
  std::string scratch_;
  size_t passed_over_ = 0;
};

class FieldProver {
 public:
  // The proof, serialised, of `copy`, which was made from `original`, of which nothing was removed
  // or replaced. `salt` is that of the event. ATTESTATION_INVALID where the copy has what neither
  // the original nor its lists account for; then it cannot be proven by fields.
  absl::StatusOr<std::string> Alter(const event::CloudEventView& original, absl::string_view salt,
                                    const CopyView& copy);

  // The same of `copy` made from `before`, whose proof is `proof`. The lists of `copy` hold those
  // of `before`, but for what is below what was withheld since.
  absl::StatusOr<std::string> AlterAgain(const CopyView& before, absl::string_view proof,
                                         const CopyView& copy);

  // The commitment that `copy` and `proof` lead to: it fits where that is the event's own.
  // ATTESTATION_INVALID, naming the field, where they do not fit each other.
  absl::StatusOr<Digest> Verify(const CopyView& copy, absl::string_view proof);

 private:
  struct Entry;
  class Entries;

  absl::Status Read(absl::string_view proof);
  void StartCopy(const CopyView& copy);
  absl::Status CheckGap();
  absl::Status AdvanceCopy();
  absl::Status EndCopy();
  // One entry of a proof that is verified.
  absl::Status Take(const Entry& entry);
  // Entries of the proof that is made.
  absl::Status Append(const Entry& entry, absl::string_view name, absl::string_view value);
  void AddDigest(char kind, const Entry& entry, absl::string_view name, absl::string_view value);
  void Add(char kind, absl::string_view value);
  absl::StatusOr<std::string> Finish();

  event::FieldHasher hasher_;
  event::FieldReader original_;
  CopyReader before_;
  CopyReader copy_;
  bool copy_has_field_ = false;  // copy_ is at one that no entry stands for yet
  federation::v1::FieldProof read_;
  federation::v1::FieldProof made_;
  // Since the last field of the copy that an entry stands for.
  size_t withheld_in_gap_ = 0;
  size_t passed_before_gap_ = 0;
};

}  // namespace cdgate::attestation
