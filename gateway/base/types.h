// Strong types for the quantities that must never be mixed up.
//
//   Sequence s{42};  Sequence next = s.Next();  uint64_t raw = s.value();
//
// A Sequence is a position in one domain's event log: the first event has 1, and 0
// means "before the first". An Epoch names one life of that log (a restore starts a
// new one); it is an opaque random string, compared for equality only. A Position
// counts the events a receiver committed on one direction of a link since the
// link's epoch: gapless, first event 1.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace cdgate::base {

// An ordered integer of its own kind. Arithmetic only where it means something.
template <typename Tag>
class StrongInt {
 public:
  constexpr StrongInt() = default;
  constexpr explicit StrongInt(uint64_t value) : value_(value) {}
  constexpr uint64_t value() const { return value_; }
  constexpr StrongInt Next() const { return StrongInt(value_ + 1); }
  constexpr StrongInt Plus(uint64_t n) const { return StrongInt(value_ + n); }
  constexpr auto operator<=>(const StrongInt&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const StrongInt& v) {
    return H::combine(std::move(h), v.value_);
  }

 private:
  uint64_t value_ = 0;
};

using Sequence = StrongInt<struct SequenceTag>;
using Position = StrongInt<struct PositionTag>;

// A text of its own kind.
template <typename Tag>
class StrongString {
 public:
  StrongString() = default;
  explicit StrongString(std::string value) : value_(std::move(value)) {}
  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const StrongString&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const StrongString& v) {
    return H::combine(std::move(h), v.value_);
  }

 private:
  std::string value_;
};

using Epoch = StrongString<struct EpochTag>;

}  // namespace cdgate::base
