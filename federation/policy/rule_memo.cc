#include "federation/policy/rule_memo.h"

#include <atomic>
#include <utility>

#include "gateway/base/mutex.h"

namespace cdgate::policy {
namespace {

constexpr size_t kMaxKeyBytes = 1024;

// Each text after its size, so that no two kinds have one key.
void MakeKey(absl::Span<const absl::string_view> texts, std::string* key) {
  key->clear();
  for (const absl::string_view text : texts) {
    const auto size = static_cast<uint32_t>(text.size());
    key->append(reinterpret_cast<const char*>(&size), sizeof size);
    key->append(text.data(), text.size());
  }
}

struct KnownLists {
  base::Mutex mu;
  absl::flat_hash_map<std::string, std::weak_ptr<const RuleList>> by_conditions
      CDGATE_GUARDED_BY(mu);
};

KnownLists& Lists() {
  static auto* const lists = new KnownLists();
  return *lists;
}

}  // namespace

// Those that nobody holds any more go when the next comes.
std::shared_ptr<const RuleList> RuleList::Of(absl::Span<const absl::string_view> conditions) {
  std::string key;
  MakeKey(conditions, &key);
  KnownLists& lists = Lists();
  base::MutexLock lock(lists.mu);
  absl::erase_if(lists.by_conditions, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const RuleList>& known = lists.by_conditions[std::move(key)];
  std::shared_ptr<const RuleList> list = known.lock();
  if (list == nullptr) known = list = std::shared_ptr<const RuleList>(new RuleList());
  return list;
}

uint64_t RuleMemo::NewSerial() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

RuleMemo::Kind& RuleMemo::KindOf(uint64_t serial, const filter::EventContext& event) {
  MakeKey({event.type(), event.source(), event.origin(), event.plane()}, &key_);
  if (serial == serial_ && last_ != nullptr && key_ == last_key_) return *last_;
  if (key_.size() > kMaxKeyBytes) return unkept_ = {};
  if (serial != serial_ || kinds_.size() >= kMaxKinds) kinds_.clear();
  serial_ = serial;
  last_ = &kinds_[key_];
  last_key_ = key_;
  return *last_;
}

void RuleMemo::Note(size_t rule, Outcome outcome, bool read_more, Kind* kind) {
  const auto index = static_cast<uint16_t>(rule);
  if (read_more || outcome == Outcome::kFailed) {
    kind->open.push_back(index);
  } else if (outcome == Outcome::kMatched) {
    kind->always = index;
  }
}

}  // namespace cdgate::policy
