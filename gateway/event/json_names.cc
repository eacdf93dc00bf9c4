#include "gateway/event/json_names.h"

#include <algorithm>
#include <cstring>

namespace cdgate::event {
namespace {

// Objects of more members have their names sorted; fewer are compared pair by pair.
constexpr size_t kFewNames = 16;

// One of 64 bits that names which differ rarely share.
uint64_t Fingerprint(absl::string_view name) {
  uint64_t head;
  std::memcpy(&head, name.data(), sizeof head);  // behind the parser's strings there is room
  if (name.size() < sizeof head) head &= (uint64_t{1} << 8 * name.size()) - 1;
  const uint64_t mixed = (head ^ (head >> 29) ^ name.size()) * 0x9e3779b97f4a7c15;
  return uint64_t{1} << (mixed >> 58);
}

}  // namespace

NameCheck::Fault NameCheck::Run(const simdjson::dom::document& document) {
  tape_ = cdevents::JsonTape(document);
  fault_ = Fault::kNone;
  size_t at = cdevents::JsonTape::kRoot;
  Value(&at, 1);
  return fault_;
}

inline bool NameCheck::Value(size_t* at, size_t depth) {
  const size_t begin = *at;
  const char type = tape_.type(begin);
  if (type == '"') {  // as most values are
    ++*at;
    return true;
  }
  *at = tape_.Skip(begin);
  if (type != '{' && type != '[') return true;
  if (depth > kMaxJsonDepth) return Fail(Fault::kDepth);
  return type == '{' ? Object(begin, depth) : Array(begin, depth);
}

bool NameCheck::Array(size_t at, size_t depth) {
  const size_t last = tape_.end(at) - 1;
  for (++at; at != last;) {
    if (!Value(&at, depth + 1)) return false;
  }
  return true;
}

bool NameCheck::Object(size_t at, size_t depth) {
  const size_t begin = at;
  const size_t last = tape_.end(at) - 1;
  size_t places[kFewNames];  // of the names so far
  size_t count = 0;
  uint64_t seen = 0;
  bool many = false;
  for (++at; at != last;) {
    const absl::string_view name = tape_.text(at++);
    if (count == kFewNames) {
      many = true;
    } else {
      const uint64_t bit = Fingerprint(name);
      if ((seen & bit) != 0 && IsAmong(places, count, name)) {
        duplicate_ = name;
        return Fail(Fault::kDuplicate);
      }
      seen |= bit;
      places[count++] = at - 1;
    }
    if (!Value(&at, depth + 1)) return false;
  }
  return !many || ManyNames(begin);
}

bool NameCheck::IsAmong(const size_t* places, size_t count, absl::string_view name) const {
  return std::any_of(places, places + count, [&](size_t at) { return tape_.text(at) == name; });
}

bool NameCheck::ManyNames(size_t at) {
  const size_t last = tape_.end(at) - 1;
  names_.clear();
  for (++at; at != last; at = tape_.Skip(at)) names_.push_back(tape_.text(at++));
  std::sort(names_.begin(), names_.end());
  const auto twice = std::adjacent_find(names_.begin(), names_.end());
  if (twice == names_.end()) return true;
  duplicate_ = *twice;
  return Fail(Fault::kDuplicate);
}

}  // namespace cdgate::event
