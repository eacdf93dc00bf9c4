#include "federation/attestation/chain.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/digests.h"
#include "gateway/event/record.h"

namespace cdgate::attestation {
namespace {

using base::Reason;
using event::AsBytes;
using federation::v1::Statement;

absl::Status Invalid(absl::string_view what) {
  return base::MakeError(Reason::kAttestationInvalid, what);
}

absl::Status Unproven(absl::string_view what) {
  return base::MakeError(Reason::kAttestationUnproven, what);
}

bool ByFields(const event::RelayedView& relayed) {
  return (relayed.notes() & event::kNoteFieldsCommitted) != 0;
}

bool GroupsWithin(const TermsView& before, const TermsView& after) {
  if (before.groups.empty()) return true;
  return !after.groups.empty() &&
         std::all_of(after.groups.begin(), after.groups.end(), [&](absl::string_view group) {
           return std::find(before.groups.begin(), before.groups.end(), group) !=
                  before.groups.end();
         });
}

bool LabelWithin(const TermsView& before, const TermsView& after,
                 AtLeastAsStrict at_least_as_strict) {
  if (before.classification.empty() || before.classification == after.classification) return true;
  return !after.classification.empty() &&
         at_least_as_strict(before.classification, after.classification);
}

}  // namespace

absl::string_view ProofText(Proof proof) {
  switch (proof) {
    case Proof::kDirect: return "direct";
    case Proof::kUnaltered: return "unaltered";
    case Proof::kFields: return "fields";
    case Proof::kOriginExport: return "origin export";
  }
  return "";
}

absl::Status CheckTermsWithin(const TermsView& before, const TermsView& after,
                              AtLeastAsStrict at_least_as_strict) {
  if (after.onward >= before.onward) {
    return Invalid(
        absl::StrCat("terms of ", before.onward, " crossings became terms of ", after.onward));
  }
  if (!GroupsWithin(before, after)) return Invalid("terms name groups that those before did not");
  if (!LabelWithin(before, after, at_least_as_strict)) {
    return Invalid(absl::StrCat("the classification of terms went from ",
                                base::Shorten(before.classification), " to \"",
                                base::Shorten(after.classification), "\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<Proof> ChainVerifier::Verify(const event::RelayedView& relayed,
                                            const event::CloudEventView& event,
                                            const Receiver& receiver) {
  relayed_ = &relayed;
  copy_.Assign(event, relayed.withheld(), relayed.substituted());
  claim_ = ClaimOf(relayed);
  if (claim_.commitment.size() != crypto::kSha256Bytes) return Invalid("no commitment came");
  CDGATE_RETURN_IF_ERROR(CheckPath(receiver.domain));
  CDGATE_RETURN_IF_ERROR(ReadStatements());
  CDGATE_RETURN_IF_ERROR(VerifyOrigin());
  CDGATE_RETURN_IF_ERROR(VerifyExports());
  CDGATE_RETURN_IF_ERROR(CheckTerms(receiver.at_least_as_strict));
  CDGATE_RETURN_IF_ERROR(CheckSubstitutes());
  return ProveContent();
}

absl::Status ChainVerifier::CheckPath(absl::string_view own_domain) {
  const auto& path = relayed_->path();
  if (path.empty() || path.size() > kMaxPathDomains || path.front() != claim_.origin ||
      claim_.origin.empty()) {
    return Invalid("the path is empty, too long, or does not begin with the origin");
  }
  for (size_t i = 0; i < path.size(); ++i) {
    const bool again = std::find(path.begin(), path.begin() + i, path[i]) != path.begin() + i;
    if (!again && path[i] != own_domain) continue;
    return Invalid(absl::StrCat("the path comes to ", base::Shorten(path[i]), " twice"));
  }
  return absl::OkStatus();
}

// As many as the path needs, each of the domain that belongs there.
absl::Status ChainVerifier::ReadStatements() {
  const auto& path = relayed_->path();
  const auto& statements = relayed_->statements();
  if (statements.size() > path.size()) return Invalid("more statements came than the path needs");
  if (path.size() > 1 && statements.size() < path.size()) {
    return Unproven(
        absl::StrCat(statements.size(), " statements came, and the path needs ", path.size()));
  }
  count_ = statements.size();
  if (read_.size() < count_) read_.resize(count_);
  for (size_t i = 0; i < count_; ++i) {
    CDGATE_RETURN_IF_ERROR(ReadStatement(statements[i], &read_[i]));
    CDGATE_RETURN_IF_ERROR(CheckPlace(i));
  }
  return absl::OkStatus();
}

absl::Status ChainVerifier::CheckPlace(size_t i) const {
  const auto& path = relayed_->path();
  const Statement& statement = read_[i];
  const bool export_belongs = i > 0;
  const absl::string_view domain = path[export_belongs ? i - 1 : 0];
  if (statement.domain() != domain || statement.has_export_() != export_belongs ||
      (export_belongs && statement.export_().receiver() != path[i])) {
    return Invalid(absl::StrCat("statement ", i + 1, " is not what belongs there: one of ",
                                base::Shorten(domain),
                                export_belongs ? " about what it sent on" : " as the origin"));
  }
  return absl::OkStatus();
}

// Where the content was committed to, the leaf stands for all attributes, and a copy may have lost
// some. The origin's export statement, which names this one, has to be enough then; to who has it
// from the origin that is the batch's.
absl::Status ChainVerifier::VerifyOrigin() {
  origin_fits_ = false;
  if (count_ == 0) return absl::OkStatus();
  const bool by_fields = ByFields(*relayed_);
  const Digest attributes = by_fields ? Digest{} : statements_.leaves().AttributesOf(copy_.event);
  const bool outer = (relayed_->notes() & event::kNoteOuterDisagrees) != 0;
  const absl::Status verified = statements_.VerifyOrigin(read_[0], claim_, outer, attributes);
  origin_fits_ = verified.ok();
  const bool may_differ =
      !by_fields && (relayed_->salt().empty() || IsDirect() || IsWhatOriginSent());
  return may_differ ? absl::OkStatus() : verified;
}

absl::Status ChainVerifier::VerifyExports() {
  for (size_t i = 1; i < count_; ++i) {
    const Digest previous = statements_.leaves().Hash(relayed_->statements()[i - 1]);
    CDGATE_RETURN_IF_ERROR(statements_.VerifyExport(read_[i], claim_, previous));
  }
  return absl::OkStatus();
}

absl::Status ChainVerifier::CheckTerms(AtLeastAsStrict at_least_as_strict) {
  TermsView ours;
  if (relayed_->has_terms() && !ReadTerms(relayed_->terms(), &ours)) {
    return Invalid("the terms are malformed");
  }
  for (size_t i = 1; i < count_; ++i) {
    const TermsView after = i + 1 < count_ ? TermsOf(read_[i + 1].export_().terms()) : ours;
    CDGATE_RETURN_IF_ERROR(
        CheckTermsWithin(TermsOf(read_[i].export_().terms()), after, at_least_as_strict));
  }
  return absl::OkStatus();
}

// No field proof covers a value that was replaced: what does is the statement of whoever sent the
// copy on in which nothing was altered since.
absl::Status ChainVerifier::CheckSubstitutes() {
  if (copy_.substituted.empty() || count_ < 2) return absl::OkStatus();
  const CopyDigests digests = statements_.leaves().DigestsOf(copy_);
  for (size_t i = 1; i < count_; ++i) {
    const federation::v1::ExportClaim& sent = read_[i].export_();
    if (AsBytes(digests.changes) != sent.changes()) continue;
    if (AsBytes(digests.content) == sent.content_digest() &&
        AsBytes(digests.attributes) == sent.attributes_digest()) {
      continue;
    }
    return Invalid(absl::StrCat("a value that was replaced is not what ", read_[i].domain(),
                                " said that it sent"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Proof> ChainVerifier::ProveContent() {
  if (!relayed_->salt().empty()) {
    CDGATE_RETURN_IF_ERROR(CheckSalt());
    if (origin_fits_) return Proof::kUnaltered;
    return IsDirect() ? Proof::kDirect : Proof::kOriginExport;
  }
  if (!relayed_->field_proof().empty()) {
    CDGATE_RETURN_IF_ERROR(CheckFieldProof());
    return origin_fits_ ? Proof::kFields : Proof::kDirect;
  }
  if (IsDirect()) return Proof::kDirect;
  if (IsWhatOriginSent()) return Proof::kOriginExport;
  return Unproven(
      "nothing shows that the content is the origin's: neither salt nor field proof came, and it "
      "is not what the origin said that it sent");
}

absl::Status ChainVerifier::CheckSalt() {
  const absl::string_view salt = relayed_->salt();
  if (salt.size() != event::kSaltBytes || copy_.altered() || !relayed_->field_proof().empty()) {
    return Invalid("a salt came that is none, or with an altered copy");
  }
  std::optional<Digest> commitment;
  if (ByFields(*relayed_)) {
    commitment = fields_.Commit(salt, copy_.event);
  } else {
    commitment = event::Commitment(salt, statements_.leaves().ContentOf(copy_.event), hasher_);
  }
  if (commitment && AsBytes(*commitment) == claim_.commitment) return absl::OkStatus();
  return Invalid("the content is not what the origin committed to");
}

absl::Status ChainVerifier::CheckFieldProof() {
  if (!ByFields(*relayed_)) return Invalid("a field proof came for a commitment to the content");
  CDGATE_ASSIGN_OR_RETURN(const Digest commitment, prover_.Verify(copy_, relayed_->field_proof()));
  if (AsBytes(commitment) == claim_.commitment) return absl::OkStatus();
  return Invalid("a field of the copy is not what the origin committed to");
}

bool ChainVerifier::IsWhatOriginSent() {
  if (count_ < 2) return false;
  const federation::v1::ExportClaim& sent = read_[1].export_();
  const CopyDigests digests = statements_.leaves().DigestsOf(copy_);
  return AsBytes(digests.attributes) == sent.attributes_digest() &&
         AsBytes(digests.content) == sent.content_digest() &&
         AsBytes(digests.changes) == sent.changes();
}

}  // namespace cdgate::attestation
