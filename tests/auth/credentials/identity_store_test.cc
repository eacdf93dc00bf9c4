#include "auth/credentials/identity_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/passphrase.h"
#include "auth/crypto/private_key.h"
#include "auth/trust/bundle_document.h"
#include "gateway/base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::credentials {
namespace {

using base::Reason;
using testing::HasSubstr;

class IdentityStoreTest : public testing::Test {
 protected:
  void Install(const crypto::IssuedCertificate& leaf) {
    CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.path(), leaf));
  }
  IdentityOptions Options() const {
    IdentityOptions options;
    options.certificate_path = dir_.File("tls.crt");
    options.key_path = dir_.File("tls.key");
    options.bundle_path = dir_.File("bundle.pem");
    options.expected_id = "spiffe://alpha.example/gateway/gw1";
    options.publish_under = dir_.path();
    return options;
  }
  absl::StatusOr<std::unique_ptr<IdentityStore>> Create() {
    return IdentityStore::Create(Options(), registry_, clock_);
  }
  std::string Published(const IdentityStore& store, const std::string& name) {
    return base::ReadFile(absl::StrCat(store.published_directory_for_test(), "/current/", name))
        .value();
  }

  test::FakeClock clock_;
  test::TempDir dir_;
  const test::TestCa ca_{"alpha.example", clock_.Now()};
  trust::TrustRegistry registry_;
};

TEST_F(IdentityStoreTest, PublishesWhatIsGoodWhereNobodyElseLooks) {
  const auto leaf = ca_.Gateway("gw1");
  Install(leaf);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, Create());
  EXPECT_EQ(Published(*store, "tls.crt"), leaf.certificate_pem);
  EXPECT_EQ(Published(*store, "tls.key"), leaf.key_pem);
  EXPECT_EQ(Published(*store, "roots.pem"), ca_.bundle_pem());
  struct stat info {};
  ASSERT_EQ(stat(store->published_directory_for_test().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  EXPECT_EQ(store->Current()->id, "spiffe://alpha.example/gateway/gw1");
  EXPECT_EQ(store->Current()->domain, "alpha.example");
  EXPECT_EQ(store->Current()->not_after, clock_.Now() + absl::Hours(24));
  EXPECT_EQ(store->Current()->bundle_digest, trust::BundleDigest(ca_.bundle_pem()).value());
  EXPECT_NE(registry_.Current()->Find("alpha.example"), nullptr);
}

TEST_F(IdentityStoreTest, LeavesNothingBehind) {
  Install(ca_.Gateway("gw1"));
  std::string path;
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, Create());
    path = store->published_directory_for_test();
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(IdentityStoreTest, RefusesWhatDoesNotFitTogether) {
  const auto good = ca_.Gateway("gw1");
  const test::TestCa other("alpha.example", clock_.Now());
  const struct {
    std::string name;
    crypto::IssuedCertificate leaf;
    std::string message;
  } cases[] = {
      {"another key", {good.certificate_pem, ca_.Gateway("gw1").key_pem}, "tls.key"},
      {"no key", {good.certificate_pem, "garbage"}, "tls.key"},
      {"no certificate", {"garbage", good.key_pem}, "tls.crt"},
      {"another CA", other.Gateway("gw1"), "tls.crt"},
      {"another name", ca_.Gateway("gw2"), "and not of spiffe://alpha.example/gateway/gw1"},
      {"two names",
       ca_.Leaf({"spiffe://alpha.example/gateway/gw1", "spiffe://alpha.example/gateway/gw2"}),
       "2 URI names"},
      {"expired",
       ca_.Leaf({"spiffe://alpha.example/gateway/gw1"}, clock_.Now() - absl::Hours(2),
                absl::Hours(1)),
       "expired"},
      {"not yet valid",
       ca_.Leaf({"spiffe://alpha.example/gateway/gw1"}, clock_.Now() + absl::Hours(2),
                absl::Hours(1)),
       "not yet valid"},
  };
  for (const auto& c : cases) {
    Install(c.leaf);
    EXPECT_THAT(Create(),
                test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr(c.message)))
        << c.name;
  }
}

TEST_F(IdentityStoreTest, RefusesAKeyThatEverybodyCanRead) {
  Install(ca_.Gateway("gw1"));
  ASSERT_EQ(chmod(dir_.File("tls.key").c_str(), 0644), 0);
  EXPECT_THAT(Create(), test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("chmod")));
}

TEST_F(IdentityStoreTest, OpensAnEncryptedKeyWithItsPassphraseAlone) {
  const auto leaf = ca_.Gateway("gw1");
  Install(leaf);
  const auto passphrase = crypto::Passphrase::FromText("hush").value();
  CDGATE_ASSERT_OK(base::WriteFileAtomically(
      dir_.File("tls.key"), crypto::PrivateKey::FromPem(leaf.key_pem)->ToPem(passphrase), 0600));
  EXPECT_THAT(Create(), test::HasReasonAndMessage(Reason::kCredentialsInvalid,
                                                  HasSubstr("no passphrase is given")));
  IdentityOptions options = Options();
  options.key_passphrase_path = dir_.File("passphrase");
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("passphrase"), "hash\n", 0600));
  EXPECT_THAT(IdentityStore::Create(options, registry_, clock_),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("does not open")));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("passphrase"), "hush\n", 0600));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, IdentityStore::Create(options, registry_, clock_));
  // The TLS library gets it as it needs it.
  EXPECT_EQ(Published(*store, "tls.key"), leaf.key_pem);
}

