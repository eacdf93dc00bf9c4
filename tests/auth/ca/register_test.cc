#include "auth/ca/register.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/support/status_matchers.h"

namespace cdgate::ca {
namespace {

using base::Reason;
using testing::HasSubstr;

constexpr char kHead[] =
    R"({"format":"cdgate-ca","version":1,"domain":"alpha.example","crl_number":3,)"
    R"("bundle_sequence":2,"dns_suffixes":["alpha.example"]})";
constexpr char kEntry[] =
    R"({"serial":"5f03","id":"spiffe://alpha.example/gateway/gw1","issuer":"77ab","key":"P-256",)"
    R"("ca":false,"dns":["gw.alpha.example"],"ip":["127.0.0.1"],)"
    R"("not_before":"2026-01-01T00:00:00Z","not_after":"2026-01-08T00:00:00Z"})";
constexpr char kRevoked[] =
    R"({"serial":"5f04","id":"spiffe://alpha.example/user/a","issuer":"77ab","key":"Ed25519",)"
    R"("ca":false,"dns":[],"ip":[],"not_before":"2026-01-01T00:00:00Z",)"
    R"("not_after":"2026-01-08T00:00:00Z","revoked":"2026-01-02T00:00:00Z",)"
    R"("reason":"key_compromise"})";

std::string Text() { return absl::StrCat(kHead, "\n", kEntry, "\n", kRevoked, "\n"); }

TEST(RegisterTest, IsReadAsItIsWritten) {
  CDGATE_ASSERT_OK_AND_ASSIGN(Register read, Register::Parse(Text()));
  EXPECT_EQ(read.domain, "alpha.example");
  EXPECT_EQ(read.crl_number, 3U);
  EXPECT_EQ(read.bundle_sequence, 2U);
  EXPECT_THAT(read.dns_suffixes, testing::ElementsAre("alpha.example"));
  ASSERT_EQ(read.entries.size(), 2U);
  EXPECT_EQ(read.entries[0].id, "spiffe://alpha.example/gateway/gw1");
  EXPECT_EQ(read.entries[0].not_after - read.entries[0].not_before, absl::Hours(24 * 7));
  EXPECT_FALSE(read.entries[0].revoked.has_value());
  ASSERT_NE(read.Find("5f04"), nullptr);
  EXPECT_EQ(read.Find("5f04")->reason, crypto::RevocationReason::kKeyCompromise);
  EXPECT_EQ(read.Find("5f05"), nullptr);
  EXPECT_EQ(read.ToText(), Text());
}

TEST(RegisterTest, TextsOfAnyKindComeBack) {
  Register written;
  written.domain = "alpha.example";
  written.dns_suffixes = {"a\"b\\c\n\x01", "\xc3\xa9"};
  CDGATE_ASSERT_OK_AND_ASSIGN(const Register read, Register::Parse(written.ToText()));
  EXPECT_EQ(read.dns_suffixes, written.dns_suffixes);
}

TEST(RegisterTest, PassesOverMembersOfLaterReleases) {
  const std::string text =
      absl::StrReplaceAll(Text(), {{"\"serial\"", "\"since\":{\"a\":1},\"serial\""}});
  CDGATE_EXPECT_OK(Register::Parse(text));
}

TEST(RegisterTest, NamesTheLineThatIsWrong) {
  const struct {
    const char* what;
    std::string text;
    const char* message;
  } cases[] = {
      {"nothing", "", "line 1"},
      {"no head", absl::StrCat(kEntry, "\n"), "expected the head"},
      {"a newer version", absl::StrReplaceAll(Text(), {{"\"version\":1", "\"version\":2"}}),
       "newer release"},
      {"no JSON", absl::StrCat(Text(), "{\n"), "line 4"},
      {"a serial twice", absl::StrCat(Text(), kEntry, "\n"),
       "line 4 of the CA's register: serial 5f03"},
      {"no serial", absl::StrReplaceAll(Text(), {{"\"serial\":\"5f04\"", "\"no\":1"}}),
       "line 3 of the CA's register: serial"},
      {"a serial that is none", absl::StrReplaceAll(Text(), {{"5f04", "5F04"}}), "lower-case hex"},
      {"a time that is none", absl::StrReplaceAll(Text(), {{"2026-01-08T", "2026-13-08T"}}),
       "line 2 of the CA's register: not_after"},
      {"an unknown reason", absl::StrReplaceAll(Text(), {{"key_compromise", "spite"}}),
       "line 3 of the CA's register: reason"},
      {"a flag that is none", absl::StrReplaceAll(Text(), {{"\"ca\":false", "\"ca\":0"}}), "ca:"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Register::Parse(c.text),
                test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr(c.message)))
        << c.what;
  }
}

TEST(RegisterTest, ForgetsWhatExpiredLongAgo) {
  CDGATE_ASSERT_OK_AND_ASSIGN(Register read, Register::Parse(Text()));
  const absl::Time end = read.entries[0].not_after;
  read.entries[1].not_after = end + absl::Hours(1);
  read.ForgetExpired(end + absl::Minutes(30));
  ASSERT_EQ(read.entries.size(), 1U);
  EXPECT_EQ(read.entries[0].serial, "5f04");
}

TEST(RegisterTest, EveryReasonHasAName) {
  for (const std::string& name : ReasonNames()) {
    ASSERT_TRUE(ReasonFromName(name).has_value());
    EXPECT_EQ(ReasonName(*ReasonFromName(name)), name);
  }
  EXPECT_FALSE(ReasonFromName("spite").has_value());
}

}  // namespace
}  // namespace cdgate::ca
