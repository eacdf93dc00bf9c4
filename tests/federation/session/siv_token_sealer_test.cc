#include "federation/session/siv_token_sealer.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/random.h"
#include "tests/support/status_matchers.h"

namespace cdgate::session {
namespace {

using base::Reason;
using link::Place;
using link::TokenScope;

// The same bytes over and over: tokens that should differ then do not.
class ConstantRandom final : public base::Random {
 public:
  explicit ConstantRandom(char byte) : byte_(byte) {}
  std::string Bytes(size_t n) override { return std::string(n, byte_); }
  double Unit() override { return 0; }

 private:
  const char byte_;
};

class SivTokenSealerTest : public testing::Test {
 protected:
  static SivTokenSealer Make(char key, base::Random& random = base::SystemRandom()) {
    return SivTokenSealer::Create(std::string(crypto::SivSealer::kKeyBytes, key), random).value();
  }
  static TokenScope Scope() {
    return {.peer = "beta.example",
            .agreement_id = "agreement-1",
            .log_epoch = base::Epoch("epoch-1"),
            .link_epoch = "link-1"};
  }
  static constexpr Place kPlace{base::Sequence(4711), base::Position(42), 0xFEDCBA9876543210};
  const SivTokenSealer sealer_ = Make('k');
};

TEST_F(SivTokenSealerTest, OpensWhatItSealed) {
  const uint64_t most = std::numeric_limits<uint64_t>::max();
  for (const Place& place :
       {Place{}, kPlace, Place{base::Sequence(most), base::Position(most), most}}) {
    const std::string token = sealer_.Seal(place, Scope());
    EXPECT_EQ(token.size(), SivTokenSealer::kTokenBytes);
    CDGATE_ASSERT_OK_AND_ASSIGN(const Place opened, sealer_.Open(token, Scope()));
    EXPECT_EQ(opened, place);
  }
}

TEST_F(SivTokenSealerTest, OpensAfterARestartWithTheSameKey) {
  const std::string token = sealer_.Seal(kPlace, Scope());
  CDGATE_ASSERT_OK_AND_ASSIGN(const Place opened, Make('k').Open(token, Scope()));
  EXPECT_EQ(opened, kPlace);
}

TEST_F(SivTokenSealerTest, OpensUnderNoOtherScope) {
  const std::string token = sealer_.Seal(kPlace, Scope());
  const std::function<void(TokenScope&)> changes[] = {
      [](TokenScope& s) { s.peer = "gamma.example"; },
      [](TokenScope& s) { s.agreement_id = "agreement-2"; },
      [](TokenScope& s) { s.log_epoch = base::Epoch("epoch-2"); },
      [](TokenScope& s) { s.link_epoch = "link-2"; },
      // The same bytes, cut differently between fields.
      [](TokenScope& s) {
        s.peer = "beta.exampleagreement";
        s.agreement_id = "-1";
      },
  };
  for (const auto& change : changes) {
    TokenScope scope = Scope();
    change(scope);
    EXPECT_THAT(sealer_.Open(token, scope), test::HasReason(Reason::kTokenInvalid));
  }
}

TEST_F(SivTokenSealerTest, RefusesWhatAnotherKeySealed) {
  EXPECT_THAT(sealer_.Open(Make('x').Seal(kPlace, Scope()), Scope()),
              test::HasReason(Reason::kTokenInvalid));
}

TEST_F(SivTokenSealerTest, RefusesEveryChangedBitAndEveryOtherLength) {
  const std::string token = sealer_.Seal(kPlace, Scope());
  for (size_t bit = 0; bit < 8 * token.size(); ++bit) {
    std::string changed = token;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    EXPECT_THAT(sealer_.Open(changed, Scope()), test::HasReason(Reason::kTokenInvalid)) << bit;
  }
  for (size_t length = 0; length < token.size(); ++length) {
    EXPECT_THAT(sealer_.Open(token.substr(0, length), Scope()),
                test::HasReason(Reason::kTokenInvalid));
  }
  EXPECT_THAT(sealer_.Open(absl::StrCat(token, "x"), Scope()),
              test::HasReason(Reason::kTokenInvalid));
}

// From equal tokens a peer would learn that nothing was withheld in between.
TEST_F(SivTokenSealerTest, TokensOfOnePlaceDiffer) {
  EXPECT_NE(sealer_.Seal(kPlace, Scope()), sealer_.Seal(kPlace, Scope()));
  // It is the randomness that does it.
  ConstantRandom one('1');
  ConstantRandom two('2');
  EXPECT_EQ(Make('k', one).Seal(kPlace, Scope()), Make('k', one).Seal(kPlace, Scope()));
  EXPECT_NE(Make('k', one).Seal(kPlace, Scope()), Make('k', two).Seal(kPlace, Scope()));
}

TEST_F(SivTokenSealerTest, SaysNothingInTheClear) {
  ConstantRandom random('r');
  const std::string token = Make('k', random).Seal(kPlace, Scope());
  EXPECT_FALSE(absl::StrContains(token, "\xFE\xDC\xBA\x98"));
  EXPECT_FALSE(absl::StrContains(token, "rrrrrrrr"));
}

TEST_F(SivTokenSealerTest, NeedsAKeyOfItsSize) {
  EXPECT_THAT(SivTokenSealer::Create("short", base::SystemRandom()).status(),
              test::HasReason(Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::session
