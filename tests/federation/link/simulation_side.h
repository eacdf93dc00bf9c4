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
#include "tests/federation/link/describe.h"
#include "tests/federation/link/fake_sealer.h"
#include "tests/federation/link/simulation.h"

namespace cdgate::test {

inline constexpr uint64_t kWindowEvents = 12;
inline constexpr uint64_t kMaxUnacknowledged = 20;

// Whether event `id` may cross under policy `version`: most are the same under every
// version, some are allowed by every other one.
enum class Fate { kAlways, kNever, kDepends };
inline Fate FateOf(uint64_t id) {
  const uint64_t h = id * 2654435761u % 10;
  return h < 5 ? Fate::kAlways : h < 8 ? Fate::kNever : Fate::kDepends;
}
inline bool Allows(uint64_t version, uint64_t id) {
  const Fate fate = FateOf(id);
  return fate == Fate::kAlways || (fate == Fate::kDepends && (id + version) % 2 == 0);
}

// What survives a crash.
struct Disk {
  std::string epoch = "L0";
  std::vector<uint64_t> log;      // ids; the sequence is the index + 1
  std::vector<uint64_t> imports;  // ids from the other side, in order
  std::set<uint64_t> known;       // the same
  link::ImportCursor cursor;
  base::Sequence horizon, acknowledged;
  std::map<uint64_t, uint64_t> sent_by;      // version of the policy, from a sequence on
  std::vector<storage::v1::LedgerRow> rows;  // of the live lane
  std::optional<link::ReplayJob> job;
  uint64_t jobs = 0;  // made so far
  base::Sequence replay_through;
};

struct Wire {
  std::deque<std::string> frames;
};

// What both sides share. The same seed gives the same story.
class Stage {
 public:
  explicit Stage(const SimulationOptions& options) : options_(options), random_(options.seed) {}

  void Fault(const std::string& what) {
    if (result.fault.empty()) result.fault = absl::StrCat("step ", step_, ": ", what);
  }
  void Trace(const std::string& side, const std::string& what) const {
    if (options_.trace) std::printf("%5d %s %s\n", step_, side.c_str(), what.c_str());
  }
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  // Some peers are of an older release.
  bool replays() const { return options_.seed % 8 != 0; }

  const SimulationOptions& options_;
  std::mt19937_64 random_;
  FakeSealer sealer;
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
  void ChangePolicy();
  bool HasWork() const { return !commits_.empty() || check_ || (need_ && CanDecide()); }
  bool CanDecide() const { return need_ && need_->from.value() <= disk_.log.size(); }
  void AnswerCheck();

  Stage& world_;
  const std::string name_, peer_;
  Disk disk_;
  std::vector<Disk> copies_;
  uint64_t policy_ = 1;
  bool begin_anew_ = false;
  bool frozen_ = false;
  bool repeats_allowed_ = false;
  std::unique_ptr<link::Link> link_;
  std::optional<link::NeedEvents> need_;
  std::optional<link::NeedReplay> replay_;
  std::optional<link::CheckPlace> check_;
  std::deque<std::function<void()>> commits_;  // what the disk has not done yet
  Wire* out_ = nullptr;                        // where frames go; null: nowhere
  bool writing_ = false;
  uint64_t sent_events_ = 0;  // on this link, to check bounds
  uint64_t held_events_ = 0;  // received, not committed

 private:
  void OnSend(const link::SendFrame& send);
  void CheckBatch(const federation::v1::Batch& batch);
  void OnImport(const link::CommitImport& import);
  void OnReplay(link::RecordReplay record);
  void OnClose(const link::CloseStream& close);
  bool DecideOne(uint64_t sequence, size_t max_events, bool account_only,
                 link::Decided* decided) const;
  link::Decided DecideSome(uint64_t request, base::Sequence from, uint64_t end, size_t max_events,
                           bool account_only);
};

}  // namespace cdgate::test
