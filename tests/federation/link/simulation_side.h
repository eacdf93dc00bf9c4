// One side of a simulation: a real Link, and a model of everything around it.
#pragma once

#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/link/link.h"
#include "federation/link/pace.h"
#include "tests/federation/link/describe.h"
#include "tests/federation/link/fake_sealer.h"
#include "tests/federation/link/simulation.h"
#include "tests/federation/link/simulation_signer.h"

namespace cdgate::test {

inline constexpr uint64_t kWindowEvents = 12;
inline constexpr uint64_t kMaxUnacknowledged = 20;

// Whether event `id` may cross under version `version` of a policy: most are the same under
// every version, some are allowed by every other one.
enum class Fate { kAlways, kNever, kDepends };
inline Fate FateOf(uint64_t id) {
  const uint64_t h = id * 2654435761u % 10;
  return h < 5 ? Fate::kAlways : h < 8 ? Fate::kNever : Fate::kDepends;
}
inline bool Allows(uint64_t version, uint64_t id) {
  const Fate fate = FateOf(id);
  return fate == Fate::kAlways || (fate == Fate::kDepends && (id + version) % 2 == 0);
}
// The same of the receiver's rules. Version 0: no rules are shown.
inline bool AlwaysWanted(uint64_t id) { return id * 40503u % 7 < 5; }
inline bool Wants(uint64_t version, uint64_t id) {
  return version == 0 || AlwaysWanted(id) || (id + version) % 3 == 0;
}
// Payload of an event; where some are large.
inline size_t LargeBytes(uint64_t id) { return id % 7 == 0 ? 70'000 : id % 3 == 0 ? 20'000 : 10; }
inline bool TooLarge(bool large, uint64_t id) { return large && id % 7 == 0; }
// What a hostile side makes up begins here.
inline constexpr uint64_t kFirstForgedId = 1'000'000'000;

// What decides: of the exporter's policy and of the importer's rules.
struct Version {
  uint64_t policy = 0, interest = 0;
  bool operator==(const Version&) const = default;
};

// What survives a crash.
struct Disk {
  std::string epoch = "L0";
  std::vector<uint64_t> log;         // ids; the sequence is the index + 1
  std::vector<absl::Time> accepted;  // by our wall clock, of each in log
  uint64_t first = 1;                // what is before it is trimmed
  std::vector<uint64_t> imports;     // ids from the other side, in order
  std::set<uint64_t> known;          // the same
  link::ImportCursor cursor;
  base::Sequence horizon, acknowledged;
  std::map<uint64_t, Version> sent_by;       // what decides, from a sequence on
  std::vector<storage::v1::LedgerRow> rows;  // of the live lane
  std::optional<link::ReplayJob> job;
  uint64_t jobs = 0;  // made so far
  base::Sequence replay_through;
  std::optional<federation::v1::Receipt> receipt;  // the peer's last
  std::string receipt_epoch;
};

// One direction of the connection.
struct Wire {
  std::deque<std::string> frames;
  std::deque<std::string> old;  // delivered lately, on this connection or one before
  int blocked_until = 0;        // step
};

class Checker;

// What both sides share. The same seed gives the same story.
class Stage {
 public:
  explicit Stage(const SimulationOptions& options) : options_(options), random_(options.seed) {}

  void Fault(const std::string& what) {
    if (!result.fault.empty()) return;
    result.fault = absl::StrCat("step ", step_, ": ", what);
    Trace("!", what);
  }
  void Trace(const std::string& side, const std::string& what) const {
    if (options_.trace) std::printf("%5d %s %s\n", step_, side.c_str(), what.c_str());
  }
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  const Faults& faults() const { return options_.faults; }
  // Whether this is broken on purpose, and happens now.
  bool Broken(Mutant mutant) {
    if (mutant == Mutant::kNone || options_.mutant != mutant) return false;
    return IsRare(mutant) || Chance(30);
  }

  const SimulationOptions& options_;
  std::mt19937_64 random_;
  FakeSealer sealer;
  Checker* checker = nullptr;
  absl::Time now = ScriptEpoch();
  uint64_t next_id = 1, next_epoch = 1;
  int step_ = 0;
  SimulationResult result;
};

class Side {
 public:
  Side(Stage& world, std::string name, std::string peer)
      : world_(world), name_(std::move(name)), peer_(std::move(peer)) {}

