// What a session does about statements: keys that come and go, and receipts.
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/codec.h"
#include "federation/session/session.h"
#include "gateway/base/logging.h"

namespace cdgate::session {

void Session::Do(link::AttestorsReceived received) {
  if (callbacks_.on_attestors) callbacks_.on_attestors(received.attestors);
}

void Session::Do(link::ReceiptReceived received) {
  const absl::Status fits = importer_->CheckReceipt(received);
  if (fits.ok()) return ledger_->Record(std::move(received));
  base::LogError(base::LogLevel::kWarning, "receipt not taken", fits, {{"peer", peer_}});
}

void Session::Do(link::HistoryDisputed disputed) {
  metrics_.disputes.Add();
  base::Log(base::LogLevel::kError, "the peer signs for something else than it was sent",
            {{"peer", peer_}, {"position", absl::StrCat(disputed.position.value())}});
}

// A signature for each heartbeat, where there is something new.
void Session::AddReceipt(federation::v1::Frame* frame) {
  const ImportWriter::OnDisk& on_disk = importer_->on_disk();
  if (on_disk.digest.empty() || on_disk.position == receipt_given_) return;
  auto receipt = signer_->SignReceipt(on_disk.link_epoch, on_disk.position.value(), on_disk.digest);
  if (!receipt) return;
  receipt_given_ = on_disk.position;
  frame->mutable_heartbeat()->clear_padding();
  *frame->mutable_heartbeat()->mutable_receipt() = *std::move(receipt);
  link::PadHeartbeat(frame);
}

}  // namespace cdgate::session
