// The field of P-256 (FIPS 186-4, D.1.2.3): numbers modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1.
//
//   const FieldElement x = FieldElement::Of(number);         // number < p
//   const FieldElement y = Square(x) * x - x;
//
// For numbers that are no secret: how long it takes may tell what they are. Held in Montgomery's
// form, x * 2^256 mod p (P. Montgomery, Modular multiplication without trial division, 1985), and
// always less than p, so that equal numbers have equal words. For the .cc files of this library.
//
// Words are variables of their own, and loops are written out: of arrays and loops compilers make
// code that takes twice the time, and this is what a verification spends its time on.
#pragma once

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include <cstddef>
#include <cstdint>

#include "auth/crypto/modular_inverse.h"

namespace cdgate::crypto {

__extension__ typedef unsigned __int128 Word2;

// Sums and differences of several words, from the lowest on: `carry` (or borrow) is 0 or 1.
#ifdef __x86_64__
using Carry = unsigned char;
inline uint64_t AddWords(uint64_t a, uint64_t b, Carry* carry) {
  unsigned long long sum;
  *carry = _addcarry_u64(*carry, a, b, &sum);
  return sum;
}
inline uint64_t SubtractWords(uint64_t a, uint64_t b, Carry* borrow) {
  unsigned long long difference;
  *borrow = _subborrow_u64(*borrow, a, b, &difference);
  return difference;
}
#else
using Carry = uint64_t;
inline uint64_t AddWords(uint64_t a, uint64_t b, Carry* carry) {
  const Word2 sum = Word2(a) + b + *carry;
  *carry = static_cast<uint64_t>(sum >> 64);
  return static_cast<uint64_t>(sum);
}
inline uint64_t SubtractWords(uint64_t a, uint64_t b, Carry* borrow) {
  const Word2 difference = Word2(a) - b - *borrow;
  *borrow = static_cast<uint64_t>(difference >> 64) & 1;
  return static_cast<uint64_t>(difference);
}
#endif

// The lower word of a * b + sum + high, which fits in two; the upper one is left in `high`.
inline uint64_t MultiplyWords(uint64_t a, uint64_t b, uint64_t sum, uint64_t* high) {
  const Word2 product = Word2(a) * b + sum + *high;
  *high = static_cast<uint64_t>(product >> 64);
  return static_cast<uint64_t>(product);
}

// Immutable value.
class FieldElement {
 public:
  constexpr FieldElement() = default;  // 0

  // `number` < p.
  static FieldElement Of(const Number256& number) {
    return FieldElement(number[0], number[1], number[2], number[3]) * kToForm;
  }
  static constexpr FieldElement One() {
    return FieldElement(1, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe);
  }

  bool IsZero() const { return (w0_ | w1_ | w2_ | w3_) == 0; }
  friend bool operator==(const FieldElement& a, const FieldElement& b) {
    return ((a.w0_ ^ b.w0_) | (a.w1_ ^ b.w1_) | (a.w2_ ^ b.w2_) | (a.w3_ ^ b.w3_)) == 0;
  }

  friend FieldElement operator+(const FieldElement& a, const FieldElement& b) {
    Carry carry = 0;
    const uint64_t s0 = AddWords(a.w0_, b.w0_, &carry);
    const uint64_t s1 = AddWords(a.w1_, b.w1_, &carry);
    const uint64_t s2 = AddWords(a.w2_, b.w2_, &carry);
    const uint64_t s3 = AddWords(a.w3_, b.w3_, &carry);
    return ReduceOnce(s0, s1, s2, s3, carry);
  }
  friend FieldElement operator-(const FieldElement& a, const FieldElement& b) {
    Carry borrow = 0;
    const uint64_t d0 = SubtractWords(a.w0_, b.w0_, &borrow);
    const uint64_t d1 = SubtractWords(a.w1_, b.w1_, &borrow);
    const uint64_t d2 = SubtractWords(a.w2_, b.w2_, &borrow);
    const uint64_t d3 = SubtractWords(a.w3_, b.w3_, &borrow);
    const uint64_t below = 0 - uint64_t{borrow};  // all ones where p is to be added again
    Carry carry = 0;
    FieldElement out;
    out.w0_ = AddWords(d0, kP0 & below, &carry);
    out.w1_ = AddWords(d1, kP1 & below, &carry);
    out.w2_ = AddWords(d2, 0, &carry);
    out.w3_ = AddWords(d3, kP3 & below, &carry);
    return out;
  }
  friend FieldElement operator*(const FieldElement& a, const FieldElement& b) {
    Sum sum;
    sum.AddRow(a, b.w0_);
    sum.Shift();
    sum.AddRow(a, b.w1_);
    sum.Shift();
    sum.AddRow(a, b.w2_);
    sum.Shift();
    sum.AddRow(a, b.w3_);
    sum.Shift();
    return ReduceOnce(sum.s0, sum.s1, sum.s2, sum.s3, sum.s4);
  }
  friend FieldElement Square(const FieldElement& a) { return a.Squared(); }
  friend FieldElement Double(const FieldElement& a) { return a + a; }
  // 1 / a; 0 where a is. Some 400 products.
  friend FieldElement Inverse(const FieldElement& a) { return a.ToPowerOfPMinus2(); }

 private:
  // The words of p, of which one is 0.
  static constexpr uint64_t kP0 = 0xffffffffffffffff;
  static constexpr uint64_t kP1 = 0x00000000ffffffff;
  static constexpr uint64_t kP3 = 0xffffffff00000001;
  // 2^512 mod p: a product with it is divided by 2^256.
  static const FieldElement kToForm;

