#include "gateway/base/formats.h"

#include <gtest/gtest.h>

#include <string>

namespace cdgate::base {
namespace {

TEST(FormatsTest, DateTimesAreThoseOfTimestamp) {
  for (const char* text :
       {"2026-01-02T03:04:05Z", "2026-01-02 03:04:05+0000", "2026-01-02\u300003:04:05+00",
        "0000-01-01t00:00:00.000z", "2016-12-31T23:59:60Z"}) {
    EXPECT_TRUE(IsDateTime(text)) << text;
  }
  for (const char* text :
       {"", "2026-01-02T03:04:05", "2026-01-02T24:00:00Z", "2026-02-29T00:00:00Z",
        "2026-01-02T03:04:60Z", "2026-01-02T03:04:05Z\n"}) {
    EXPECT_FALSE(IsDateTime(text)) << text;
  }
}

// What each text is: by both names, by that of the reference alone, or by neither.
TEST(FormatsTest, UrisAreAbsolute) {
  for (const char* text :
       {"https://myorg.com/schema/custom", "a:b", "A+b-c.9:/", "a:/", "a://", "a:///", "a:?",
        "urn:uuid:1", "pkg:oci/myapp@sha256%3Aab?x=y#z", "http://u:p%40@h.example:80/a/b?c=d/?#e/?",
        "file:///etc", "a:b:c", "a:@", "a:%00", "a://h:"}) {
    EXPECT_EQ(IsUri(text), std::string(text) != "a:?") << text;
    EXPECT_TRUE(IsUriReference(text)) << text;
  }
}

TEST(FormatsTest, ReferencesMayBeRelative) {
  for (const char* text : {"", "/", "/event/source/123", "my-git.example/a", "testkube-dev-123",
                           "example.issues.com/t1", "//h/p", "?", "#", "?a#b", "job/x/1/", "..",
                           ":", ":80", "1a:b", "a_b:c", "%41", "a:", "a:#"}) {
    EXPECT_TRUE(IsUriReference(text)) << text;
    EXPECT_FALSE(IsUri(text)) << text;
  }
}

TEST(FormatsTest, RefusesWhatNoUriHas) {
  const std::string wrong[] = {" ",
                               "a b",
                               "a\tb",
                               "\u00e9",
                               "a:\u00e9",
                               "a:\U0001f680",
                               "a:\x7f",
                               "a:%",
                               "a:%4",
                               "a:%4g",
                               "a:%g4",
                               "a:b%4",
                               "a:b?%",
                               "a:b#%zz",
                               "a:b#c#d",
                               "a:<>",
                               "a:{b}",
                               "a:|",
                               "a:\\",
                               "a:^",
                               "a:`",
                               "a:[b]",
                               "[",
                               "]",
                               "a:b?[",
                               "a:b#]",
                               "a:\u017f",
                               "\u212a:b",
                               std::string("a:b\0", 4),
                               std::string("\0", 1)};
  for (const std::string& text : wrong) {
    EXPECT_FALSE(IsUri(text)) << text;
    EXPECT_FALSE(IsUriReference(text)) << text;
  }
}

TEST(FormatsTest, QuotesAreOfReferencesOnly) {
  for (const char* text : {"a:\"", "a://\"h", "a:b?\"", "a:b#\"", "\"", "a://[::1]/\""}) {
    EXPECT_FALSE(IsUri(text)) << text;
    EXPECT_TRUE(IsUriReference(text)) << text;
  }
  EXPECT_FALSE(IsUriReference("a://\"@[::1]"));
}

// Accepted in no bracket, but as the segments of a path.
TEST(FormatsTest, AuthoritiesWithoutBracketsAreNotLookedAt) {
  for (const char* text : {"a://b:c:d@e@f", "a://h:port", "a://1.2.3.999", "a:////"}) {
    EXPECT_TRUE(IsUri(text)) << text;
  }
}

bool IsHost(const std::string& address) {
  const std::string tail = "[" + address + "]";
  const bool host = IsUri("a://" + tail);
  EXPECT_EQ(IsUriReference("//" + tail), host);
  EXPECT_EQ(IsUri("a:/" + tail + ":/p?q#f"), host);
  EXPECT_EQ(IsUri("a://u:%40@" + tail + ":80"), host);
  return host;
}

TEST(FormatsTest, AddressesInBracketsAreRead) {
  for (const char* address :
       {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1::8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
        "ABCD:ef01::", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4", "1:2:3:4:5::1.2.3.4", "::5:6:7:1.2.3.4",
        "::ffff:001.02.0.255", "v1.a", "VfE.a:b~!$", "v0.:"}) {
    EXPECT_TRUE(IsHost(address)) << address;
  }
  for (const char* address : {"",
                              ":",
                              ":::",
                              "1",
                              "1:",
                              ":1",
                              "1:::",
                              "1:2",
                              "1::2::3",
                              "1:2:3:4:5:6:7",
                              "1:2:3:4:5:6:7:8:",
                              "1:2:3:4:5:6:7:8:9",
                              "1:2:3:4:5:6:7:8::",
                              "1:2:3:4:5:6:7::8",
                              "12345::",
                              "g::",
                              "1.2.3.4",
                              "1.2.3.4::",
                              "::1.2.3",
                              "::1.2.3.4.5",
                              "::1.2.3.256",
                              "::1.2.3.0001",
                              "::1.2.3.4:5",
                              "1:2:3:4:5:6:7:1.2.3.4",
                              "1:2:3:4:5:6::1.2.3.4",
                              "1:2:3:4:5:1.2.3.4",
                              "fe80::1%25en0",
                              "::1 ",
                              "v1",
                              "v1.",
                              "v.a",
                              "vg.a",
                              "v1.a@",
                              "v1.%41",
                              "1v.a"}) {
    EXPECT_FALSE(IsHost(address)) << address;
  }
}

TEST(FormatsTest, BracketsStandInOnePlaceOnly) {
  for (const char* text :
       {"[::1]", "a:[::1]", "a:///[::1]", "a://b[::1]", "a://b@c@[::1]", "a://b/[::1]",
        "a://[::1]b", "a://[::1]:8a", "a://[::1]:80:80", "a://[::1", "a://[::1]]", "a://[::1]@b",
        "a://b?[::1]", "a://%4@[::1]", "1a://[::1]"}) {
    EXPECT_FALSE(IsUri(text)) << text;
    EXPECT_FALSE(IsUriReference(text)) << text;
  }
}

}  // namespace
}  // namespace cdgate::base
