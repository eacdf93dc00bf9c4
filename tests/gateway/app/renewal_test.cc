#include "gateway/app/renewal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/ca/folder.h"
#include "auth/credentials/identity_files.h"
#include "auth/crypto/private_key.h"
#include "gateway/app/renewal_schedule.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/manual_executor.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::app {
namespace {

using base::Reason;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const absl::Time kStart = absl::FromUnixSeconds(1767225600);  // 2026-01-01

// --- the schedule

TEST(RenewalScheduleTest, IsDueAThirdBeforeTheEndOrWhenTold) {
  const InUse in_use{kStart, kStart + absl::Hours(24 * 9)};
  EXPECT_EQ(RenewalDue(in_use, absl::ZeroDuration()), kStart + absl::Hours(24 * 6));
  EXPECT_EQ(RenewalDue(in_use, absl::Hours(5)), kStart + absl::Hours(24 * 9 - 5));
}

TEST(RenewalScheduleTest, NeverRenewsWithoutEnd) {
  // A minute, backdated by five: two thirds of it are over when it is made.
  const absl::Time made = kStart;
  const InUse minute{made - absl::Minutes(5), made + absl::Minutes(1), made};
  EXPECT_EQ(RenewalDue(minute, absl::ZeroDuration()), made + absl::Seconds(30));
  // Longer before its end than it lives.
  const InUse week{made, made + absl::Hours(168), made};
  EXPECT_EQ(RenewalDue(week, absl::Hours(1000)), made + absl::Hours(84));
  // The same found at the start is due at once.
  const InUse found{made - absl::Minutes(5), made + absl::Minutes(1)};
  EXPECT_LT(RenewalDue(found, absl::ZeroDuration()), made);
}

TEST(RenewalScheduleTest, WarnsWhenARenewalMustHaveFailed) {
  const InUse week{kStart, kStart + absl::Hours(168)};
  EXPECT_EQ(ExpiryWarning(week), absl::Hours(42));
  EXPECT_LT(week.not_after - ExpiryWarning(week) - RenewalDue(week, absl::ZeroDuration()),
            absl::Hours(168) / 3);
  const InUse year{kStart, kStart + absl::Hours(24 * 365)};
  EXPECT_EQ(ExpiryWarning(year), absl::Hours(24 * 14));
}

// --- renewals

// Does as the test says.
class FakeSource final : public RenewalSource {
 public:
  absl::Status Renew(const std::string& folder) override {
    ++calls;
    return renew(folder);
  }
  void Cancel() override { cancelled = true; }

  std::function<absl::Status(const std::string&)> renew;
  int calls = 0;
  bool cancelled = false;
};

class MiddleRandom final : public base::Random {
 public:
  std::string Bytes(size_t n) override { return std::string(n, 'r'); }
  double Unit() override { return 0.999; }
};

class RenewalTest : public testing::Test {
 protected:
  void SetUp() override {
    CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.path(), ca_.Gateway("gw1")));  // a day
    Start();
  }
  void Start() {
    auto source = std::make_unique<FakeSource>();
    source_ = source.get();
    source_->renew = [this](const std::string& folder) { return Fresh(folder); };
    renewal_ = std::make_unique<Renewal>(
        RenewalOptions{
            .before = absl::ZeroDuration(), .directory = dir_.File("renewal"), .in_use = Files()},
        std::move(source),
        RenewalDeps{executor_, clock_, random_, metrics_,
                    [this](const absl::Status& why) { told_.push_back(why); }});
    auto opened = renewal_->Open(registry_);
    CDGATE_ASSERT_OK(opened);
    identity_ = *std::move(opened);
    renewal_->Attach(*identity_);
  }
  credentials::IdentityOptions Files() const {
    credentials::IdentityOptions options;
    options.certificate_path = dir_.File("tls.crt");
    options.key_path = dir_.File("tls.key");
    options.bundle_path = dir_.File("bundle.pem");
    options.expected_id = "spiffe://alpha.example/gateway/gw1";
    options.publish_under = dir_.path();
    return options;
  }
  // Another day from now on.
  absl::Status Fresh(const std::string& folder) {
    const auto leaf =
        ca_.Leaf({"spiffe://alpha.example/gateway/gw1"}, clock_.Now(), absl::Hours(24));
    return ca_.WriteIdentity(folder, leaf);
  }
  absl::Status Fail() { return base::MakeError(Reason::kCredentialsInvalid, "the PKI is closed"); }
  void Turn() {
    renewal_->Tick();
    executor_.RunAll();
  }
  double Count(const std::string& result) {
    return metrics_.AddCounter("cdgate_certificate_renewals_total", "", {{"result", result}})
        .Value();
  }

  test::TempDir dir_;
  test::FakeClock clock_;
  test::ManualExecutor executor_;
  MiddleRandom random_;
  base::Metrics metrics_;
  const test::TestCa ca_{"alpha.example", clock_.Now()};
  trust::TrustRegistry registry_;
  FakeSource* source_ = nullptr;
  std::unique_ptr<Renewal> renewal_;
  std::unique_ptr<credentials::IdentityStore> identity_;
  std::vector<absl::Status> told_;
};

