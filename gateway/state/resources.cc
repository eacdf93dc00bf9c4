#include "gateway/state/resources.h"

#include <algorithm>

namespace cdgate::state {

ResourcePtr ResourceSnapshot::Find(absl::string_view kind, absl::string_view name) const {
  ResourcePtr latest = Latest(kind, name);
  return latest == nullptr || latest->deleted ? nullptr : latest;
}

ResourcePtr ResourceSnapshot::Latest(absl::string_view kind, absl::string_view name) const {
  const auto names = kinds_.find(kind);
  if (names == kinds_.end()) return nullptr;
  const auto it = names->second->find(name);
  return it == names->second->end() ? nullptr : it->second;
}

std::vector<ResourcePtr> ResourceSnapshot::List(absl::string_view kind, absl::string_view after,
                                                size_t limit) const {
  std::vector<ResourcePtr> out;
  const auto names = kinds_.find(kind);
  if (names == kinds_.end()) return out;
  for (auto it = names->second->upper_bound(after);
       it != names->second->end() && out.size() < limit; ++it) {
    if (!it->second->deleted) out.push_back(it->second);
  }
  return out;
}

uint64_t ResourceSnapshot::LastChange(absl::string_view kind) const {
  uint64_t last = 0;
  const auto names = kinds_.find(kind);
  if (names == kinds_.end()) return last;
  for (const auto& [name, resource] : *names->second) last = std::max(last, resource->commit);
  return last;
}

std::vector<ResourcePtr> ResourceSnapshot::ChangedAfter(uint64_t commit) const {
  std::vector<ResourcePtr> out;
  for (const auto& [kind, names] : kinds_) {
    for (const auto& [name, resource] : *names) {
      if (resource->commit > commit) out.push_back(resource);
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const ResourcePtr& a, const ResourcePtr& b) {
    return a->commit < b->commit;
  });
  return out;
}

std::shared_ptr<const ResourceSnapshot> ResourceSnapshot::With(
    const std::vector<ResourcePtr>& changes) const {
  auto next = std::make_shared<ResourceSnapshot>(*this);
  std::map<std::string, std::shared_ptr<Kind>> copies;
  for (const ResourcePtr& change : changes) {
    std::shared_ptr<Kind>& copy = copies[change->kind];
    if (copy == nullptr) {
      const auto now = kinds_.find(change->kind);
      copy = now == kinds_.end() ? std::make_shared<Kind>() : std::make_shared<Kind>(*now->second);
      next->kinds_[change->kind] = copy;
    }
    (*copy)[change->name] = change;
    next->commit_ = std::max(next->commit_, change->commit);
  }
  return next;
}

}  // namespace cdgate::state
