#include "auth/crypto/modular_inverse.h"

#include <algorithm>
#include <bit>

namespace cdgate::crypto {
namespace {

__extension__ typedef unsigned __int128 Word2;

constexpr size_t kWords = 4;
constexpr Number256 kOne = {1, 0, 0, 0};
// Of the loop, for numbers that have an inverse: each turn shortens one of two by a bit or more.
constexpr int kMostTurns = 512;

bool Less(const Number256& a, const Number256& b) {
  for (size_t i = kWords; i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i];
  }
  return false;
}

// Returns what is borrowed.
uint64_t Subtract(const Number256& b, Number256* a) {
  uint64_t borrow = 0;
  for (size_t i = 0; i < kWords; ++i) {
    const Word2 difference = Word2((*a)[i]) - b[i] - borrow;
    (*a)[i] = static_cast<uint64_t>(difference);
    borrow = static_cast<uint64_t>(difference >> 64) & 1;
  }
  return borrow;
}

void Add(const Number256& b, Number256* a) {
  uint64_t carry = 0;
  for (size_t i = 0; i < kWords; ++i) {
    const Word2 sum = Word2((*a)[i]) + b[i] + carry;
    (*a)[i] = static_cast<uint64_t>(sum);
    carry = static_cast<uint64_t>(sum >> 64);
  }
}

// 0 < bits < 64; `above`: what comes in at the top.
void ShiftRight(int bits, uint64_t above, Number256* a) {
  for (size_t i = 0; i < kWords; ++i) {
    const uint64_t next = i + 1 < kWords ? (*a)[i + 1] : above;
    (*a)[i] = ((*a)[i] >> bits) | (next << (64 - bits));
  }
}

// -1 / modulus modulo 2^64, by Newton's iteration: each turn doubles the bits that are right.
uint64_t NegativeInverse(uint64_t modulus) {
  uint64_t inverse = modulus;  // three bits
  for (int i = 0; i < 5; ++i) inverse *= 2 - modulus * inverse;
  return 0 - inverse;
}

// A pair (number, factor) with number = factor * value modulo the modulus.
struct Side {
  Number256 number;
  Number256 factor;
};

class Inverter {
 public:
  explicit Inverter(const Number256& modulus)
      : modulus_(modulus), negative_inverse_(NegativeInverse(modulus[0])) {}

  // Divides both by two until the number is odd.
  void MakeOdd(Side* side) const {
    while ((side->number[0] & 1) == 0) {
      const int bits = std::clamp(std::countr_zero(side->number[0]), 1, 63);
      ShiftRight(bits, 0, &side->number);
      Divide(bits, &side->factor);
    }
  }
  // Takes the smaller one off the larger one.
  void Reduce(const Side& smaller, Side* larger) const {
    Subtract(smaller.number, &larger->number);
    if (Subtract(smaller.factor, &larger->factor) != 0) Add(modulus_, &larger->factor);
  }

 private:
  // By 2^bits modulo the modulus: adds the multiple of it that makes that divide evenly.
  void Divide(int bits, Number256* factor) const {
    const uint64_t times = ((*factor)[0] * negative_inverse_) & ((uint64_t{1} << bits) - 1);
    uint64_t carry = 0;
    for (size_t i = 0; i < kWords; ++i) {
      const Word2 sum = Word2(times) * modulus_[i] + (*factor)[i] + carry;
      (*factor)[i] = static_cast<uint64_t>(sum);
      carry = static_cast<uint64_t>(sum >> 64);
    }
    ShiftRight(bits, carry, factor);
  }

  const Number256& modulus_;
  const uint64_t negative_inverse_;
};

}  // namespace

// The binary algorithm of Euclid (Handbook of Applied Cryptography, 14.61), several bits at once.
Number256 InverseModulo(Number256 value, const Number256& modulus) {
  const Inverter inverter(modulus);
  Side a = {value, kOne};
  Side b = {modulus, {}};
  if (value == Number256{}) return {};
  for (int turn = 0; turn < kMostTurns && a.number != b.number; ++turn) {
    inverter.MakeOdd(&a);
    if (a.number == kOne) break;
    if (Less(a.number, b.number)) std::swap(a, b);
    inverter.Reduce(b, &a);
    if (a.number == Number256{}) return {};
  }
  return a.number == kOne ? a.factor : b.factor;
}

}  // namespace cdgate::crypto
