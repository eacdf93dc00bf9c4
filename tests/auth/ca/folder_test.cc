#include "auth/ca/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/verify.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::ca {
namespace {

using base::Reason;
using crypto::Certificate;
using crypto::Passphrase;
using crypto::RevocationReason;
using testing::HasSubstr;

class FolderTest : public testing::Test {
 protected:
  absl::Status Init(AuthorityOptions options = {}, const Passphrase& passphrase = {}) {
    options.domain = "alpha.example";
    return Folder::Init(dir_.File("ca"), options, passphrase, clock_.Now());
  }
  std::unique_ptr<Folder> Open(const Passphrase& passphrase = {}) {
    return Folder::Open(dir_.File("ca"), passphrase).value();
  }
  std::string Read(const std::string& name) {
    return base::ReadFile(absl::StrCat(dir_.File("ca"), "/", name)).value();
  }
  crypto::LeafRequest Request(const std::string& path = "gateway/gw1") const {
    crypto::LeafRequest request;
    request.uri_names = {absl::StrCat("spiffe://alpha.example/", path)};
    request.dns_names = {"gw.alpha.example"};
    request.ip_names = {"127.0.0.1"};
    request.validity = kLeafValidity;
    request.common_name = path;
    return request;
  }
  // As a gateway that has the folder's lists verifies it.
  absl::Status Verify(const crypto::IssuedCertificate& issued, absl::Time now) {
    const auto chain = Certificate::ParsePemChain(issued.certificate_pem).value();
    const auto store =
        trust::MakeTrustStore("alpha.example", Read("bundle.pem"), {Read("crl.pem")}).value();
    return crypto::VerifyChain(chain.front(), chain, *store, crypto::Purpose::kServer, now);
  }

  test::TempDir dir_;
  test::FakeClock clock_;
};

TEST_F(FolderTest, IssuesWhatVerifiesAndRegistersIt) {
  CDGATE_ASSERT_OK(Init());
  const auto folder = Open();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto issued, folder->Issue(Request(), clock_.Now()));
  CDGATE_EXPECT_OK(Verify(issued, clock_.Now()));
  CDGATE_ASSERT_OK_AND_ASSIGN(const Register read, Folder::ReadRegister(dir_.File("ca")));
  ASSERT_EQ(read.entries.size(), 1U);
  const Entry& entry = read.entries.front();
  EXPECT_EQ(entry.serial, Certificate::FromPem(issued.certificate_pem)->serial());
  EXPECT_EQ(entry.id, "spiffe://alpha.example/gateway/gw1");
  EXPECT_THAT(entry.dns_names, testing::ElementsAre("gw.alpha.example"));
  EXPECT_EQ(entry.not_after, clock_.Now() + kLeafValidity);
  EXPECT_EQ(entry.issuer, Certificate::FromPem(Read("ca.crt"))->serial());
}

