#include "auth/crypto/modular_inverse.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "auth/crypto/openssl.h"
#include "auth/crypto/p256_multiples.h"

namespace cdgate::crypto {
namespace {

using ContextPtr = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;
using GroupPtr = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;

BignumPtr FromHex(const char* hex) {
  BIGNUM* number = nullptr;
  BN_hex2bn(&number, hex);
  return BignumPtr(number);
}

Number256 ToNumber(const BIGNUM* number) {
  Number256 out;
  EXPECT_TRUE(ReadNumber(number, &out));
  return out;
}

class ModularInverseTest : public testing::TestWithParam<const char*> {
 protected:
  // What OpenSSL says of it.
  Number256 Expected(const BIGNUM* value) {
    const ContextPtr context(BN_CTX_new());
    const BignumPtr inverse(BN_mod_inverse(nullptr, value, modulus_.get(), context.get()));
    return ToNumber(inverse.get());
  }
  void ExpectInverse(const BIGNUM* value) {
    EXPECT_EQ(InverseModulo(ToNumber(value), ToNumber(modulus_.get())), Expected(value));
  }

  const BignumPtr modulus_ = FromHex(GetParam());
};

TEST_P(ModularInverseTest, IsThatOfOpenSsl) {
  const BignumPtr value(BN_new());
  for (int i = 0; i < 20'000; ++i) {
    do {
      BN_rand_range(value.get(), modulus_.get());
    } while (BN_is_zero(value.get()));
    ExpectInverse(value.get());
  }
}

TEST_P(ModularInverseTest, OfNumbersAtTheEnds) {
  for (BN_ULONG distance = 1; distance < 1000; ++distance) {
    const BignumPtr low(BN_new());
    BN_set_word(low.get(), distance);
    ExpectInverse(low.get());
    const BignumPtr high(BN_dup(modulus_.get()));
    BN_sub_word(high.get(), distance);
    ExpectInverse(high.get());
  }
}

TEST_P(ModularInverseTest, OfPowersOfTwo) {
  for (int bit = 0; bit < BN_num_bits(modulus_.get()) - 1; ++bit) {
    const BignumPtr power(BN_new());
    BN_set_bit(power.get(), bit);
    ExpectInverse(power.get());
    BN_add_word(power.get(), 1);
    ExpectInverse(power.get());
  }
}

// The order of P-256, its field, and those of 2^255 - 19.
INSTANTIATE_TEST_SUITE_P(
    Primes, ModularInverseTest,
    testing::Values("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
                    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
                    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"));

// Whoever asks for what there is not gets an answer, which is not one.
TEST(ModularInverseBoundsTest, EndsWhereThereIsNone) {
  const Number256 three_times = {21, 0, 0, 0};
  for (const uint64_t value : {0, 3, 7, 14, 18}) {
    const Number256 inverse = InverseModulo({value, 0, 0, 0}, three_times);
    EXPECT_NE(inverse[0] * value % 21, 1u) << value;
  }
  const Number256 even = {0, 0, 0, uint64_t{1} << 63};
  InverseModulo({3, 0, 0, 0}, even);
  InverseModulo({0, 0, 0, 1}, even);
}

}  // namespace
}  // namespace cdgate::crypto
