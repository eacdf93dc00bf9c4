// A store over a log and a fold in memory, with everything a test decides in its hands.
//
//   StoreWorld world;
//   world.Open();
//   EXPECT_EQ(world.Publish("build-1").sequence, base::Sequence(1));
//   world.Crash();                        // the fold falls back to its last flush
//   world.Open();
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/executor.h"
#include "gateway/base/random.h"
#include "gateway/event/digests.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "gateway/state/memory_kv.h"
#include "gateway/state/store.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/gateway/state/published.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::test {

// The event of Published() as beta relays it to us.
inline storage::v1::StoredEvent Received(const std::string& id, const std::string& json,
                                         absl::Time accepted) {
  storage::v1::StoredEvent stored = Published(id, json, accepted);
  stored.set_origin("beta.example");
  stored.set_received_from("beta.example");
  stored.set_import_rule("builds@1");
  stored.set_hops(1);
  return stored;
}

inline state::CursorEdit Cursor(const std::string& reader, uint64_t position,
                                std::optional<uint64_t> expected = std::nullopt) {
  state::CursorEdit edit;
  edit.move.set_reader(reader);
  edit.move.set_position(position);
  edit.move.set_epoch("link-epoch");
  edit.expected_position = expected;
  return edit;
}

inline state::ResourceEdit Resource(const std::string& kind, const std::string& name,
                                    const std::string& value,
                                    std::optional<uint64_t> expected = std::nullopt) {
  return {.kind = kind,
          .name = name,
          .value = value,
          .expected_version = expected,
          .author = "local:root"};
}

class StoreWorld {
 public:
  explicit StoreWorld(eventlog::MemoryLog::Mode mode = eventlog::MemoryLog::Mode::kLocal)
      : mode_(mode) {}
  ~StoreWorld() { Close(); }

  absl::Status TryOpen() {
    log = std::make_unique<eventlog::MemoryLog>(log_storage, clock, base::SystemRandom(), mode_);
    auto memory = std::make_unique<state::MemoryKv>(kv_storage);
    kv = memory.get();
    auto opened = state::Store::Open(options,
                                     {.log = in_front ? in_front(*log) : *log,
                                      .clock = clock,
                                      .random = base::SystemRandom(),
                                      .metrics = metrics,
                                      .background = pool,
                                      .canonical_digest = &event::CanonicalJsonDigest,
                                      .space = space,
                                      .fold_outcomes = fold_outcomes,
                                      .run_delay = run_delay,
                                      .on_fatal = [this](absl::Status s) { Fatal(std::move(s)); }},
                                     std::move(memory));
    if (!opened.ok()) return opened.status();
    store = *std::move(opened);
    return absl::OkStatus();
  }
  void Open() { ASSERT_TRUE(TryOpen().ok()); }
  void Close() {
    store.reset();
    log.reset();
  }
  // What was not flushed is gone.
  void Crash() {
    const auto flushed = std::make_shared<state::MemoryKvStorage>();
    {
      base::MutexLock from(kv_storage->mu);
      base::MutexLock to(flushed->mu);
      flushed->tables = kv_storage->tables;
    }
    Close();  // flushes into the storage that is left behind
    kv_storage = flushed;
  }

  state::NewEvent New(const storage::v1::StoredEvent& stored) const {
    const std::string bytes = stored.SerializeAsString();
    const event::Record record(base::Sequence(), bytes);
    const state::IdentityKey identity =
        store->identities().Of(record.origin(), record.source(), record.id());
    return state::MakeNewEvent(bytes, identity);
  }
  state::Proposal OfEvents(const std::vector<storage::v1::StoredEvent>& events) const {
    state::Proposal proposal;
    for (const auto& event : events) proposal.events.push_back(New(event));
    return proposal;
  }

  // The outcome, once it is there.
  class Waiting {
   public:
    state::Outcome Get() {
      base::MutexLock lock(state_->mu);
      while (!state_->outcome) state_->done.Wait(state_->mu);
      return *state_->outcome;
    }
    bool ready() {
      base::MutexLock lock(state_->mu);
      return state_->outcome.has_value();
    }
    state::Done done() {
      return [state = state_](state::Outcome outcome) {
        base::MutexLock lock(state->mu);
        state->outcome = std::move(outcome);
        state->done.SignalAll();
      };
    }

   private:
    struct State {
      base::Mutex mu;
      base::CondVar done;
      std::optional<state::Outcome> outcome CDGATE_GUARDED_BY(mu);
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
  };

  Waiting Begin(state::Proposal proposal) const {
    Waiting waiting;
    const absl::Status queued = store->Propose(std::move(proposal), waiting.done());
    if (!queued.ok()) waiting.done()({.status = queued});
    return waiting;
  }
  state::Outcome Propose(state::Proposal proposal) const {
    return Begin(std::move(proposal)).Get();
  }
  state::EventResult Publish(const std::string& id, const std::string& json = "{}") const {
    return Propose(OfEvents({Published(id, json, clock.Now())})).events.at(0);
  }
  absl::Status Apply(state::ResourceEdit edit) const {
    state::Proposal proposal;
    proposal.resources.push_back(std::move(edit));
    return Propose(std::move(proposal)).status;
  }
  absl::Status Move(state::CursorEdit cursor) const {
    state::Proposal proposal;
    proposal.cursors.push_back(std::move(cursor));
    return Propose(std::move(proposal)).status;
  }

  absl::Status fatal() {
    base::MutexLock lock(mu_);
    return fatal_;
  }
  double Refusals(const char* reason) {
    return metrics.AddCounter("cdgate_log_refusals_total", "", {{"reason", reason}}).Value();
  }

  FakeClock clock;
  base::Metrics metrics;
  base::ThreadPool pool{{.name = "background", .threads = 2, .max_queued = 64}};
  state::StoreOptions options;
  state::SpaceProbe space;
  state::FoldOutcomes fold_outcomes;
  // What the store sees in place of the log; empty: the log.
  std::function<eventlog::EventLog&(eventlog::MemoryLog&)> in_front;
  absl::Duration (*run_delay)() = nullptr;
  std::shared_ptr<eventlog::MemoryLogStorage> log_storage =
      std::make_shared<eventlog::MemoryLogStorage>();
  std::shared_ptr<state::MemoryKvStorage> kv_storage = std::make_shared<state::MemoryKvStorage>();
  std::unique_ptr<eventlog::MemoryLog> log;
  state::MemoryKv* kv = nullptr;  // the store's
  std::unique_ptr<state::Store> store;

 private:
  void Fatal(absl::Status status) {
    base::MutexLock lock(mu_);
    fatal_ = std::move(status);
  }
  const eventlog::MemoryLog::Mode mode_;
  base::Mutex mu_;
  absl::Status fatal_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::test
