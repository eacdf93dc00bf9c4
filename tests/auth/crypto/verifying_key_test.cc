#include "auth/crypto/verifying_key.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/crypto/digest.h"
#include "auth/crypto/ecdsa_table.h"
#include "auth/crypto/openssl.h"
#include "auth/crypto/signature.h"
#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"

namespace cdgate::crypto {
namespace {

using BignumContextPtr = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;
using EcdsaSigPtr = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;
using GroupPtr = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;
using PointPtr = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;

IssuedCertificate Issue(KeyType type) {
  const auto root = CertificateAuthority::InitRoot("alpha.example", {}, absl::Now()).value();
  const auto ca = CertificateAuthority::Load(root.certificate_pem, root.key_pem);
  LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
  request.key_type = type;
  return ca->Issue(request, absl::Now()).value();
}

std::string Der(const BIGNUM* r, const BIGNUM* s) {
  const EcdsaSigPtr signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_dup(r), BN_dup(s));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

BignumPtr DigestOf(const std::string& bytes) {
  const std::string digest = Sha256(bytes);
  return BignumPtr(BN_bin2bn(reinterpret_cast<const unsigned char*>(digest.data()),
                             static_cast<int>(digest.size()), nullptr));
}

KeyPtr KeyOf(const EC_GROUP* group, const EC_POINT* point) {
  unsigned char bytes[65];
  EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes, sizeof bytes, nullptr);
  char name[] = "P-256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof bytes),
      OSSL_PARAM_construct_end()};
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters);
  return KeyPtr(key);
}

bool OpenSslSays(EVP_PKEY* key, const std::string& bytes, const std::string& signature) {
  const ErrorScope errors;
  const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                          bytes.size()) == 1;
}

// One key as OpenSSL verifies by it, and prepared.
class VerifyingKeyTest : public testing::Test {
 protected:
  VerifyingKeyTest() { EXPECT_TRUE(fast_.Prepare()); }

  std::string Sign(const std::string& bytes) { return SignBytes(key_, bytes).value(); }
  // What both say, which is the same.
  bool Fits(const std::string& bytes, const std::string& signature) {
    const bool fits = SignatureFits(certificate_, bytes, signature);
    EXPECT_EQ(fast_.Fits(bytes, signature), fits)
        << base::HexEncode(bytes) << " " << base::HexEncode(signature);
    return fits;
  }
  // The numbers of a signature, changed.
  template <typename Change>
  bool FitsChanged(const std::string& bytes, const std::string& signature, Change change) {
    const auto* at = reinterpret_cast<const unsigned char*>(signature.data());
    const EcdsaSigPtr read(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(signature.size())));
    const BignumPtr r(BN_dup(ECDSA_SIG_get0_r(read.get())));
    const BignumPtr s(BN_dup(ECDSA_SIG_get0_s(read.get())));
    change(r.get(), s.get());
    return Fits(bytes, Der(r.get(), s.get()));
  }

  const IssuedCertificate issued_ = Issue(KeyType::kP256);
  const Certificate certificate_ = Certificate::FromPem(issued_.certificate_pem).value();
  const PrivateKey key_ = PrivateKey::FromPem(issued_.key_pem).value();
  VerifyingKey fast_{certificate_};
};

TEST_F(VerifyingKeyTest, SaysWhatOpenSslSaysOfManySignatures) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const std::string bytes(random() % 200, static_cast<char>(random()));
    std::string signature = Sign(bytes);
    EXPECT_TRUE(Fits(bytes, signature));
    EXPECT_FALSE(Fits(absl::StrCat(bytes, "x"), signature));
    signature[random() % signature.size()] ^= static_cast<char>(1U << (random() % 8));
    EXPECT_FALSE(Fits(bytes, signature));
  }
}

TEST_F(VerifyingKeyTest, NumbersOutOfTheirBoundsFitNothing) {
  const std::string signature = Sign("list");
  const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const BIGNUM* const order = EC_GROUP_get0_order(group.get());
  EXPECT_FALSE(FitsChanged("list", signature, [](BIGNUM* r, BIGNUM*) { BN_zero(r); }));
  EXPECT_FALSE(FitsChanged("list", signature, [](BIGNUM*, BIGNUM* s) { BN_zero(s); }));
  EXPECT_FALSE(FitsChanged("list", signature, [&](BIGNUM* r, BIGNUM*) { BN_add(r, r, order); }));
  EXPECT_FALSE(FitsChanged("list", signature, [&](BIGNUM*, BIGNUM* s) { BN_add(s, s, order); }));
  EXPECT_FALSE(FitsChanged("list", signature, [&](BIGNUM* r, BIGNUM*) { BN_copy(r, order); }));
  EXPECT_FALSE(FitsChanged("list", signature, [&](BIGNUM*, BIGNUM* s) { BN_copy(s, order); }));
  EXPECT_FALSE(FitsChanged("list", signature, [](BIGNUM* r, BIGNUM* s) { BN_swap(r, s); }));
  EXPECT_FALSE(FitsChanged("list", signature, [](BIGNUM* r, BIGNUM* s) {
    BN_one(r);
    BN_one(s);
  }));
  // A known property of ECDSA, which is why nothing is known by its signature alone.
  EXPECT_TRUE(FitsChanged("list", signature, [&](BIGNUM*, BIGNUM* s) { BN_sub(s, order, s); }));
}

