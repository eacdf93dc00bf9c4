#include "gateway/eventlog/search_index.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "gateway/base/status_macros.h"

namespace cdgate::eventlog {
namespace {

constexpr size_t kBitsPerKey = 10;
constexpr int kProbes = 6;

// Sequences begin at 1.
uint64_t BlockOf(base::Sequence sequence) {
  return (sequence.value() - 1) / SearchIndex::kBlockEvents;
}
base::Sequence BeginOf(uint64_t block) {
  return base::Sequence(block * SearchIndex::kBlockEvents + 1);
}

// Calls f with each beginning of a type that ends in a dot.
template <typename F>
void ForEachBegin(absl::string_view type, F&& f) {
  for (size_t dot = type.find('.'); dot != absl::string_view::npos; dot = type.find('.', dot + 1)) {
    f(type.substr(0, dot + 1));
  }
}

}  // namespace

uint64_t SearchKeys::HashOf(Field field, absl::string_view text) {
  return absl::HashOf(static_cast<uint8_t>(field), text);
}

void SearchKeys::AddPattern(Field field, absl::string_view pattern) {
  if (pattern.empty()) return;
  const size_t percent = pattern.find('%');
  if (percent == absl::string_view::npos) return Add(field, pattern);
  // To the last dot before it.
  const size_t dot = pattern.substr(0, percent).rfind('.');
  if (field == kType && dot != absl::string_view::npos) Add(kTypeBegin, pattern.substr(0, dot + 1));
}

// A Bloom filter.
class SearchIndex::Summary {
 public:
  explicit Summary(const std::vector<uint64_t>& hashes)
      : bits_(std::max<size_t>(1, hashes.size() * kBitsPerKey / 64 + 1)) {
    for (const uint64_t hash : hashes) {
      ForEachBit(hash, [this](size_t word, uint64_t bit) {
        bits_[word] |= bit;
        return true;
      });
    }
  }

  bool MayHold(uint64_t hash) const {
    return ForEachBit(hash, [this](size_t word, uint64_t bit) { return (bits_[word] & bit) != 0; });
  }
  size_t bytes() const { return sizeof *this + bits_.size() * sizeof bits_[0]; }

 private:
  // Until f is false, which it then returns.
  template <typename F>
  bool ForEachBit(uint64_t hash, F&& f) const {
    const uint64_t step = (hash >> 32) | 1;
    for (int i = 0; i < kProbes; ++i, hash += step) {
      const uint64_t at = hash % (bits_.size() * 64);
      if (!f(at / 64, uint64_t{1} << (at % 64))) return false;
    }
    return true;
  }

  std::vector<uint64_t> bits_;
};

SearchIndex::SearchIndex(const EventLog& log, base::Clock& clock, size_t max_bytes,
                         LogWalk::Recent recent)
    : log_(log),
      clock_(clock),
      max_bytes_(max_bytes),
      recent_(std::move(recent)),
      low_(BlockOf(log.head().sequence.Next())) {}

size_t SearchIndex::blocks() const {
  base::MutexLock lock(mu_);
  return summaries_.size();
}

LogWalk::Gap SearchIndex::GapAt(base::Sequence sequence, const SearchKeys& keys) const {
  if (keys.empty() || sequence.value() == 0) return {};
  const uint64_t block = BlockOf(sequence);
  std::shared_ptr<const Summary> summary;
  {
    base::MutexLock lock(mu_);
    if (block < low_ || block - low_ >= summaries_.size()) return {};
    summary = summaries_[block - low_];
  }
  const bool may_hold = std::all_of(keys.hashes().begin(), keys.hashes().end(),
                                    [&](uint64_t hash) { return summary->MayHold(hash); });
  if (may_hold) return {};
  return {.begin = BeginOf(block), .end = BeginOf(block + 1)};
}

absl::Status SearchIndex::Advance(absl::Duration budget) {
  if (advancing_.exchange(true)) return absl::OkStatus();
  const absl::Duration until = clock_.Monotonic() + budget;
  absl::Status status;
  uint64_t block = 0;
  while (status.ok() && Choose(&block)) {
    status = Summarise(block);
    if (clock_.Monotonic() >= until) break;
  }
  advancing_ = false;
  return status;
}

// New ones first, then those before, as long as there is room.
bool SearchIndex::Choose(uint64_t* block) {
  const uint64_t next = BlockOf(log_.head().sequence.Next());  // that is not whole
  const base::Sequence first = log_.first().sequence;
  base::MutexLock lock(mu_);
  while (!summaries_.empty() && BeginOf(low_ + 1) <= first) {
    bytes_ -= summaries_.front()->bytes();
    summaries_.pop_front();
    ++low_;
  }
  *block = low_ + summaries_.size();
  if (*block < next) return true;
  // One that was left out for room is not read again for the next.
  const size_t room = summaries_.empty() ? 0 : 2 * summaries_.front()->bytes();
  if (low_ == 0 || BeginOf(low_ - 1) < first || bytes_ + room > max_bytes_) return false;
  *block = low_ - 1;
  return true;
}

absl::Status SearchIndex::Summarise(uint64_t block) {
  std::vector<uint64_t> hashes;
  LogWalk walk(log_, {.begin = BeginOf(block), .end = BeginOf(block + 1)}, nullptr, recent_);
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const auto piece, walk.Next());
    if (piece.empty()) break;
    for (const LogWalk::Place& place : piece) CollectKeys(*place.record, &hashes);
    std::sort(hashes.begin(), hashes.end());
    hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  }
  auto summary = std::make_shared<const Summary>(hashes);
  base::MutexLock lock(mu_);
  bytes_ += summary->bytes();
  if (block < low_) {
    summaries_.push_front(std::move(summary));
    --low_;
    return absl::OkStatus();
  }
  summaries_.push_back(std::move(summary));
  while (bytes_ > max_bytes_ && summaries_.size() > 1) {
    bytes_ -= summaries_.front()->bytes();
    summaries_.pop_front();
    ++low_;
  }
  return absl::OkStatus();
}

void SearchIndex::CollectKeys(const event::Record& record, std::vector<uint64_t>* hashes) {
  const auto add = [hashes](SearchKeys::Field field, absl::string_view text) {
    hashes->push_back(SearchKeys::HashOf(field, text));
  };
  add(SearchKeys::kType, record.type());
  ForEachBegin(record.type(), [&](absl::string_view begin) { add(SearchKeys::kTypeBegin, begin); });
  add(SearchKeys::kSource, record.source());
  add(SearchKeys::kSubject, record.subject());
  const absl::string_view chain = reader_.ChainOf(record.data());
  if (!chain.empty()) add(SearchKeys::kChain, chain);
}

}  // namespace cdgate::eventlog
