// Watches both sides of a simulation from outside and knows what has to hold.
//
// It does not ask the cores: it reads the frames that they send, what is on the disks, and the
// policies, and keeps books of its own. Each claim that does not hold is a fault of the story.
//
//   - An event leaves only where policy and the rules shown allow it and no freeze or hold stands,
//     behind a horizon on disk, by a version that the disk names; it is taken only where the
//     rules of the receiver let it in.
//   - Positions are gapless, and a cursor counts exactly the events that are on disk: its token
//     is behind no event that is owed and not here.
//   - Events of the live lane come in order, once.
//   - Credit, the bounds of frames and of what is in flight hold, and so does the rate at which a
//     side takes events, over all links of one life of it.
//   - Every sequence is in one ledger row, counted once, with the outcome that the versions and
//     the disk of the receiver give.
//   - What is signed goes on from what was signed before, and receipts are for that, ever further.
//   - "Caught up as of" is true.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/federation/link/simulation_side.h"

namespace cdgate::test {

class Checker {
 public:
  // All outlive it.
  Checker(Stage& world, Side& a, Side& b) : world_(world), a_(a), b_(b) {}

  void Connected(const Side& side);
  // A frame is handed to the transport; what is credited came from there.
  void Sent(const Side& from, const std::string& bytes);
  void Delivered(const Side& to, const federation::v1::Frame& frame);
  // These are on disk now: `to.disk_` is as it was before.
  void Taken(const Side& to, const std::vector<uint64_t>& ids, const std::vector<uint64_t>& refused,
             bool replay, const link::ImportCursor& cursor);
  void CursorMoved(const Side& to, const link::ImportCursor& cursor);
  // The other side's receipt is to be on disk.
  void Receipted(const Side& from, const link::ReceiptReceived& received);
  void Recorded(const Side& from, const std::vector<storage::v1::LedgerRow>& rows,
                base::Sequence through);
  // The event will never arrive, and nobody promised that it does.
  void Trimmed(const Side& from, uint64_t first);
  void AtEnd();

 private:
  // Of what one side sends.
  struct Lane {
    std::set<uint64_t> taken, refused;  // by the other side, ever
    std::set<uint64_t> excused;         // trimmed while the other side did not have them
    uint64_t credit_events = 0, credit_bytes = 0, used_events = 0, used_bytes = 0;
    // Rolling digests of what left, by link epoch and position.
    std::map<std::string, std::map<uint64_t, std::string>> digests;
    uint64_t covered = 0;  // every event owed through this sequence is at the other side
  };

  Lane& LaneOf(const Side& from) { return &from == &a_ ? from_a_ : from_b_; }
  Side& PeerOf(const Side& side) { return &side == &a_ ? b_ : a_; }
  bool lossy() const { return world_.faults().lossy || world_.faults().byzantine; }
  // Nothing that this side imports is to be trusted.
  bool lied_to(const Side& side) const { return world_.faults().byzantine && &side == &a_; }
  bool Owed(const Side& from, uint64_t id);

  void CheckBatch(const Side& from, const federation::v1::Batch& batch, size_t bytes);
  void CheckSigned(const Side& from, const federation::v1::Batch& batch);
  void CheckLeaves(const Side& from, const federation::v1::Batch& batch, uint64_t id);
  void CheckHeartbeat(const Side& from, const federation::v1::Heartbeat& heartbeat, size_t bytes);
  void CheckCursor(const Side& to, const link::ImportCursor& cursor, uint64_t events);
  void CheckCovered(const Side& to, const link::ImportCursor& cursor);
  void CheckOrder(const Side& to, const std::vector<uint64_t>& ids);
  void CheckRow(const Side& from, const storage::v1::LedgerRow& row);
  void CheckTrimmedRow(const Side& from, const storage::v1::LedgerRow& row);
  void CheckOutcomes(const Side& from, const storage::v1::LedgerRow& row);
  void CheckArrivals(const Side& from, const Side& to);
  void CheckAccounts(const Side& from);

  Stage& world_;
  Side& a_;
  Side& b_;
  Lane from_a_, from_b_;
};

}  // namespace cdgate::test