TEST_F(FolderTest, KeepsKeysToItself) {
  AuthorityOptions options;
  options.intermediate = true;
  CDGATE_ASSERT_OK(Init(options));
  for (const char* name : {"ca.key", "root.key"}) {
    struct stat info {};
    ASSERT_EQ(stat(absl::StrCat(dir_.File("ca"), "/", name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << name;
  }
}

TEST_F(FolderTest, IsNotOverwritten) {
  CDGATE_ASSERT_OK(Init());
  const std::string key = Read("ca.key");
  EXPECT_THAT(Init(), test::HasReason(Reason::kAlreadyExists));
  EXPECT_EQ(Read("ca.key"), key);
}

TEST_F(FolderTest, RefusesNamesThatNobodyWouldTake) {
  AuthorityOptions options;
  options.dns_suffixes = {"alpha.example"};
  CDGATE_ASSERT_OK(Init(options));
  const auto folder = Open();
  crypto::LeafRequest foreign = Request();
  foreign.uri_names = {"spiffe://beta.example/gateway/gw1"};
  crypto::LeafRequest outside = Request();
  outside.dns_names = {"gw.beta.example"};
  crypto::LeafRequest no_name = Request();
  no_name.dns_names = {"two words"};
  crypto::LeafRequest two = Request();
  two.uri_names.push_back("spiffe://alpha.example/user/root");
  for (const auto& request : {foreign, outside, no_name, two}) {
    EXPECT_THAT(folder->Issue(request, clock_.Now()), test::HasReason(Reason::kInvalidArgument));
  }
  EXPECT_TRUE(folder->issued().entries.empty());
}

TEST_F(FolderTest, EncryptedKeysNeedTheirPassphrase) {
  const Passphrase passphrase = Passphrase::FromText("open sesame").value();
  AuthorityOptions options;
  options.intermediate = true;
  CDGATE_ASSERT_OK(Init(options, passphrase));
  EXPECT_TRUE(crypto::PrivateKey::IsEncrypted(Read("ca.key")));
  EXPECT_TRUE(crypto::PrivateKey::IsEncrypted(Read("root.key")));
  CDGATE_EXPECT_OK(Open(passphrase)->Issue(Request(), clock_.Now()));
  EXPECT_THAT(Open()->Issue(Request(), clock_.Now()),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid,
                                        HasSubstr("ca.key: the private key is encrypted")));
  EXPECT_THAT(Open(Passphrase::FromText("close sesame").value())->Issue(Request(), clock_.Now()),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid,
                                        HasSubstr("does not open the private key")));
}

TEST_F(FolderTest, RevokesAndSaysSoInItsList) {
  CDGATE_ASSERT_OK(Init());
  const auto folder = Open();
  const auto bad = folder->Issue(Request("service/bad"), clock_.Now()).value();
  const auto good = folder->Issue(Request("service/good"), clock_.Now()).value();
  const std::string serial = Certificate::FromPem(bad.certificate_pem)->serial();
  const uint64_t before = folder->issued().crl_number;
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const Lists lists,
      folder->Revoke({serial}, RevocationReason::kKeyCompromise, kListValidity, clock_.Now()));
  EXPECT_EQ(lists.number, before + 1);
  EXPECT_EQ(lists.revoked, 1U);
  EXPECT_EQ(lists.next_update, clock_.Now() + kListValidity);
  EXPECT_THAT(Verify(bad, clock_.Now()), test::HasReason(Reason::kCertificateRevoked));
  CDGATE_EXPECT_OK(Verify(good, clock_.Now()));
  const auto read = crypto::RevocationList::ParsePem(Read("crl.pem")).value();
  ASSERT_EQ(read.front().entries().size(), 1U);
  EXPECT_EQ(read.front().entries().front().reason, RevocationReason::kKeyCompromise);
  EXPECT_EQ(read.front().number(), lists.number);
}

TEST_F(FolderTest, RevokesNothingWhereOneSerialIsUnknown) {
  CDGATE_ASSERT_OK(Init());
  const auto folder = Open();
  const auto leaf = folder->Issue(Request(), clock_.Now()).value();
  const std::string serial = Certificate::FromPem(leaf.certificate_pem)->serial();
  EXPECT_THAT(
      folder->Revoke({serial, "00ff"}, RevocationReason::kUnspecified, kListValidity, clock_.Now()),
      test::HasReason(Reason::kNotFound));
  CDGATE_EXPECT_OK(Verify(leaf, clock_.Now()));
}

TEST_F(FolderTest, ARevocationKeepsItsFirstTimeAndReason) {
  CDGATE_ASSERT_OK(Init());
  const auto folder = Open();
  const auto leaf = folder->Issue(Request(), clock_.Now()).value();
  const std::string serial = Certificate::FromPem(leaf.certificate_pem)->serial();
  const absl::Time first = clock_.Now();
  CDGATE_ASSERT_OK(
      folder->Revoke({serial}, RevocationReason::kKeyCompromise, kListValidity, first));
  CDGATE_ASSERT_OK(folder->Revoke({serial}, RevocationReason::kSuperseded, kListValidity,
                                  first + absl::Hours(1)));
  EXPECT_EQ(folder->issued().entries.front().revoked, first);
  EXPECT_EQ(folder->issued().entries.front().reason, RevocationReason::kKeyCompromise);
}