  void Connect(Wire* out);
  void Step(link::Input input);
  // The transport took the frame that is being written.
  void FrameLeft();
  void Do(link::Output output);

  void Publish();
  void CommitSome();
  void Decide();
  void DecideReplay();
  // Offers [first, last] again, or just `only` of it; nothing where a job runs.
  void StartJob(uint64_t first, uint64_t last, std::vector<base::Sequence> only);
  void StartSomeJob();
  void Crash();
  void RollBack();
  void Trim();
  void ChangePolicy();
  void ChangeInterest(bool paused);
  void ChangeRate(bool limited);
  void SetFrozen(bool frozen);
  void SetHeld(bool held);
  void RenewKey();
  bool CanDecide() const { return need_ && need_->from.value() <= disk_.log.size(); }
  void AnswerCheck();

  // Our monotonic clock, and what we take for the time of day.
  absl::Time Now() const { return ScriptEpoch() + (world_.now - ScriptEpoch()) * speed_; }
  absl::Time Wall() const { return Now() + wall_offset_; }
  link::HeadMoved Head() const { return {base::Sequence(disk_.log.size()), Wall()}; }
  Version version() const { return {policy_, peer_interest_}; }

  Stage& world_;
  const std::string name_, peer_;
  Disk disk_;
  std::vector<Disk> copies_;
  uint64_t policy_ = 1;
  uint64_t interest_ = 0;       // version of our import rules
  uint64_t peer_interest_ = 0;  // that the peer showed on this link
  bool paused_ = false;         // we stopped the direction to us
  link::Rate rate_;             // at which we take events
  double rate_left_ = 0;        // how many may still come, as of:
  absl::Time rate_seen_ = ScriptEpoch();
  link::Paces paces_;  // of one life of the process
  bool begin_anew_ = false;
  bool frozen_ = false;
  bool held_ = false;
  bool repeats_allowed_ = false;
  bool wall_jumped_ = false;
  int stands_until_ = 0, slow_until_ = 0;  // steps
  double speed_ = 1;
  absl::Duration wall_offset_;
  std::unique_ptr<link::Link> link_;
  std::optional<link::NeedEvents> need_;
  std::optional<link::NeedReplay> replay_;
  std::optional<link::CheckPlace> check_;
  std::deque<std::function<void()>> commits_;  // what the disk has not done yet
  Wire* out_ = nullptr;                        // where frames go; null: nowhere
  bool writing_ = false;                       // a frame is with the transport
  bool left_ = false;         // it left, and the link was not told yet: nothing waits for that
  uint64_t held_events_ = 0;  // received, not committed
  SimulatedSigner signer_;
  std::set<std::string> keys_;    // of the peer, that it told of
  std::string received_digest_;   // behind what came, on disk or not
  base::Position receipt_given_;  // on this link

 private:
  void StepOnce(link::Input input);
  void TellOfFrame();
  link::LinkConfig Config();
  federation::v1::Interest Interest() const;
  void OnSend(const link::SendFrame& send);
  void OnHorizon(const link::WriteHorizon& horizon);
  void OnLedger(link::RecordLedger ledger);
  void OnMove(const link::MoveCursor& move);
  void OnImport(const link::CommitImport& import);
  void CommitEvents(const std::vector<uint64_t>& ids, bool replay, const link::ImportCursor& cursor,
                    std::vector<federation::v1::Refusal>* refused);
  void OnReplay(link::RecordReplay record);
  void OnClose(const link::CloseStream& close);
  void AddReceipt(federation::v1::Frame* frame);
  void BeginRate();
  void CheckRate(size_t events);
  bool Verify(const link::CommitImport& import, const std::vector<uint64_t>& ids);
  void OnReceipt(const link::ReceiptReceived& received);
  void OnDisputed(const link::HistoryDisputed& disputed);
  bool DecideOne(uint64_t sequence, const link::NeedEvents& need, const Version& version,
                 link::Decided* decided);
  link::Decided DecideSome(const link::NeedEvents& need);
  Version Accounted(link::NeedEvents* need) const;
};

}  // namespace cdgate::test