TEST_F(IdentityStoreTest, TakesABundleAsSpiffeDocument) {
  Install(ca_.Gateway("gw1"));
  trust::BundleDocument document;
  document.roots = {ca_.ca().certificate()};
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("bundle.pem"), document.ToJson().value()));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, Create());
  EXPECT_EQ(store->Current()->bundle_pem, ca_.bundle_pem());
  EXPECT_EQ(Published(*store, "roots.pem"), ca_.bundle_pem());
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("bundle.pem"), "{\"keys\":[]}"));
  EXPECT_THAT(store->Reload(),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("bundle.pem")));
}

TEST_F(IdentityStoreTest, ReloadsAtTheSameTimeWaitForEachOther) {
  Install(ca_.Gateway("gw1"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, Create());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) CDGATE_EXPECT_OK(store->Reload());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(store->FilesChanged());
}

TEST_F(IdentityStoreTest, RefusesMissingFilesNamingThem) {
  Install(ca_.Gateway("gw1"));
  std::filesystem::remove(dir_.File("bundle.pem"));
  EXPECT_THAT(Create(),
              test::HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr("bundle.pem")));
}

TEST_F(IdentityStoreTest, RefusesAnIdentityThatItsOwnListRevokes) {
  const auto leaf = ca_.Gateway("gw1");
  Install(leaf);
  CDGATE_ASSERT_OK(
      base::WriteFileAtomically(dir_.File("crl.pem"), ca_.CrlRevoking(leaf.certificate_pem)));
  IdentityOptions options = Options();
  options.crl_paths = {dir_.File("crl.pem")};
  EXPECT_THAT(IdentityStore::Create(options, registry_, clock_),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("revoked")));
}

TEST_F(IdentityStoreTest, ReloadTakesTheNewAndKeepsTheLastGood) {
  const auto first = ca_.Gateway("gw1");
  Install(first);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, Create());
  const auto second = ca_.Gateway("gw1");
  Install(second);
  CDGATE_ASSERT_OK(store->Reload());
  EXPECT_EQ(Published(*store, "tls.crt"), second.certificate_pem);
  const auto good = store->Current();

  Install({second.certificate_pem, first.key_pem});
  EXPECT_THAT(store->Reload(), test::HasReason(Reason::kCredentialsInvalid));
  EXPECT_EQ(Published(*store, "tls.crt"), second.certificate_pem);
  EXPECT_EQ(Published(*store, "tls.key"), second.key_pem);
  EXPECT_EQ(store->Current()->serial, good->serial);
}

TEST_F(IdentityStoreTest, ReloadFollowsARolledBundleAndItsLists) {
  Install(ca_.Gateway("gw1"));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("crl.pem"), ca_.EmptyCrl()));
  IdentityOptions options = Options();
  options.crl_paths = {dir_.File("crl.pem")};
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, IdentityStore::Create(options, registry_, clock_));
  const test::TestCa rolled("alpha.example", clock_.Now());
  const std::string both = absl::StrCat(ca_.bundle_pem(), rolled.bundle_pem());
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("bundle.pem"), both));
  CDGATE_ASSERT_OK(store->Reload());
  EXPECT_EQ(Published(*store, "roots.pem"), both);
  EXPECT_EQ(registry_.Current()->Find("alpha.example")->roots().size(), 2U);
  EXPECT_EQ(registry_.Current()->Find("alpha.example")->crls().size(), 1U);
}

TEST_F(IdentityStoreTest, AnotherDomainNeedsARestart) {
  Install(ca_.Gateway("gw1"));
  IdentityOptions options = Options();
  options.expected_id.clear();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, IdentityStore::Create(options, registry_, clock_));
  const test::TestCa beta("beta.example", clock_.Now());
  CDGATE_ASSERT_OK(beta.WriteIdentity(dir_.path(), beta.Gateway("gw1")));
  EXPECT_THAT(store->Reload(), test::HasReasonAndMessage(Reason::kCredentialsInvalid,
                                                         HasSubstr("stays in alpha.example")));
  EXPECT_EQ(store->Current()->domain, "alpha.example");
  EXPECT_EQ(registry_.Current()->Find("beta.example"), nullptr);
}

TEST_F(IdentityStoreTest, RootsFollowTheRegistry) {
  Install(ca_.Gateway("gw1"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, Create());
  const test::TestCa beta("beta.example", clock_.Now());
  CDGATE_ASSERT_OK(registry_.Replace("beta.example", beta.bundle_pem(), {}));
  EXPECT_EQ(Published(*store, "roots.pem"), absl::StrCat(ca_.bundle_pem(), beta.bundle_pem()));
  registry_.Remove("beta.example");
  EXPECT_EQ(Published(*store, "roots.pem"), ca_.bundle_pem());
}

TEST_F(IdentityStoreTest, SeesThatFilesChanged) {
  Install(ca_.Gateway("gw1"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, Create());
  EXPECT_FALSE(store->FilesChanged());
  Install(ca_.Gateway("gw1"));
  EXPECT_TRUE(store->FilesChanged());
  CDGATE_ASSERT_OK(store->Reload());
  EXPECT_FALSE(store->FilesChanged());
}

}  // namespace
}  // namespace cdgate::credentials
