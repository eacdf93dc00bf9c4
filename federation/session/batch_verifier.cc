#include "federation/session/batch_verifier.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/attestation/signed_text.h"
#include "federation/session/import_leaf.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/digests.h"

namespace cdgate::session {
namespace {

using attestation::Digest;
using event::AsBytes;

}  // namespace

std::string BatchVerifier::Signed::Leaf(size_t i) const {
  if (root.empty()) return "";
  return ImportLeaf{root, static_cast<uint32_t>(i)}.Bytes();
}

BatchVerifier::BatchVerifier(const SessionDeps& deps, std::string peer, std::string agreement,
                             std::string digest)
    : deps_(deps),
      peer_(std::move(peer)),
      agreement_(std::move(agreement)),
      digest_(std::move(digest)),
      chain_(*deps.attestors) {}

bool BatchVerifier::AddLeaf(const event::RelayedView& event, const event::Record* record) {
  if (record != nullptr) {
    const auto content = attestation::ReadDigest(record->stored().content_digest());
    return leaves_.AddReceived(event, record->cloud_event(), content ? &*content : nullptr);
  }
  event::CloudEventView view;
  return view.Assign(event.cloud_event()) && leaves_.AddReceived(event, view, nullptr);
}

absl::StatusOr<absl::Span<const Digest>> BatchVerifier::LeavesOf(
    const link::CommitImport& import, absl::Span<const admission::Imported> admitted,
    absl::Span<const event::Record> records) {
  leaves_.Reset(import.statement->seed());
  const event::Record* next = records.data();
  for (size_t i = 0; i < import.events.size(); ++i) {
    if (AddLeaf(import.events.views[i], admitted[i].status.ok() ? next++ : nullptr)) continue;
    return base::MakeError(base::Reason::kAttestationInvalid,
                           absl::StrCat("a signed batch has something that is no event, at ", i));
  }
  return leaves_.Leaves();
}

absl::StatusOr<BatchVerifier::Signed> BatchVerifier::Take(
    const link::CommitImport& import, absl::Span<const admission::Imported> admitted,
    absl::Span<const event::Record> records) {
  Signed out;
  if (!import.statement) return out;
  const storage::v1::TreeSignature& signature = *import.statement;
  CDGATE_ASSIGN_OR_RETURN(const absl::Span<const Digest> leaves,
                          LeavesOf(import, admitted, records));
  tree_.Build(leaves, signature.seed());
  const auto count = static_cast<uint32_t>(leaves.size());
  const uint64_t first = import.first_position.value();
  const Digest before = attestation::ReadDigest(digest_).value_or(Digest{});
  const Digest link = attestation::LinkDigest({.seed = signature.seed(),
                                               .agreement = agreement_,
                                               .link_epoch = import.cursor.link_epoch,
                                               .first_position = first,
                                               .count = count,
                                               .before = before});
  CDGATE_RETURN_IF_ERROR(chain_.statements().VerifySignature(
      peer_, signature,
      attestation::ExportText(peer_, deps_.domain, signature.sign_time_nanos(), link,
                              tree_.root())));
  digest_ = std::string(AsBytes(attestation::NextDigest(before, first, count, tree_.root())));
  out.root = std::string(AsBytes(tree_.root()).substr(0, ImportLeaf::kRootBytes));
  out.statement.set_sender(peer_);
  *out.statement.mutable_tree() = signature;
  out.statement.set_link(std::string(AsBytes(link)));
  for (const Digest& leaf : leaves) absl::StrAppend(out.statement.mutable_leaves(), AsBytes(leaf));
  return out;
}

absl::Status BatchVerifier::CheckChain(const event::RelayedView& event,
                                       const policy::Environment& environment) {
  if (event.path().size() == 1) return absl::OkStatus();
  event::CloudEventView view;
  view.Assign(event.cloud_event());  // admission read it
  const auto strict = [&environment](absl::string_view before, absl::string_view after) {
    return environment.labels().Stricter(before, after) == after;
  };
  return chain_.Verify(event, view, {.domain = deps_.domain, .at_least_as_strict = strict})
      .status();
}

absl::Status BatchVerifier::CheckReceipt(const link::ReceiptReceived& received) {
  const federation::v1::Receipt& receipt = received.receipt;
  const Digest digest = attestation::ReadDigest(receipt.digest()).value_or(Digest{});
  return chain_.statements().VerifySignature(
      peer_, receipt.key_id(), receipt.sign_time_nanos(),
      attestation::ReceiptText({.receiver = peer_,
                                .sender = deps_.domain,
                                .agreement = agreement_,
                                .link_epoch = received.link_epoch,
                                .position = receipt.position(),
                                .digest = digest,
                                .sign_time_nanos = receipt.sign_time_nanos()}),
      receipt.signature());
}

}  // namespace cdgate::session