TEST_F(FolderTest, RevokesAnIntermediateWithTheRootsKey) {
  AuthorityOptions options;
  options.intermediate = true;
  CDGATE_ASSERT_OK(Init(options));
  const auto folder = Open();
  const auto leaf = folder->Issue(Request(), clock_.Now()).value();
  CDGATE_EXPECT_OK(Verify(leaf, clock_.Now()));
  const std::string serial = Certificate::FromPem(Read("ca.crt"))->serial();
  CDGATE_ASSERT_OK(
      folder->Revoke({serial}, RevocationReason::kCaCompromise, kListValidity, clock_.Now()));
  EXPECT_THAT(Verify(leaf, clock_.Now()), test::HasReason(Reason::kCertificateRevoked));
}

TEST_F(FolderTest, WorksWhileTheRootsKeyIsElsewhere) {
  AuthorityOptions options;
  options.intermediate = true;
  CDGATE_ASSERT_OK(Init(options));
  std::filesystem::rename(dir_.File("ca/root.key"), dir_.File("root.key"));
  const auto folder = Open();
  const auto leaf = folder->Issue(Request(), clock_.Now()).value();
  CDGATE_ASSERT_OK_AND_ASSIGN(Lists lists, folder->WriteLists(kListValidity, clock_.Now()));
  EXPECT_TRUE(lists.remarks.empty());
  CDGATE_EXPECT_OK(Verify(leaf, clock_.Now()));
  // Within a month of the end of the root's own list it reminds.
  CDGATE_ASSERT_OK_AND_ASSIGN(
      lists, folder->WriteLists(kListValidity, clock_.Now() + absl::Hours(24 * 340)));
  ASSERT_EQ(lists.remarks.size(), 1U);
  EXPECT_THAT(lists.remarks.front(), HasSubstr("cdgate ca crl"));
}

TEST_F(FolderTest, RenewsWithTheSameNamesAndAnotherKey) {
  CDGATE_ASSERT_OK(Init());
  const auto folder = Open();
  const auto first = folder->Issue(Request(), clock_.Now()).value();
  const auto before = Certificate::FromPem(first.certificate_pem).value();
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto second, folder->Renew(before, RequestLike(before), clock_.Now() + absl::Hours(1)));
  const auto after = Certificate::FromPem(second.certificate_pem).value();
  EXPECT_EQ(after.uri_names(), before.uri_names());
  EXPECT_EQ(after.dns_names(), before.dns_names());
  EXPECT_EQ(after.ip_names(), before.ip_names());
  EXPECT_EQ(after.subject(), before.subject());
  EXPECT_EQ(after.not_after() - after.not_before(), before.not_after() - before.not_before());
  EXPECT_NE(second.key_pem, first.key_pem);
  CDGATE_ASSERT_OK(folder->Revoke({after.serial()}, RevocationReason::kUnspecified, kListValidity,
                                  clock_.Now()));
  EXPECT_THAT(folder->Renew(after, RequestLike(after), clock_.Now()),
              test::HasReason(Reason::kInvalidArgument));
}

TEST_F(FolderTest, AdoptsWhatItIssuedBeforeItHadARegister) {
  CDGATE_ASSERT_OK(Init());
  crypto::IssuedCertificate leaf;
  {
    const auto folder = Open();
    leaf = folder->Issue(Request(), clock_.Now()).value();
  }
  std::filesystem::remove(dir_.File("ca/issued.jsonl"));
  const auto folder = Open();
  const auto certificate = Certificate::FromPem(leaf.certificate_pem).value();
  CDGATE_ASSERT_OK(folder->Adopt(certificate));
  CDGATE_ASSERT_OK(folder->Revoke({certificate.serial()}, RevocationReason::kUnspecified,
                                  kListValidity, clock_.Now()));
  EXPECT_THAT(Verify(leaf, clock_.Now()), test::HasReason(Reason::kCertificateRevoked));
  const auto other = crypto::CertificateAuthority::InitRoot("alpha.example", {}, clock_.Now());
  EXPECT_THAT(folder->Adopt(Certificate::FromPem(other->certificate_pem).value()),
              test::HasReason(Reason::kInvalidArgument));
}

