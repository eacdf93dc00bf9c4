// What a side of a simulation signs, and what it makes of what the other signed.
#include <utility>

#include "federation/link/codec.h"
#include "tests/federation/link/simulation_checker.h"
#include "tests/federation/link/simulation_side.h"

namespace cdgate::test {

using base::Reason;

void Side::RenewKey() {
  const std::string key = absl::StrCat("key ", world_.next_epoch++);
  world_.Trace(name_, absl::StrCat("*** signs with ", key));
  signer_.SetKey(key, world_.Broken(Mutant::kSilentKey));
}

// With heartbeats, where there is something new.
void Side::AddReceipt(federation::v1::Frame* frame) {
  const link::ImportCursor& cursor = disk_.cursor;
  if (!frame->has_heartbeat() || !world_.faults().statements || begin_anew_) return;
  if (cursor.digest.empty() || cursor.position == receipt_given_) return;
  receipt_given_ = cursor.position;
  auto& heartbeat = *frame->mutable_heartbeat();
  heartbeat.clear_padding();
  auto& receipt = *heartbeat.mutable_receipt();
  receipt.set_position(cursor.position.value());
  receipt.set_digest(cursor.digest);
  receipt.set_signature(std::string(72, 's'));
  if (world_.Broken(Mutant::kWrongReceipt)) receipt.set_digest(SimulatedDigest("something else"));
  link::PadHeartbeat(frame);
}

// Whether what came is what the other side signed; the digest goes on with every batch.
bool Side::Verify(const link::CommitImport& import, const std::vector<uint64_t>& ids) {
  if (!import.statement) return true;
  const std::string text =
      SimulatedClaim(SimulatedRoot(ids), import.cursor.link_epoch, import.first_position.value(),
                     ids.size(), received_digest_);
  const bool known = keys_.count(import.statement->key_id()) > 0;
  if (known && import.statement->signature() == text) {
    received_digest_ = SimulatedDigest(text);
    return true;
  }
  const Faults& faults = world_.faults();
  if (!faults.lossy && !faults.byzantine) {
    world_.Fault(known ? absl::StrCat("signed is ", import.statement->signature(), ", came ", text)
                       : absl::StrCat("nobody told of ", import.statement->key_id()));
  }
  Step(link::End{Reason::kAttestationInvalid, "not what is signed", {}});
  return false;
}

void Side::OnReceipt(const link::ReceiptReceived& received) {
  commits_.push_back([this, received] {
    world_.checker->Receipted(*this, received);
    disk_.receipt = received.receipt;
    disk_.receipt_epoch = received.link_epoch;
    ++world_.result.receipts;
  });
}

// Never where both tell the truth and nobody's disk was put back.
void Side::OnDisputed(const link::HistoryDisputed& disputed) {
  ++world_.result.disputes;
  if (world_.faults().rollbacks || world_.faults().byzantine) return;
  world_.Fault(absl::StrCat(name_, " is told that position ", disputed.position.value(),
                            " is something else"));
}

}  // namespace cdgate::test
