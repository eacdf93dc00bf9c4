#include "gateway/base/encoding.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cdgate::base {
namespace {

std::string AllBytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

TEST(EncodingTest, HexRoundTrips) {
  EXPECT_EQ(HexEncode(std::string("\x00\xff\x1a", 3)), "00ff1a");
  EXPECT_EQ(HexDecode(HexEncode(AllBytes())).value(), AllBytes());
  EXPECT_EQ(HexDecode("").value(), "");
}

TEST(EncodingTest, HexHasOneSpelling) {
  for (const char* bad : {"0", "0g", "FF", "0x00", " 00", "00 "}) {
    EXPECT_FALSE(HexDecode(bad).ok()) << bad;
  }
}

TEST(EncodingTest, Base64UrlRoundTripsAtEveryLength) {
  for (size_t n = 0; n <= 9; ++n) {
    const std::string bytes = AllBytes().substr(247, n);
    EXPECT_EQ(Base64UrlDecode(Base64UrlEncode(bytes)).value(), bytes) << n;
  }
  EXPECT_EQ(Base64UrlEncode("\xff\xfe"), "__4");
}

TEST(EncodingTest, Base64UrlHasOneSpelling) {
  // Padding, the other alphabet, white space, left-over bits that are not zero, an
  // impossible length.
  for (const char* bad : {"__4=", "//4", "__ 4", "__5", "A"}) {
    EXPECT_FALSE(Base64UrlDecode(bad).ok()) << bad;
  }
}

TEST(EncodingTest, Base32IsRfc4648InLowerCaseWithoutPadding) {
  const struct {
    const char* bytes;
    const char* text;
  } cases[] = {{"", ""},
               {"f", "my"},
               {"fo", "mzxq"},
               {"foo", "mzxw6"},
               {"foob", "mzxw6yq"},
               {"fooba", "mzxw6ytb"},
               {"foobar", "mzxw6ytboi"}};
  for (const auto& c : cases) EXPECT_EQ(Base32Encode(c.bytes), c.text);
}

TEST(EncodingTest, FingerprintIsUpperCasePairs) {
  EXPECT_EQ(Fingerprint(std::string("\x00\xab\x0f", 3)), "00:AB:0F");
  EXPECT_EQ(Fingerprint(""), "");
}

TEST(ShortenTest, LeavesShortTextAlone) {
  EXPECT_EQ(Shorten("build finished"), "build finished");
  EXPECT_EQ(Shorten(std::string(80, 'a')), std::string(80, 'a'));
}

TEST(ShortenTest, CutsAtACharacter) {
  EXPECT_EQ(Shorten("aéé", 2), "a…");  // é is two bytes: a cut inside one goes before it
  EXPECT_EQ(Shorten("aéé", 3), "aé…");
  EXPECT_EQ(Shorten(std::string(81, 'a')), absl::StrCat(std::string(80, 'a'), "…"));
}

TEST(ShortenTest, ShowsWhatCannotBePrinted) {
  EXPECT_EQ(Shorten("a\nb\x1b[31m\xff"), "a\\nb\\033[31m\\377");
  EXPECT_EQ(Shorten("é€😀"), "é€😀");
  EXPECT_EQ(Shorten("\xc2\x9b"), "\\302\\233") << "a control character beyond ASCII";
  // Overlong, a surrogate, beyond Unicode, cut off.
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_EQ(Shorten(bad), absl::CEscape(bad));
  }
}

}  // namespace
}  // namespace cdgate::base
