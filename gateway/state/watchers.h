// Tells those who watch resources that they changed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "gateway/base/executor.h"
#include "gateway/base/mutex.h"
#include "gateway/state/resource_table.h"
#include "gateway/state/resources.h"
#include "gateway/state/task_gate.h"

namespace cdgate::state {

// Thread-safe.
class Watchers {
 public:
  using Watcher = std::function<void(ResourceSnapshotPtr)>;

  // Both outlive the watchers, the executor until Close.
  Watchers(const ResourceTable& resources, base::Executor& executor)
      : resources_(resources), executor_(executor), gate_(TaskGate::Create()) {}

  // Calls `watcher` on the executor with the newest snapshot, now and after Notify: one
  // call at a time. Several changes may be told in one call. Where the executor refuses, the
  // call is made at once: a freeze must not wait for a busy pool.
  uint64_t Add(Watcher watcher);
  // No call begins after this.
  void Remove(uint64_t id);
  void Notify();
  // Returns when no call runs any more.
  void Close() { gate_->Close(); }

 private:
  struct Entry {
    Watcher watcher;
    base::Mutex mu;
    bool active CDGATE_GUARDED_BY(mu) = false;  // posted or running
    bool dirty CDGATE_GUARDED_BY(mu) = false;   // has something to be told
    bool removed CDGATE_GUARDED_BY(mu) = false;
  };
  using EntryPtr = std::shared_ptr<Entry>;
  void Schedule(const EntryPtr& entry);
  static void Run(const EntryPtr& entry, const ResourceTable& resources);

  const ResourceTable& resources_;
  base::Executor& executor_;
  const std::shared_ptr<TaskGate> gate_;
  base::Mutex mu_;
  std::map<uint64_t, EntryPtr> entries_ CDGATE_GUARDED_BY(mu_);
  uint64_t last_id_ CDGATE_GUARDED_BY(mu_) = 0;
};

}  // namespace cdgate::state
