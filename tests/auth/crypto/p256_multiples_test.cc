#include "auth/crypto/p256_multiples.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <memory>
#include <random>
#include <vector>

#include "auth/crypto/openssl.h"
#include "auth/crypto/p256_field.h"

namespace cdgate::crypto {
namespace {

using ContextPtr = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;
using GroupPtr = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;
using PointPtr = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;

constexpr uint64_t kAllOnes = ~uint64_t{0};

// Numbers whose words are all zeros or all ones where a carry goes far, small ones, and any.
Number256 AnyNumber(std::mt19937_64& random) {
  Number256 number;
  for (uint64_t& word : number) {
    const uint64_t kind = random() % 8;
    word = kind == 0 ? 0 : kind == 1 ? kAllOnes : kind == 2 ? random() % 3 : random();
  }
  return number;
}

BignumPtr ToBignum(const Number256& number) {
  unsigned char bytes[sizeof number];
  for (size_t i = 0; i < sizeof bytes; ++i) {
    bytes[i] = static_cast<unsigned char>(number[i / 8] >> (i % 8 * 8));
  }
  return BignumPtr(BN_lebin2bn(bytes, sizeof bytes, nullptr));
}

FieldElement ElementOf(const BIGNUM* number) {
  Number256 words;
  EXPECT_TRUE(ReadNumber(number, &words));
  return FieldElement::Of(words);
}

class P256Test : public testing::Test {
 protected:
  P256Test() : curve_(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)), field_(BN_new()) {
    EC_GROUP_get_curve(curve_.get(), field_.get(), nullptr, nullptr, nullptr);
  }

  const EC_POINT* base() const { return EC_GROUP_get0_generator(curve_.get()); }
  const BIGNUM* order() const { return EC_GROUP_get0_order(curve_.get()); }

  // `sum` is what OpenSSL says that `scalar` times the base is.
  void ExpectMultiple(const P256Sum& sum, const BIGNUM* scalar) {
    const PointPtr point(EC_POINT_new(curve_.get()));
    ASSERT_EQ(EC_POINT_mul(curve_.get(), point.get(), scalar, nullptr, nullptr, context_.get()), 1);
    if (EC_POINT_is_at_infinity(curve_.get(), point.get()) == 1) {
      EXPECT_TRUE(sum.at_infinity());
      return;
    }
    const BignumPtr x(BN_new());
    const BignumPtr y(BN_new());
    EC_POINT_get_affine_coordinates(curve_.get(), point.get(), x.get(), y.get(), context_.get());
    EXPECT_TRUE(sum.HasX(ElementOf(x.get())));
    EXPECT_TRUE(sum.HasY(ElementOf(y.get())));
  }
  void ExpectMultiple(const Number256& scalar) {
    P256Sum sum;
    multiples_->Add(scalar, &sum);
    ExpectMultiple(sum, ToBignum(scalar).get());
  }