TEST_F(FolderTest, TwoProgramsLoseNoEntry) {
  CDGATE_ASSERT_OK(Init());
  constexpr int kEach = 8;
  std::vector<std::thread> programs;
  for (const char* name : {"a", "b", "c"}) {
    programs.emplace_back([this, name] {
      for (int i = 0; i < kEach; ++i) {
        const auto folder = Open();
        CDGATE_EXPECT_OK(folder->Issue(Request(absl::StrCat("service/", name, i)), clock_.Now()));
      }
    });
  }
  for (std::thread& program : programs) program.join();
  EXPECT_EQ(Folder::ReadRegister(dir_.File("ca"))->entries.size(), 3U * kEach);
}

TEST_F(FolderTest, WorksWithAFolderOfAnEarlierRelease) {
  const auto root = crypto::CertificateAuthority::InitRoot("alpha.example", {}, clock_.Now());
  CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File("ca"), 0700));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("ca/ca.crt"), root->certificate_pem));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("ca/ca.key"), root->key_pem, 0600));
  const auto folder = Open();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto leaf, folder->Issue(Request(), clock_.Now()));
  EXPECT_EQ(folder->bundle_pem(), root->certificate_pem);
  CDGATE_EXPECT_OK(folder->WriteLists(kListValidity, clock_.Now()));
}

// An attestor of the folder's.
class AttestorFolderTest : public FolderTest {
 protected:
  crypto::LeafRequest AttestorRequest() const {
    crypto::LeafRequest request = Request("attestor/a1");
    request.dns_names.clear();
    request.ip_names.clear();
    request.validity = kAttestorValidity;
    request.use = crypto::LeafUse::kStatements;
    return request;
  }
};

TEST_F(AttestorFolderTest, IssuesAndRenewsWhatSignsStatements) {
  CDGATE_ASSERT_OK(Init());
  const auto folder = Open();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto first, folder->Issue(AttestorRequest(), clock_.Now()));
  const auto before = Certificate::FromPem(first.certificate_pem).value();
  EXPECT_FALSE(before.may_be_used_for_tls());
  EXPECT_EQ(before.not_after(), clock_.Now() + kAttestorValidity);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto second,
                              folder->Renew(before, RequestLike(before), clock_.Now()));
  const auto after = Certificate::FromPem(second.certificate_pem).value();
  EXPECT_EQ(after.uri_names(), before.uri_names());
  EXPECT_FALSE(after.may_be_used_for_tls());
}

TEST_F(AttestorFolderTest, RefusesUsesAndNamesThatDoNotGoTogether) {
  CDGATE_ASSERT_OK(Init());
  const auto folder = Open();
  crypto::LeafRequest connects = AttestorRequest();
  connects.use = crypto::LeafUse::kTls;
  crypto::LeafRequest has_host = AttestorRequest();
  has_host.dns_names = {"gw.alpha.example"};
  crypto::LeafRequest gateway = AttestorRequest();
  gateway.uri_names = {"spiffe://alpha.example/gateway/gw1"};
  for (const auto& request : {connects, has_host, gateway}) {
    EXPECT_THAT(folder->Issue(request, clock_.Now()), test::HasReason(Reason::kInvalidArgument));
  }
}

// What it signed before is judged for as long as somebody has it.
TEST_F(AttestorFolderTest, ARevokedOneStaysOnTheListsWhenItHasEnded) {
  CDGATE_ASSERT_OK(Init());
  const auto folder = Open();
  std::vector<std::string> serials;
  for (const auto& request : {AttestorRequest(), Request()}) {
    const auto issued = folder->Issue(request, clock_.Now()).value();
    serials.push_back(Certificate::FromPem(issued.certificate_pem)->serial());
  }
  CDGATE_ASSERT_OK(
      folder->Revoke(serials, RevocationReason::kKeyCompromise, kListValidity, clock_.Now()));
  const absl::Time later = clock_.Now() + absl::Hours(24 * 400);
  CDGATE_ASSERT_OK(folder->Issue(Request("gateway/gw2"), later));
  CDGATE_ASSERT_OK(folder->WriteLists(kListValidity, later));
  const auto list = crypto::RevocationList::ParsePem(Read("crl.pem")).value().front();
  ASSERT_EQ(list.entries().size(), 1U);
  EXPECT_EQ(list.entries().front().serial, serials.front());
}

}  // namespace
}  // namespace cdgate::ca