  // A product that is being made.
  struct Sum {
    uint64_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0;

    void AddRow(const FieldElement& a, uint64_t word) {
      uint64_t high = 0;
      s0 = MultiplyWords(a.w0_, word, s0, &high);
      s1 = MultiplyWords(a.w1_, word, s1, &high);
      s2 = MultiplyWords(a.w2_, word, s2, &high);
      s3 = MultiplyWords(a.w3_, word, s3, &high);
      Carry carry = 0;
      s4 = AddWords(s4, high, &carry);
      s5 = carry;
    }
    // Adds s0 * p, which makes the lowest word zero as -1/p mod 2^64 is 1, and divides by 2^64:
    // s0 * p = s0 * kP3 * 2^192 + s0 * 2^96 - s0.
    void Shift() {
      const uint64_t low = s0;
      const Word2 high = Word2(low) * kP3;
      Carry carry = 0;
      s0 = AddWords(s1, low << 32, &carry);
      s1 = AddWords(s2, low >> 32, &carry);
      s2 = AddWords(s3, static_cast<uint64_t>(high), &carry);
      s3 = AddWords(s4, static_cast<uint64_t>(high >> 64), &carry);
      s4 = s5 + carry;
      s5 = 0;
    }
  };

  constexpr FieldElement(uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
      : w0_(w0), w1_(w1), w2_(w2), w3_(w3) {}

  // Of a number less than 2p, whose bits from 256 on are `top`.
  static FieldElement ReduceOnce(uint64_t s0, uint64_t s1, uint64_t s2, uint64_t s3, uint64_t top) {
    Carry borrow = 0;
    const uint64_t d0 = SubtractWords(s0, kP0, &borrow);
    const uint64_t d1 = SubtractWords(s1, kP1, &borrow);
    const uint64_t d2 = SubtractWords(s2, 0, &borrow);
    const uint64_t d3 = SubtractWords(s3, kP3, &borrow);
    SubtractWords(top, 0, &borrow);
    const uint64_t keep = 0 - uint64_t{borrow};  // all ones where it was less than p
    return FieldElement((s0 & keep) | (d0 & ~keep), (s1 & keep) | (d1 & ~keep),
                        (s2 & keep) | (d2 & ~keep), (s3 & keep) | (d3 & ~keep));
  }

  // Fermat: a^(p - 1) is 1.
  FieldElement ToPowerOfPMinus2() const {
    FieldElement power = One();
    for (const uint64_t word : {kP3, uint64_t{0}, kP1, kP0 - 2}) {
      for (int bit = 63; bit >= 0; --bit) {
        power = Square(power);
        if ((word >> bit & 1) != 0) power = power * *this;
      }
    }
    return power;
  }

  // Products of two different words count twice.
  FieldElement Squared() const {
    uint64_t high = 0;
    uint64_t r1 = MultiplyWords(w0_, w1_, 0, &high);
    uint64_t r2 = MultiplyWords(w0_, w2_, 0, &high);
    uint64_t r3 = MultiplyWords(w0_, w3_, 0, &high);
    uint64_t r4 = high;
    high = 0;
    r3 = MultiplyWords(w1_, w2_, r3, &high);
    r4 = MultiplyWords(w1_, w3_, r4, &high);
    uint64_t r5 = high;
    high = 0;
    r5 = MultiplyWords(w2_, w3_, r5, &high);
    uint64_t r6 = high;
    uint64_t r7 = r6 >> 63;
    r6 = r6 << 1 | r5 >> 63;
    r5 = r5 << 1 | r4 >> 63;
    r4 = r4 << 1 | r3 >> 63;
    r3 = r3 << 1 | r2 >> 63;
    r2 = r2 << 1 | r1 >> 63;
    r1 <<= 1;
    const Word2 q0 = Word2(w0_) * w0_;
    const Word2 q1 = Word2(w1_) * w1_;
    const Word2 q2 = Word2(w2_) * w2_;
    const Word2 q3 = Word2(w3_) * w3_;
    Carry carry = 0;
    r1 = AddWords(r1, static_cast<uint64_t>(q0 >> 64), &carry);
    r2 = AddWords(r2, static_cast<uint64_t>(q1), &carry);
    r3 = AddWords(r3, static_cast<uint64_t>(q1 >> 64), &carry);
    r4 = AddWords(r4, static_cast<uint64_t>(q2), &carry);
    r5 = AddWords(r5, static_cast<uint64_t>(q2 >> 64), &carry);
    r6 = AddWords(r6, static_cast<uint64_t>(q3), &carry);
    r7 = AddWords(r7, static_cast<uint64_t>(q3 >> 64), &carry);
    // The lower half divided by 2^256 is at most p and the upper one is less, so that the sum is
    // less than 2p.
    Sum low{static_cast<uint64_t>(q0), r1, r2, r3, 0, 0};
    low.Shift();
    low.Shift();
    low.Shift();
    low.Shift();
    carry = 0;
    const uint64_t s0 = AddWords(low.s0, r4, &carry);
    const uint64_t s1 = AddWords(low.s1, r5, &carry);
    const uint64_t s2 = AddWords(low.s2, r6, &carry);
    const uint64_t s3 = AddWords(low.s3, r7, &carry);
    return ReduceOnce(s0, s1, s2, s3, carry);
  }

  uint64_t w0_ = 0, w1_ = 0, w2_ = 0, w3_ = 0;
};

inline constexpr FieldElement FieldElement::kToForm{0x0000000000000003, 0xfffffffbffffffff,
                                                    0xfffffffffffffffe, 0x00000004fffffffd};

}  // namespace cdgate::crypto
