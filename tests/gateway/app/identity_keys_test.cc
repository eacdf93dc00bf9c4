#include "gateway/app/identity_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "tests/auth/oidc/test_issuer.h"
#include "tests/support/fake_clock.h"
#include "tests/support/manual_executor.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::app {
namespace {

using base::Reason;
using test::HasReason;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class IdentityKeysTest : public testing::Test {
 protected:
  IdentityKeysTest() { issuer_.AddKey("k1", "ES256"); }

  config::v1::IdentityProvider& AddProvider(const std::string& name) {
    config::v1::IdentityProvider& provider = *config_.Add();
    provider.set_name(name);
    provider.set_issuer(name);
    provider.add_audiences("cdgate");
    provider.set_claim("sub");
    provider.add_algorithms("ES256");
    provider.mutable_max_lifetime()->set_seconds(86400);
    provider.mutable_refresh()->set_seconds(600);
    provider.mutable_max_key_age()->set_seconds(7200);
    return provider;
  }
  void Create() {
    keys_ = IdentityKeys::Create({.domain = "alpha.example",
                                  .providers = config_,
                                  .clock = clock_,
                                  .metrics = metrics_,
                                  .background = background_,
                                  .fetch = [this](const oidc::FetchOptions& options) {
                                    fetched_.push_back(options.url);
                                    return answer_;
                                  }});
  }
  void Tick(absl::Duration later = {}) {
    clock_.Advance(later);
    keys_->Tick();
    background_.RunAll();
  }
  std::string Token(const std::string& issuer, const std::string& key) {
    const int64_t now = absl::ToUnixSeconds(clock_.Now());
    return issuer_.Sign(
        key, absl::StrCat(R"({"iss":")", issuer, R"(","aud":"cdgate","sub":"ada","iat":)", now,
                          R"(,"exp":)", now + 86400, "}"));
  }

  test::TempDir dir_;
  test::FakeClock clock_;
  base::Metrics metrics_;
  test::ManualExecutor background_;
  test::TestIssuer issuer_;
  IdentityKeys::Configs config_;
  absl::StatusOr<std::string> answer_ = base::MakeError(Reason::kUnreachable, "nobody there");
  std::vector<std::string> fetched_;
  std::shared_ptr<IdentityKeys> keys_;
};

TEST_F(IdentityKeysTest, AFileIsReadAtOnceAndWhenItChanges) {
  const std::string path = dir_.File("jwks.json");
  AddProvider("corp").set_jwks_file(path);
  CDGATE_ASSERT_OK(base::WriteFileAtomically(path, issuer_.KeySet()));
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto bearer, keys_->Resolve(Token("corp", "k1")));
  EXPECT_EQ(bearer->principal.id, "oidc:corp:ada");
  EXPECT_EQ(keys_->Who(Token("corp", "k1")).value().id, "oidc:corp:ada");
  issuer_.RemoveKey("k1");
  issuer_.AddKey("k2", "ES256");
  CDGATE_ASSERT_OK(base::WriteFileAtomically(path, issuer_.KeySet()));
  CDGATE_EXPECT_OK(bearer->check());
  Tick();
  EXPECT_FALSE(bearer->check().ok());
  CDGATE_EXPECT_OK(keys_->Resolve(Token("corp", "k2")));
  EXPECT_THAT(keys_->Problems(), IsEmpty());
}

TEST_F(IdentityKeysTest, ABadFileStopsAStartAndLaterLeavesTheLastGoodKeys) {
  const std::string path = dir_.File("jwks.json");
  AddProvider("corp").set_jwks_file(path);
  Create();
  EXPECT_THAT(keys_->Start(),
              test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr("jwks.json")));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(path, issuer_.KeySet()));
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  for (const char* const bad : {"{", "", R"({"keys":[]})"}) {
    CDGATE_ASSERT_OK(base::WriteFileAtomically(path, bad));
    Tick();
    EXPECT_THAT(keys_->Problems(), ElementsAre(HasSubstr("identity provider corp"))) << bad;
    CDGATE_EXPECT_OK(keys_->Resolve(Token("corp", "k1")));
  }
  CDGATE_ASSERT_OK(base::WriteFileAtomically(path, issuer_.KeySet()));
  Tick();
  EXPECT_THAT(keys_->Problems(), IsEmpty());
}

