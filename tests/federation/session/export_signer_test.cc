#include "federation/session/export_signer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "auth/crypto/digest.h"
#include "federation/attestation/merkle.h"
#include "federation/link/batch_signer.h"
#include "gateway/base/random.h"
#include "tests/federation/session/test_attestors.h"
#include "tests/support/fake_clock.h"

namespace cdgate::session {
namespace {

constexpr char kAlpha[] = "alpha.example";
constexpr char kGamma[] = "gamma.example";

class ExportSignerTest : public testing::Test {
 protected:
  std::string KeyOf(const char* domain) { return attestors_.Of(domain).Current()->key_id; }
  // Of the certificates that the peer is given now.
  std::vector<std::string> Given() {
    federation::v1::Attestors needed;
    signer_.Prepare(&needed);
    std::vector<std::string> keys;
    for (const auto& attestor : needed.attestors()) {
      keys.push_back(crypto::Sha256(attestor.certificates(0)));
    }
    return keys;
  }
  // The key that signs a batch; empty: it leaves unsigned.
  std::string Signs() {
    const link::BatchTree tree = {.seed = std::string(attestation::kSeedBytes, 's'),
                                  .root = std::string(32, 'r')};
    const std::string before = link::EmptyRollingDigest();
    storage::v1::TreeSignature statement;
    const std::string after = signer_.Sign(
        tree, {.link_epoch = "e", .first = base::Position(1), .count = 2, .before = before},
        &statement);
    EXPECT_EQ(after.empty(), statement.key_id().empty());
    return statement.key_id();
  }
  std::string SignsReceipt() {
    const auto receipt = signer_.SignReceipt("e", 7, std::string(32, 'd'));
    return receipt ? receipt->key_id() : "";
  }
  static std::string StatementBy(const std::string& key_id) {
    federation::v1::Statement statement;
    statement.set_key_id(key_id);
    return statement.SerializeAsString();
  }

  test::TestAttestors attestors_;
  test::FakeClock clock_;
  ExportSigner signer_{{.attestor = &attestors_.Of(kAlpha),
                        .attestors = &attestors_,
                        .clock = clock_,
                        .random = base::SystemRandom()},
                       {.sender = kAlpha, .receiver = "beta.example", .agreement = "ag"}};
};

TEST_F(ExportSignerTest, ThePeerIsGivenAKeyOnceAndBeforeItSigns) {
  EXPECT_EQ(signer_.NewSeed().size(), attestation::kSeedBytes);
  EXPECT_EQ(Signs(), "");
  EXPECT_EQ(SignsReceipt(), "");
  EXPECT_THAT(Given(), testing::ElementsAre(KeyOf(kAlpha)));
  EXPECT_EQ(Signs(), KeyOf(kAlpha));
  EXPECT_EQ(SignsReceipt(), KeyOf(kAlpha));
  EXPECT_THAT(Given(), testing::IsEmpty());
}

// What was decided under one key is sent under another: never unsigned, and never by one that the
// peer has not seen.
TEST_F(ExportSignerTest, AKeyThatCameIntoUseSignsOnceThePeerHasIt) {
  const std::string before = KeyOf(kAlpha);
  Given();
  attestors_.Renew(kAlpha);
  EXPECT_EQ(Signs(), before);
  EXPECT_EQ(SignsReceipt(), before);
  EXPECT_THAT(Given(), testing::ElementsAre(KeyOf(kAlpha)));
  EXPECT_EQ(Signs(), KeyOf(kAlpha));
  EXPECT_NE(Signs(), before);
  EXPECT_EQ(SignsReceipt(), KeyOf(kAlpha));
}

TEST_F(ExportSignerTest, KeysOfStatementsThatGoAlongAreGiven) {
  attestors_.Of(kGamma);
  Given();
  const std::string theirs = KeyOf(kGamma);
  signer_.Note({StatementBy(theirs), StatementBy(KeyOf(kAlpha)), StatementBy("unknown")});
  EXPECT_THAT(Given(), testing::ElementsAre(theirs));
  signer_.Note({StatementBy(theirs)});
  EXPECT_THAT(Given(), testing::IsEmpty());
}

TEST_F(ExportSignerTest, WithoutAnAttestorNothingIsSigned) {
  ExportSigner signer({.attestors = &attestors_, .clock = clock_, .random = base::SystemRandom()},
                      {});
  federation::v1::Attestors needed;
  signer.Prepare(&needed);
  EXPECT_EQ(needed.attestors_size(), 0);
  EXPECT_EQ(signer.NewSeed(), "");
  EXPECT_FALSE(signer.SignReceipt("e", 7, std::string(32, 'd')));
}

}  // namespace
}  // namespace cdgate::session
