#include "gateway/state/watchers.h"

#include <utility>
#include <vector>

namespace cdgate::state {

using base::MutexLock;

uint64_t Watchers::Add(Watcher watcher) {
  auto entry = std::make_shared<Entry>();
  entry->watcher = std::move(watcher);
  uint64_t id = 0;
  {
    MutexLock lock(mu_);
    id = ++last_id_;
    entries_[id] = entry;
  }
  Schedule(entry);
  return id;
}

void Watchers::Remove(uint64_t id) {
  EntryPtr entry;
  {
    MutexLock lock(mu_);
    const auto it = entries_.find(id);
    if (it == entries_.end()) return;
    entry = std::move(it->second);
    entries_.erase(it);
  }
  MutexLock lock(entry->mu);
  entry->removed = true;
}

void Watchers::Notify() {
  std::vector<EntryPtr> entries;
  {
    MutexLock lock(mu_);
    for (const auto& [id, entry] : entries_) entries.push_back(entry);
  }
  for (const EntryPtr& entry : entries) Schedule(entry);
}

void Watchers::Schedule(const EntryPtr& entry) {
  {
    MutexLock lock(entry->mu);
    entry->dirty = true;
    if (entry->active) return;
    entry->active = true;
  }
  const base::Task run = gate_->Guard([entry, this] { Run(entry, resources_); });
  if (!executor_.TryPost(run)) run();
}

void Watchers::Run(const EntryPtr& entry, const ResourceTable& resources) {
  for (;;) {
    {
      MutexLock lock(entry->mu);
      if (entry->removed || !entry->dirty) {
        entry->active = false;
        return;
      }
      entry->dirty = false;
    }
    entry->watcher(resources.snapshot());
  }
}

}  // namespace cdgate::state