TEST_F(RenewalTest, RenewsWhenItIsDueAndNotBefore) {
  const auto first = identity_->Current();
  clock_.Advance(absl::Hours(15));
  Turn();
  EXPECT_EQ(source_->calls, 0);
  clock_.Advance(absl::Hours(2));
  Turn();
  EXPECT_EQ(source_->calls, 1);
  const auto second = identity_->Current();
  EXPECT_NE(second->serial, first->serial);
  EXPECT_EQ(second->not_after, clock_.Now() + absl::Hours(24));
  EXPECT_EQ(Count("renewed"), 1);
  EXPECT_EQ(Count("failed"), 0);
  EXPECT_THAT(renewal_->Problems(), IsEmpty());
  Turn();
  EXPECT_EQ(source_->calls, 1);
  // Also the files, and the key is nobody else's.
  CDGATE_EXPECT_OK(credentials::LoadMaterial(Files(), clock_.Now()));
  struct stat info {};
  ASSERT_EQ(stat(dir_.File("tls.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_FALSE(base::FileExists(dir_.File("renewal/new")));
  EXPECT_FALSE(base::FileExists(dir_.File("renewal/ready")));
}

TEST_F(RenewalTest, OneRunsAtATime) {
  clock_.Advance(absl::Hours(17));
  renewal_->Tick();
  renewal_->Tick();
  EXPECT_EQ(executor_.queued(), 1U);
  executor_.RunAll();
  EXPECT_EQ(source_->calls, 1);
}

TEST_F(RenewalTest, AFailureKeepsTheLastGoodOneAndRaisesAnAlarm) {
  const auto first = identity_->Current();
  const std::string certificate = base::ReadFile(dir_.File("tls.crt")).value();
  source_->renew = [this](const std::string&) { return Fail(); };
  clock_.Advance(absl::Hours(17));
  Turn();
  EXPECT_EQ(Count("failed"), 1);
  EXPECT_EQ(identity_->Current()->serial, first->serial);
  EXPECT_EQ(base::ReadFile(dir_.File("tls.crt")).value(), certificate);
  EXPECT_THAT(renewal_->Problems(),
              ElementsAre(testing::AllOf(HasSubstr("was not renewed (once): the PKI is closed"),
                                         HasSubstr("valid until 2026-01-02T00:00:00Z"))));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_THAT(told_[0], test::HasReason(Reason::kCredentialsInvalid));
  // The alarm ends with what it was about.
  source_->renew = [this](const std::string& folder) { return Fresh(folder); };
  clock_.Advance(absl::Seconds(5));
  Turn();
  EXPECT_EQ(Count("renewed"), 1);
  EXPECT_THAT(renewal_->Problems(), IsEmpty());
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(RenewalTest, TriesAgainWithGrowingPauses) {
  source_->renew = [this](const std::string&) { return Fail(); };
  clock_.Advance(absl::Hours(17));
  Turn();
  for (const int pause : {5, 10, 20, 40, 80, 160, 320, 600, 600}) {
    const int before = source_->calls;
    clock_.Advance(absl::Seconds(pause) - absl::Seconds(1));
    Turn();
    EXPECT_EQ(source_->calls, before) << pause;
    clock_.Advance(absl::Seconds(1));
    Turn();
    EXPECT_EQ(source_->calls, before + 1) << pause;
  }
  EXPECT_THAT(renewal_->Problems(), ElementsAre(HasSubstr("(10 times)")));
}

TEST_F(RenewalTest, RefusesWhatDoesNotFitBeforeItReplacesAnything) {
  const std::string certificate = base::ReadFile(dir_.File("tls.crt")).value();
  const std::string key = base::ReadFile(dir_.File("tls.key")).value();
  const std::string bundle = base::ReadFile(dir_.File("bundle.pem")).value();
  const test::TestCa other("alpha.example", clock_.Now());
  const auto in_a_year = clock_.Now() + absl::Hours(24 * 365);
  const struct {
    const char* what;
    std::function<absl::Status(const std::string&)> renew;
    const char* why;
  } cases[] = {
      {"another identity",
       [&](const std::string& to) { return ca_.WriteIdentity(to, ca_.Gateway("gw2")); },
       "and not of spiffe://alpha.example/gateway/gw1"},
      {"another CA without its bundle",
       [&](const std::string& to) {
         CDGATE_EXPECT_OK(other.WriteIdentity(to, other.Gateway("gw1")));
         std::filesystem::remove(absl::StrCat(to, "/bundle.pem"));
         return absl::OkStatus();
       },
       "tls.crt"},
      {"another key",
       [&](const std::string& to) {
         return ca_.WriteIdentity(to,
                                  {ca_.Gateway("gw1").certificate_pem, ca_.Gateway("gw1").key_pem});
       },
       "the key is not that"},
      {"not yet valid",
       [&](const std::string& to) {
         return ca_.WriteIdentity(
             to, ca_.Leaf({"spiffe://alpha.example/gateway/gw1"}, in_a_year, absl::Hours(24)));
       },
       "not yet valid"},
      {"the same again",
       [&](const std::string& to) {
         return ca_.WriteIdentity(to, {certificate, key});
       },
       "is no renewed one"},
      {"one from before",
       [&](const std::string& to) {
         return ca_.WriteIdentity(to, ca_.Leaf({"spiffe://alpha.example/gateway/gw1"},
                                               kStart - absl::Hours(1), absl::Hours(72)));
       },
       "is no renewed one"},
      {"no key",
       [&](const std::string& to) {
         return base::WriteFileAtomically(absl::StrCat(to, "/tls.crt"), certificate);
       },
       "tls.key"},
      {"nothing", [](const std::string&) { return absl::OkStatus(); }, "brought no certificate"},
  };
  clock_.Advance(absl::Hours(17));
  const auto in_use = identity_->Current()->serial;
  for (const auto& c : cases) {
    source_->renew = c.renew;
    clock_.Advance(absl::Minutes(10));
    Turn();
    EXPECT_THAT(renewal_->Problems(), ElementsAre(HasSubstr(c.why))) << c.what;
    EXPECT_EQ(identity_->Current()->serial, in_use) << c.what;
    EXPECT_EQ(base::ReadFile(dir_.File("tls.crt")).value(), certificate) << c.what;
    EXPECT_EQ(base::ReadFile(dir_.File("tls.key")).value(), key) << c.what;
    EXPECT_EQ(base::ReadFile(dir_.File("bundle.pem")).value(), bundle) << c.what;
  }
}

TEST_F(RenewalTest, ASourceMayReplaceTheFilesItself) {
  source_->renew = [this](const std::string&) { return Fresh(dir_.path()); };
  clock_.Advance(absl::Hours(17));
  Turn();
  EXPECT_EQ(Count("renewed"), 1);
  EXPECT_EQ(identity_->Current()->not_after, clock_.Now() + absl::Hours(24));
}

TEST_F(RenewalTest, LifetimesMayBecomeShorter) {
  source_->renew = [this](const std::string& to) {
    return ca_.WriteIdentity(
        to, ca_.Leaf({"spiffe://alpha.example/gateway/gw1"}, clock_.Now(), absl::Hours(1)));
  };
  clock_.Advance(absl::Hours(17));
  Turn();
  EXPECT_EQ(Count("renewed"), 1);
  EXPECT_EQ(identity_->Current()->not_after, clock_.Now() + absl::Hours(1));
  Turn();
  EXPECT_EQ(source_->calls, 1);
}

TEST_F(RenewalTest, FollowsItsCaToAnotherRoot) {
  const test::TestCa next("alpha.example", clock_.Now());
  source_->renew = [&](const std::string& to) {
    const auto leaf =
        next.Leaf({"spiffe://alpha.example/gateway/gw1"}, clock_.Now(), absl::Hours(24));
    CDGATE_EXPECT_OK(next.WriteIdentity(to, leaf));
    return base::WriteFileAtomically(absl::StrCat(to, "/bundle.pem"),
                                     absl::StrCat(ca_.bundle_pem(), next.bundle_pem()));
  };
  clock_.Advance(absl::Hours(17));
  Turn();
  EXPECT_EQ(Count("renewed"), 1);
  EXPECT_EQ(registry_.Current()->Find("alpha.example")->roots().size(), 2U);
}

TEST_F(RenewalTest, StopsForGood) {
  clock_.Advance(absl::Hours(17));
  renewal_->Stop();
  EXPECT_TRUE(source_->cancelled);
  Turn();
  EXPECT_EQ(source_->calls, 0);
}

TEST_F(RenewalTest, AFullExecutorIsTriedAgain) {
  clock_.Advance(absl::Hours(17));
  executor_.Refuse();
  renewal_->Tick();
  EXPECT_EQ(executor_.queued(), 0U);
  renewal_->Tick();  // not taken for one that runs
  EXPECT_EQ(source_->calls, 0);
  EXPECT_THAT(renewal_->Problems(), IsEmpty());
}

// --- at the start

TEST_F(RenewalTest, AnExpiredCertificateIsRenewedAtTheStart) {
  clock_.Advance(absl::Hours(48));
  Start();
  EXPECT_EQ(source_->calls, 1);
  EXPECT_EQ(identity_->Current()->not_after, clock_.Now() + absl::Hours(24));
}

TEST_F(RenewalTest, AnInstallationThatWasCutShortIsFinishedAtTheStart) {
  // As after a crash when key and bundle were copied and the certificate not.
  CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File("renewal/ready"), 0700));
  CDGATE_ASSERT_OK(Fresh(dir_.File("renewal/ready")));
  std::filesystem::copy_file(dir_.File("renewal/ready/tls.key"), dir_.File("tls.key"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(credentials::LoadMaterial(Files(), clock_.Now()),
              test::HasReason(Reason::kCredentialsInvalid));
  Start();
  EXPECT_EQ(source_->calls, 0);
  CDGATE_EXPECT_OK(credentials::LoadMaterial(Files(), clock_.Now()));
  EXPECT_FALSE(base::FileExists(dir_.File("renewal/ready")));
}

TEST_F(RenewalTest, SaysAtTheStartWhyNothingHelps) {
  clock_.Advance(absl::Hours(48));
  auto source = std::make_unique<FakeSource>();
  source->renew = [this](const std::string&) { return Fail(); };
  Renewal renewal(
      {.before = absl::ZeroDuration(), .directory = dir_.File("renewal"), .in_use = Files()},
      std::move(source), {executor_, clock_, random_, metrics_});
  EXPECT_THAT(renewal.Open(registry_),
              test::HasReasonAndMessage(
                  Reason::kCredentialsInvalid,
                  testing::AllOf(HasSubstr("expired"), HasSubstr("the PKI is closed"))));
}

// --- sources

TEST_F(RenewalTest, ACaGivesTheSameNamesAndAnEncryptedKey) {
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("key.pass"), "one\n", 0600));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("ca.pass"), "two\n", 0600));
  const auto passphrase = crypto::Passphrase::FromFile(dir_.File("ca.pass")).value();
  ca::AuthorityOptions options;
  options.domain = "alpha.example";
  CDGATE_ASSERT_OK(ca::Folder::Init(dir_.File("ca"), options, passphrase, clock_.Now()));
  credentials::IdentityOptions files = Files();
  files.key_passphrase_path = dir_.File("key.pass");
  const auto source =
      RenewFromCa(dir_.File("ca"), dir_.File("ca.pass"), absl::Hours(3), files, clock_);
  // The one in use is of another CA.
  EXPECT_THAT(source->Renew(dir_.File("to")), test::HasReason(Reason::kInvalidArgument));
  {
    const auto folder = ca::Folder::Open(dir_.File("ca"), passphrase).value();
    crypto::LeafRequest request;
    request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
    request.dns_names = {"gw.alpha.example"};
    const auto leaf = folder->Issue(request, clock_.Now()).value();
    CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.path(), leaf));
  }
  CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File("to")));
  CDGATE_ASSERT_OK(source->Renew(dir_.File("to")));
  files.certificate_path = dir_.File("to/tls.crt");
  files.key_path = dir_.File("to/tls.key");
  files.bundle_path = dir_.File("to/bundle.pem");
  EXPECT_TRUE(crypto::PrivateKey::IsEncrypted(base::ReadFile(files.key_path).value()));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto material, credentials::LoadMaterial(files, clock_.Now()));
  EXPECT_EQ(material.info.not_after, clock_.Now() + absl::Hours(3));
  EXPECT_THAT(crypto::Certificate::FromPem(material.info.leaf_pem)->dns_names(),
              ElementsAre("gw.alpha.example"));
}

