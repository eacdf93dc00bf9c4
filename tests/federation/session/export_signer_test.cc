#include "federation/session/export_signer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
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
  static link::BatchTree Tree(char root = 'r') {
    return {.seed = std::string(attestation::kSeedBytes, 's'), .root = std::string(32, root)};
  }
  static link::BatchClaim Claim(uint64_t first = 1) {
    return {.link_epoch = "e", .first = base::Position(first), .count = 2, .before = kNothing};
  }
  // How many signatures `work` costs.
  int Cost(const std::function<void()>& work) {
    const int before = attestors_.BatchesSigned(kAlpha);
    work();
    return attestors_.BatchesSigned(kAlpha) - before;
  }
  storage::v1::TreeSignature Signed(const link::BatchTree& tree, const link::BatchClaim& claim) {
    storage::v1::TreeSignature statement;
    signer_.Sign(tree, claim, &statement);
    return statement;
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

  inline static const std::string kNothing = link::EmptyRollingDigest();
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

TEST_F(ExportSignerTest, WhatWasSignedAheadIsNotSignedAgain) {
  Given();
  EXPECT_EQ(Cost([this] { signer_.SignAhead(Tree(), Claim()); }), 1);
  const int64_t then = absl::ToUnixNanos(clock_.Now());
  clock_.Advance(absl::Milliseconds(3));
  storage::v1::TreeSignature statement;
  EXPECT_EQ(Cost([&] { statement = Signed(Tree(), Claim()); }), 0);
  EXPECT_EQ(statement.sign_time_nanos(), then);
  EXPECT_EQ(statement.seed(), Tree().seed);
  EXPECT_EQ(statement.key_id(), KeyOf(kAlpha));
  EXPECT_EQ(Cost([&] { Signed(Tree(), Claim()); }), 1) << "it is used once";
}

TEST_F(ExportSignerTest, AnythingElseThanWhatWasSignedAheadIsSigned) {
  Given();
  signer_.SignAhead(Tree(), Claim());
  EXPECT_EQ(Cost([&] { Signed(Tree(), Claim(2)); }), 1);
  signer_.SignAhead(Tree(), Claim());
  EXPECT_EQ(Cost([&] { Signed(Tree('x'), Claim()); }), 1);
  signer_.SignAhead(Tree(), Claim());
  attestors_.Renew(kAlpha);
  Given();
  EXPECT_EQ(Signed(Tree(), Claim()).key_id(), KeyOf(kAlpha));
}

TEST_F(ExportSignerTest, NothingIsSignedAheadThatCouldNotBeSent) {
  EXPECT_EQ(Cost([this] { signer_.SignAhead(Tree(), Claim()); }), 0) << "the key was not given";
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
