#include "tests/federation/link/simulation_mutants.h"

#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cdgate::test {
namespace {

using link::CommitImport;
using link::RecordLedger;
using link::SendFrame;
using storage::v1::LedgerRow;

void BreakEvents(Mutant mutant, CommitImport* import) {
  auto& views = import->events.views;
  if (mutant == Mutant::kDropEvent) views.pop_back();
  if (mutant == Mutant::kRepeatEvent) views.push_back(views.back());
  if (mutant == Mutant::kSwapEvents && views.size() > 1) std::swap(views.front(), views.back());
}

// One sequence further than the events go.
std::string LaterToken(const std::string& token) {
  unsigned long sequence = 0;
  int used = 0;
  if (sscanf(token.c_str(), "<%lu%n", &sequence, &used) != 1) return token;
  return absl::StrCat("<", sequence + 3, token.substr(static_cast<size_t>(used)));
}

void BreakCursor(Mutant mutant, link::ImportCursor* cursor) {
  if (mutant == Mutant::kCursorAhead) cursor->position = cursor->position.Next();
  if (mutant == Mutant::kTokenAhead) cursor->token = LaterToken(cursor->token);
}

void ForgetRefusals(LedgerRow* row) {
  uint64_t refused = 0;
  for (auto& count : *row->mutable_counts()) {
    if (count.state() != "refused") continue;
    refused += count.count();
    count.set_count(0);
  }
  auto* const exceptions = row->mutable_exceptions();
  for (int i = exceptions->size() - 1; i >= 0; --i) {
    if (exceptions->Get(i).state() == "refused") exceptions->DeleteSubrange(i, 1);
  }
  if (refused == 0) return;
  auto* const accepted = row->add_counts();
  accepted->set_state("accepted");
  accepted->set_count(refused);
}

void BreakRows(Mutant mutant, RecordLedger* ledger) {
  auto& rows = ledger->rows;
  if (rows.empty()) return;
  if (mutant == Mutant::kSkipRow) rows.pop_back();
  if (mutant == Mutant::kRepeatRow) rows.push_back(rows.back());
  if (mutant == Mutant::kMiscount && rows[0].counts_size() > 0) {
    rows[0].mutable_counts(0)->set_count(rows[0].counts(0).count() + 1);
  }
  if (mutant == Mutant::kForgetRefusal) {
    for (LedgerRow& row : rows) ForgetRefusals(&row);
  }
}

void BreakFrame(Mutant mutant, SendFrame* send) {
  federation::v1::Frame& frame = send->frame;
  if (mutant == Mutant::kPositionGap && frame.has_batch()) {
    frame.mutable_batch()->set_first_position(frame.batch().first_position() + 1);
  }
  if (mutant == Mutant::kGiantFrame && frame.has_hello()) {
    frame.mutable_hello()->set_software(std::string(2 << 20, 'x'));
  }
  if (mutant == Mutant::kWrongHeartbeat && frame.has_heartbeat()) {
    frame.mutable_heartbeat()->mutable_padding()->pop_back();
  }
}

constexpr std::pair<Mutant, absl::string_view> kNames[] = {
    {Mutant::kDropEvent, "drop_event"},
    {Mutant::kRepeatEvent, "repeat_event"},
    {Mutant::kSwapEvents, "swap_events"},
    {Mutant::kSkipRow, "skip_row"},
    {Mutant::kRepeatRow, "repeat_row"},
    {Mutant::kMiscount, "miscount"},
    {Mutant::kForgetRefusal, "forget_refusal"},
    {Mutant::kCursorAhead, "cursor_ahead"},
    {Mutant::kTokenAhead, "token_ahead"},
    {Mutant::kPositionGap, "position_gap"},
    {Mutant::kExceedCredit, "exceed_credit"},
    {Mutant::kGiantFrame, "giant_frame"},
    {Mutant::kTwoFrames, "two_frames"},
    {Mutant::kWrongHeartbeat, "wrong_heartbeat"},
    {Mutant::kAckEarly, "ack_early"},
    {Mutant::kHorizonEarly, "horizon_early"},
    {Mutant::kSplitCommit, "split_commit"},
    {Mutant::kLeak, "leak"},
    {Mutant::kIgnoreInterest, "ignore_interest"},
    {Mutant::kTakeUnwanted, "take_unwanted"},
    {Mutant::kStalePolicy, "stale_policy"},
    {Mutant::kSendFrozen, "send_frozen"},
    {Mutant::kForgetRate, "forget_rate"},
    {Mutant::kForgetLedger, "forget_ledger"},
    {Mutant::kClaimTooMuch, "claim_too_much"},
    {Mutant::kStall, "stall"},
    {Mutant::kForgetDigest, "forget_digest"},
    {Mutant::kWrongReceipt, "wrong_receipt"},
    {Mutant::kSilentKey, "silent_key"},
};

}  // namespace

std::vector<Mutant> AllMutants() {
  std::vector<Mutant> all;
  for (const auto& [mutant, name] : kNames) all.push_back(mutant);
  return all;
}

absl::string_view MutantName(Mutant mutant) {
  for (const auto& [known, name] : kNames) {
    if (known == mutant) return name;
  }
  return "none";
}

bool IsRare(Mutant mutant) {
  return mutant == Mutant::kForgetRefusal || mutant == Mutant::kStalePolicy ||
         mutant == Mutant::kSendFrozen || mutant == Mutant::kTakeUnwanted ||
         mutant == Mutant::kSilentKey || mutant == Mutant::kClaimTooMuch ||
         mutant == Mutant::kForgetRate;
}

bool Break(Mutant mutant, link::Output* output) {
  if (auto* import = std::get_if<CommitImport>(output)) {
    BreakEvents(mutant, import);
    BreakCursor(mutant, &import->cursor);
  } else if (auto* ledger = std::get_if<RecordLedger>(output)) {
    BreakRows(mutant, ledger);
  } else if (auto* send = std::get_if<SendFrame>(output)) {
    BreakFrame(mutant, send);
    return mutant == Mutant::kTwoFrames;
  }
  return false;
}

void Break(Mutant mutant, link::Input* input) {
  if (auto* received = std::get_if<link::FrameReceived>(input)) {
    if (mutant != Mutant::kExceedCredit || !received->frame.has_credit()) return;
    auto* const credit = received->frame.mutable_credit();
    credit->set_events(credit->events() * 10);
    credit->set_bytes(credit->bytes() * 10);
  } else if (auto* head = std::get_if<link::HeadMoved>(input)) {
    if (mutant == Mutant::kClaimTooMuch) head->as_of += absl::Hours(1);
  }
}

}  // namespace cdgate::test