TEST_F(RenewalTest, AProgramIsToldWhatItNeeds) {
  CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File("to")));
  const auto source = RenewByProgram(
      {"/bin/sh", "-c", "cp $CDGATE_KEY $CDGATE_RENEWAL_DIR/tls.key; echo $CDGATE_SPIFFE_ID > $1",
       "sh", dir_.File("said")},
      absl::Minutes(1), Files());
  CDGATE_ASSERT_OK(source->Renew(dir_.File("to")));
  EXPECT_TRUE(base::FileExists(dir_.File("to/tls.key")));
  EXPECT_EQ(base::ReadFile(dir_.File("said")).value(), "spiffe://alpha.example/gateway/gw1\n");
}

TEST_F(RenewalTest, AProgramThatFailsIsQuoted) {
  const auto failing = RenewByProgram({"/bin/sh", "-c", "echo no quota left >&2; exit 7"},
                                      absl::Minutes(1), Files());
  EXPECT_THAT(failing->Renew(dir_.path()),
              test::HasReasonAndMessage(
                  Reason::kCredentialsInvalid,
                  testing::AllOf(HasSubstr("exit status 7"), HasSubstr("no quota left"))));
  const auto slow = RenewByProgram({"/bin/sleep", "600"}, absl::Milliseconds(100), Files());
  EXPECT_THAT(slow->Renew(dir_.path()),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("not done after")));
  failing->Cancel();
  EXPECT_THAT(failing->Renew(dir_.path()),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("cancelled")));
}

}  // namespace
}  // namespace cdgate::app