TEST_F(IdentityKeysTest, AnAddressIsReadInTheBackgroundAndAtItsInterval) {
  AddProvider("web").set_jwks_url("https://web/jwks");
  answer_ = issuer_.KeySet();
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  EXPECT_THAT(fetched_, IsEmpty());  // not in this thread
  EXPECT_THAT(keys_->Resolve(Token("web", "k1")), HasReason(Reason::kIdentityTokenInvalid));
  background_.RunAll();
  CDGATE_EXPECT_OK(keys_->Resolve(Token("web", "k1")));
  Tick(absl::Minutes(9));
  EXPECT_EQ(fetched_.size(), 1U);
  Tick(absl::Minutes(1));
  EXPECT_EQ(fetched_.size(), 2U);
}

TEST_F(IdentityKeysTest, AnUnknownKeyIsLookedForAtMostEveryHalfMinute) {
  AddProvider("web").set_jwks_url("https://web/jwks");
  answer_ = issuer_.KeySet();
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  background_.RunAll();
  issuer_.AddKey("k2", "ES256");
  answer_ = issuer_.KeySet();
  const std::string token = Token("web", "k2");
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(keys_->Resolve(token).ok());
    Tick(absl::Milliseconds(100));
  }
  EXPECT_EQ(fetched_.size(), 1U);
  Tick(absl::Seconds(20));
  EXPECT_EQ(fetched_.size(), 2U);
  CDGATE_EXPECT_OK(keys_->Resolve(token));
}

TEST_F(IdentityKeysTest, KeysOfAnAddressThatIsAwayAreGoodForSomeTime) {
  AddProvider("web").set_jwks_url("https://web/jwks");
  answer_ = issuer_.KeySet();
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  background_.RunAll();
  answer_ = base::MakeError(Reason::kUnreachable, "nobody there");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto bearer, keys_->Resolve(Token("web", "k1")));
  Tick(absl::Minutes(10));
  EXPECT_THAT(keys_->Problems(), ElementsAre(HasSubstr("nobody there")));
  CDGATE_EXPECT_OK(bearer->check());
  Tick(absl::Seconds(30));  // it is tried again soon
  EXPECT_EQ(fetched_.size(), 3U);
  Tick(absl::Minutes(110));
  EXPECT_FALSE(bearer->check().ok());
  EXPECT_FALSE(keys_->Resolve(Token("web", "k1")).ok());
  keys_->UpdateGauges();
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("cdgate_identity_keys_age_seconds{provider=\"web\"} 7230"));
  answer_ = issuer_.KeySet();
  Tick(absl::Seconds(30));
  CDGATE_EXPECT_OK(keys_->Resolve(Token("web", "k1")));
}

TEST_F(IdentityKeysTest, OneAddressIsReadAtATimeAndAllGetTheirTurn) {
  AddProvider("a").set_jwks_url("https://a/jwks");
  AddProvider("b").set_jwks_url("https://b/jwks");
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  keys_->Tick();
  EXPECT_EQ(background_.queued(), 1U);
  background_.RunAll();
  EXPECT_THAT(fetched_, ElementsAre("https://a/jwks", "https://b/jwks"));
}

TEST_F(IdentityKeysTest, APoolThatIsFullIsAskedAgain) {
  AddProvider("a").set_jwks_url("https://a/jwks");
  background_.Refuse();
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  Tick(absl::Minutes(1));
  EXPECT_THAT(fetched_, IsEmpty());
}