  const GroupPtr curve_;
  const BignumPtr field_;
  const ContextPtr context_{BN_CTX_new()};
  const std::unique_ptr<const P256Multiples> multiples_ = P256Multiples::Of(curve_.get(), base());
};

TEST_F(P256Test, SumsAndProductsAreThoseOfTheField) {
  std::mt19937_64 random(1);
  std::vector<BignumPtr> numbers;
  for (const BN_ULONG near : {0, 1, 2}) {
    numbers.emplace_back(BN_new());
    BN_set_word(numbers.back().get(), near);
    numbers.emplace_back(BN_dup(field_.get()));
    BN_sub_word(numbers.back().get(), near + 1);
  }
  while (numbers.size() < 250) {
    numbers.push_back(ToBignum(AnyNumber(random)));
    BN_nnmod(numbers.back().get(), numbers.back().get(), field_.get(), context_.get());
  }
  const BignumPtr out(BN_new());
  for (const BignumPtr& a : numbers) {
    const FieldElement x = ElementOf(a.get());
    BN_mod_sqr(out.get(), a.get(), field_.get(), context_.get());
    EXPECT_TRUE(Square(x) == ElementOf(out.get()));
    EXPECT_EQ(x.IsZero(), BN_is_zero(a.get()) == 1);
    EXPECT_TRUE(x * Inverse(x) == (x.IsZero() ? x : FieldElement::One()));
    for (const BignumPtr& b : numbers) {
      const FieldElement y = ElementOf(b.get());
      BN_mod_mul(out.get(), a.get(), b.get(), field_.get(), context_.get());
      EXPECT_TRUE(x * y == ElementOf(out.get()));
      BN_mod_add(out.get(), a.get(), b.get(), field_.get(), context_.get());
      EXPECT_TRUE(x + y == ElementOf(out.get()));
      BN_mod_sub(out.get(), a.get(), b.get(), field_.get(), context_.get());
      EXPECT_TRUE(x - y == ElementOf(out.get()));
      EXPECT_EQ(x == y, BN_cmp(a.get(), b.get()) == 0);
    }
  }
  EXPECT_TRUE(FieldElement::One() == ElementOf(BN_value_one()));
}

TEST_F(P256Test, ChainsOfProductsStayThoseOfTheField) {
  const BignumPtr number(BN_new());
  BN_sub(number.get(), field_.get(), BN_value_one());
  BN_sub_word(number.get(), 2);
  const BignumPtr factor(BN_dup(number.get()));
  FieldElement element = ElementOf(number.get());
  const FieldElement by = element;
  for (int i = 0; i < 100'000; ++i) {
    element = i % 3 == 0 ? Square(element) : element * by;
    BN_mod_mul(number.get(), number.get(), i % 3 == 0 ? number.get() : factor.get(), field_.get(),
               context_.get());
    ASSERT_TRUE(element == ElementOf(number.get())) << i;
  }
}

TEST_F(P256Test, MultiplesAreThoseOfOpenSsl) {
  ASSERT_NE(multiples_, nullptr);
  std::mt19937_64 random(2);
  for (int i = 0; i < 3'000; ++i) ExpectMultiple(AnyNumber(random));
}

TEST_F(P256Test, MultiplesByNumbersAtTheEndsOfDigits) {
  for (uint64_t small = 0; small <= 300; ++small) ExpectMultiple({small, 0, 0, 0});
  for (size_t bit = 0; bit < 256; ++bit) {
    const BignumPtr power(BN_new());
    Number256 number;
    BN_set_bit(power.get(), static_cast<int>(bit));
    ASSERT_TRUE(ReadNumber(power.get(), &number));
    ExpectMultiple(number);
    BN_sub_word(power.get(), 1);
    ASSERT_TRUE(ReadNumber(power.get(), &number));
    ExpectMultiple(number);
  }
  ExpectMultiple({kAllOnes, kAllOnes, kAllOnes, kAllOnes});
  const BignumPtr near(BN_dup(order()));
  for (int i = 0; i < 70; ++i) {
    Number256 number;
    ASSERT_TRUE(ReadNumber(near.get(), &number));
    ExpectMultiple(number);  // the order itself gives the point at infinity
    BN_sub_word(near.get(), 1);
  }
}

// What happens on the way where the sum and what is added are one point, or opposite ones.
TEST_F(P256Test, SumsMayDoubleAndVanish) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 100; ++i) {
    const Number256 scalar = {random(), random(), random(), random() >> 1};
    const BignumPtr number = ToBignum(scalar);
    const BignumPtr opposite(BN_new());
    BN_mod_sub(opposite.get(), order(), number.get(), order(), context_.get());
    Number256 opposite_scalar;
    ASSERT_TRUE(ReadNumber(opposite.get(), &opposite_scalar));
    P256Sum sum;
    multiples_->Add(scalar, &sum);
    multiples_->Add(opposite_scalar, &sum);
    EXPECT_TRUE(sum.at_infinity());
    multiples_->Add(scalar, &sum);  // and goes on from there
    ExpectMultiple(sum, number.get());
  }
  for (uint64_t small = 1; small <= 64; ++small) {
    P256Sum sum;
    multiples_->Add({small, 0, 0, 0}, &sum);
    multiples_->Add({small, 0, 0, 0}, &sum);
    const BignumPtr twice = ToBignum({2 * small, 0, 0, 0});
    ExpectMultiple(sum, twice.get());
  }
}

TEST_F(P256Test, NothingIsMadeOfThePointAtInfinity) {
  const PointPtr infinity(EC_POINT_new(curve_.get()));
  EC_POINT_set_to_infinity(curve_.get(), infinity.get());
  const ErrorScope errors;
  EXPECT_EQ(P256Multiples::Of(curve_.get(), infinity.get()), nullptr);
  P256Sum sum;
  EXPECT_TRUE(sum.at_infinity());
  EXPECT_FALSE(sum.HasX(FieldElement::One()));
}

}  // namespace
}  // namespace cdgate::crypto
