// What can be broken on purpose in a simulation, so that it shows that the Checker notices.
//
// Most change what a Link takes or gives, as if its code were wrong; the others are faults of
// whoever drives it. A simulation with any of them is to end with a fault.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "federation/link/messages.h"

namespace cdgate::test {

enum class Mutant {
  kNone,
  // --- of the core
  kDropEvent,       // an event of a batch is not handed on
  kRepeatEvent,     // one is handed on twice
  kSwapEvents,      // two change places
  kSkipRow,         // a ledger row is not given out
  kRepeatRow,       // one is given out twice
  kMiscount,        // a row counts one event too many
  kForgetRefusal,   // a row says of a refused event that it was accepted
  kCursorAhead,     // a cursor counts one event too many
  kTokenAhead,      // a cursor's token is of a later place
  kPositionGap,     // a batch names another position
  kExceedCredit,    // credit counts ten times
  kGiantFrame,      // frames are filled up beyond what the peer takes
  kTwoFrames,       // a frame is given out twice
  kWrongHeartbeat,  // heartbeats tell by their size how much was withheld
  // --- of whoever drives it
  kAckEarly,        // says that events are on disk before they are
  kHorizonEarly,    // says so of the horizon
  kSplitCommit,     // cursor and events are two commits
  kLeak,            // what the policy denies is decided as allowed
  kIgnoreInterest,  // what the receiver does not want is decided as allowed
  kTakeUnwanted,    // the receiver takes what its rules refuse
  kStalePolicy,     // the core is not told of another policy
  kSendFrozen,      // nor of a freeze
  kForgetRate,      // nor of another rate
  kForgetLedger,    // a new link begins as if nothing were in the ledger
  kClaimTooMuch,    // "caught up as of" is ahead of the clock
  kStall,           // requests are not answered any more
  kForgetDigest,    // another digest is on disk than that of what was signed
  kWrongReceipt,    // and another is signed for
  kSilentKey,       // nobody is told of a new key
};

// All but kNone.
std::vector<Mutant> AllMutants();
absl::string_view MutantName(Mutant mutant);
// What it breaks does not happen often, so it is broken each time.
bool IsRare(Mutant mutant);

// Changes what the core gives out where `mutant` says so; true: it is to be given out twice.
bool Break(Mutant mutant, link::Output* output);
// Changes what the core is told.
void Break(Mutant mutant, link::Input* input);

}  // namespace cdgate::test