TEST_F(VerifyingKeyTest, OtherFormsOfASignatureFitNothing) {
  const std::string signature = Sign("list");
  EXPECT_FALSE(Fits("list", ""));
  EXPECT_FALSE(Fits("list", absl::StrCat(signature, std::string(1, '\0'))));
  EXPECT_FALSE(Fits("list", std::string(72, '\xff')));
  for (size_t size = 0; size < signature.size(); ++size) {
    EXPECT_FALSE(Fits("list", signature.substr(0, size))) << size;
  }
  EXPECT_FALSE(Fits("list", "\x30\x06\x02\x01\xff\x02\x01\x01"));  // r is -1
  // The length in two bytes, as BER may have it.
  std::string longer = signature;
  longer.insert(1, "\x81");
  EXPECT_FALSE(Fits("list", longer));
}

// r = -z/d makes the sum the point at infinity, r = z/d makes both parts of it the same point.
TEST_F(VerifyingKeyTest, SumsOfPointsThatAreSpecialFitNothing) {
  const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const BIGNUM* const order = EC_GROUP_get0_order(group.get());
  const BignumContextPtr context(BN_CTX_new());
  BIGNUM* secret = nullptr;
  ASSERT_EQ(EVP_PKEY_get_bn_param(key_.handle(), OSSL_PKEY_PARAM_PRIV_KEY, &secret), 1);
  const BignumPtr d(secret);
  const BignumPtr z = DigestOf("list");
  const auto quotient = [&](BIGNUM* r) {
    BN_mod_inverse(r, d.get(), order, context.get());
    BN_mod_mul(r, r, z.get(), order, context.get());
  };
  EXPECT_FALSE(FitsChanged("list", Sign("list"), [&](BIGNUM* r, BIGNUM*) { quotient(r); }));
  EXPECT_FALSE(FitsChanged("list", Sign("list"), [&](BIGNUM* r, BIGNUM*) {
    quotient(r);
    BN_sub(r, order, r);
  }));
}

// r is x modulo the order, which is less than what x can be: a key for which a signature is made
// of a point with such an x.
TEST(EcdsaTableTest, AnXBeyondTheOrderFits) {
  const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const BIGNUM* const order = EC_GROUP_get0_order(group.get());
  const BignumContextPtr context(BN_CTX_new());
  const PointPtr point(EC_POINT_new(group.get()));
  const BignumPtr x(BN_dup(order));
  do {
    BN_add_word(x.get(), 1);
  } while (EC_POINT_set_compressed_coordinates(group.get(), point.get(), x.get(), 0,
                                               context.get()) != 1);
  const BignumPtr r(BN_new());
  BN_sub(r.get(), x.get(), order);
  const BignumPtr s(BN_new());
  BN_set_word(s.get(), 123456789);
  // Q = (s * point - z * G) / r
  const BignumPtr by_base = DigestOf("list");
  const BignumPtr by_point(BN_new());
  const BignumPtr inverse(BN_mod_inverse(nullptr, r.get(), order, context.get()));
  BN_mod_mul(by_point.get(), s.get(), inverse.get(), order, context.get());
  BN_mod_mul(by_base.get(), by_base.get(), inverse.get(), order, context.get());
  BN_sub(by_base.get(), order, by_base.get());
  const PointPtr q(EC_POINT_new(group.get()));
  EC_POINT_mul(group.get(), q.get(), by_base.get(), point.get(), by_point.get(), context.get());
  const KeyPtr key = KeyOf(group.get(), q.get());
  ASSERT_NE(key, nullptr);
  const auto table = EcdsaTable::Of(key.get());
  ASSERT_NE(table, nullptr);
  const std::string signature = Der(r.get(), s.get());
  EXPECT_TRUE(OpenSslSays(key.get(), "list", signature));
  EXPECT_TRUE(table->Fits("list", signature));
  EXPECT_FALSE(table->Fits("lists", signature));
  // x itself is no r.
  EXPECT_FALSE(OpenSslSays(key.get(), "list", Der(x.get(), s.get())));
  EXPECT_FALSE(table->Fits("list", Der(x.get(), s.get())));
}

TEST_F(VerifyingKeyTest, ManyThreadsMayVerifyWhileItIsPrepared) {
  const std::string signature = Sign("list");
  VerifyingKey key(certificate_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&key, &signature] {
      for (int n = 0; n < 300; ++n) EXPECT_TRUE(key.Fits("list", signature));
    });
  }
  EXPECT_TRUE(key.Prepare());
  EXPECT_TRUE(key.prepared());
  key.Forget();
  EXPECT_FALSE(key.prepared());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(key.used(), 900U);
  EXPECT_TRUE(key.Fits("list", signature));
}

TEST_F(VerifyingKeyTest, AKeyOfAnotherKindGoesOnAsItWas) {
  const IssuedCertificate issued = Issue(KeyType::kEd25519);
  VerifyingKey key(Certificate::FromPem(issued.certificate_pem).value());
  EXPECT_TRUE(key.can_be_prepared());
  EXPECT_FALSE(key.Prepare());
  EXPECT_FALSE(key.can_be_prepared());
  EXPECT_FALSE(key.prepared());
  const PrivateKey signer = PrivateKey::FromPem(issued.key_pem).value();
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string signature, SignBytes(signer, "list"));
  EXPECT_TRUE(key.Fits("list", signature));
  EXPECT_FALSE(key.Fits("lists", signature));
}

}  // namespace
}  // namespace cdgate::crypto