TEST_F(IdentityKeysTest, AReloadAddsRemovesAndLeavesAlone) {
  const std::string path = dir_.File("jwks.json");
  AddProvider("corp").set_jwks_file(path);
  AddProvider("web").set_jwks_url("https://web/jwks");
  CDGATE_ASSERT_OK(base::WriteFileAtomically(path, issuer_.KeySet()));
  answer_ = issuer_.KeySet();
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  background_.RunAll();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto corp, keys_->Resolve(Token("corp", "k1")));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto web, keys_->Resolve(Token("web", "k1")));

  IdentityKeys::Configs next;
  *next.Add() = config_[1];
  next[0].mutable_refresh()->set_seconds(60);  // an interval makes no other provider of it
  *next.Add() = config_[0];
  next[1].set_name("new");
  next[1].set_issuer("new");
  CDGATE_ASSERT_OK(keys_->Reload(next));
  EXPECT_THAT(corp->check(), HasReason(Reason::kIdentityTokenInvalid));
  EXPECT_FALSE(keys_->Resolve(Token("corp", "k1")).ok());
  CDGATE_EXPECT_OK(web->check());
  CDGATE_EXPECT_OK(keys_->Resolve(Token("web", "k1")));
  CDGATE_EXPECT_OK(keys_->Resolve(Token("new", "k1")));
  const size_t fetched = fetched_.size();
  Tick(absl::Seconds(61));
  EXPECT_EQ(fetched_.size(), fetched + 1) << "by the new interval";
  keys_->UpdateGauges();
  EXPECT_THAT(metrics_.Text(), HasSubstr("cdgate_identity_keys_age_seconds{provider=\"corp\"} -1"));

  CDGATE_ASSERT_OK(keys_->Reload({}));
  EXPECT_FALSE(web->check().ok());
  EXPECT_THAT(keys_->Problems(), IsEmpty());
}

TEST_F(IdentityKeysTest, AReloadWithABadFileChangesNothing) {
  AddProvider("web").set_jwks_url("https://web/jwks");
  answer_ = issuer_.KeySet();
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  background_.RunAll();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto web, keys_->Resolve(Token("web", "k1")));
  for (const char* const bad : {"", "{", R"({"keys":[]})"}) {
    IdentityKeys::Configs next;
    *next.Add() = config_[0];
    next[0].clear_jwks_url();
    next[0].set_jwks_file(dir_.File("next.json"));
    if (bad[0] != '\0') {
      CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("next.json"), bad));
    }
    EXPECT_THAT(keys_->Reload(next),
                test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr("next.json")));
    CDGATE_EXPECT_OK(web->check());
    CDGATE_EXPECT_OK(keys_->Resolve(Token("web", "k1")));
  }
}

// Whose keys are elsewhere is another provider: what the old address said counts no more, also
// where it answers only now.
TEST_F(IdentityKeysTest, KeysOfAnotherAddressAreReadAnew) {
  AddProvider("web").set_jwks_url("https://web/jwks");
  answer_ = issuer_.KeySet();
  Create();
  CDGATE_ASSERT_OK(keys_->Start());
  background_.RunAll();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto web, keys_->Resolve(Token("web", "k1")));
  clock_.Advance(absl::Hours(1));
  keys_->Tick();  // the old address is about to be read
  IdentityKeys::Configs next = config_;
  next[0].set_jwks_url("https://other/jwks");
  CDGATE_ASSERT_OK(keys_->Reload(next));
  EXPECT_FALSE(web->check().ok());
  EXPECT_FALSE(keys_->Resolve(Token("web", "k1")).ok());
  EXPECT_TRUE(background_.RunOne());
  EXPECT_EQ(fetched_.back(), "https://web/jwks");
  EXPECT_FALSE(keys_->Resolve(Token("web", "k1")).ok());
  background_.RunAll();
  EXPECT_EQ(fetched_.back(), "https://other/jwks");
  CDGATE_EXPECT_OK(keys_->Resolve(Token("web", "k1")));
}

}  // namespace
}  // namespace cdgate::app
