#include "gateway/base/http_url.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace cdgate::base {
namespace {

HttpUrl Parse(absl::string_view text) {
  auto url = ParseHttpUrl(text);
  CDGATE_EXPECT_OK(url);
  return url.value_or(HttpUrl());
}

TEST(HttpUrlTest, HasOneSpelling) {
  EXPECT_EQ(Parse("HTTPS://Hooks.Example/ci").text, "https://hooks.example/ci");
  EXPECT_EQ(Parse("https://hooks.example:443").text, "https://hooks.example/");
  EXPECT_EQ(Parse("http://hooks.example:8080/a/./b/../c?x=1&y=%2F").text,
            "http://hooks.example:8080/a/c?x=1&y=%2F");
  EXPECT_EQ(Parse("https://hooks.example/../../a").text, "https://hooks.example/a");
  EXPECT_EQ(Parse("http://[::1]:80/").text, "http://[::1]/");
  const HttpUrl url = Parse("https://192.0.2.1:8443/a?b");
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "192.0.2.1");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.path, "/a");
  EXPECT_EQ(url.query, "b");
}

TEST(HttpUrlTest, WhatIsNoneIsRefused) {
  for (const char* text : {"",
                           "hooks.example",
                           "ftp://hooks.example/",
                           "file:///etc/passwd",
                           "https:/hooks.example/",
                           "https://",
                           "https:///path",
                           "https://user@hooks.example/",
                           "https://user:pass@hooks.example/",
                           "https://hooks.example@evil.example/",
                           "https://hooks.example/#there",
                           "https://hooks.example#",
                           "https://hooks.example:0/",
                           "https://hooks.example:65536/",
                           "https://hooks.example:x/",
                           "https://hooks.example./",
                           "https://.example/",
                           "https://hooks example/",
                           "https://h\xc3\xb6oks.example/",
                           "https://hooks.example/a b",
                           "https://hooks.example/a\r\nHost: x",
                           "https://hooks.example\\@evil.example/",
                           "https://hooks.example/a%2fb",
                           "https://hooks.example/a/%2E%2e/b",
                           "https://hooks.example/a%5cb",
                           "https://hooks.example/a%00b",
                           "https://[fe80::1%25eth0]/",
                           "https://[::1/",
                           "https://a;b/"}) {
    EXPECT_THAT(ParseHttpUrl(text).status(), test::HasReason(Reason::kInvalidArgument)) << text;
  }
  EXPECT_FALSE(ParseHttpUrl("https://h.example/" + std::string(2048, 'a')).ok());
}

TEST(HttpUrlTest, IsWithinByWholeSegments) {
  const HttpUrl base = Parse("https://hooks.example/ci");
  EXPECT_TRUE(Parse("https://hooks.example/ci").IsWithin(base));
  EXPECT_TRUE(Parse("https://hooks.example/ci?x").IsWithin(base));
  EXPECT_TRUE(Parse("https://hooks.example/ci/a/b").IsWithin(base));
  EXPECT_TRUE(Parse("https://hooks.example/ci/").IsWithin(base));
  EXPECT_FALSE(Parse("https://hooks.example/cia").IsWithin(base));
  EXPECT_FALSE(Parse("https://hooks.example/").IsWithin(base));
  EXPECT_FALSE(Parse("https://hooks.example/ci/../admin").IsWithin(base));
  EXPECT_FALSE(Parse("http://hooks.example:443/ci").IsWithin(base));
  EXPECT_FALSE(Parse("https://hooks.example:8443/ci").IsWithin(base));
  EXPECT_FALSE(Parse("https://hooks.example.evil/ci").IsWithin(base));
  EXPECT_TRUE(Parse("https://hooks.example/any").IsWithin(Parse("https://hooks.example")));
  EXPECT_TRUE(Parse("https://hooks.example/ci/x").IsWithin(Parse("https://hooks.example/ci/")));
}

}  // namespace
}  // namespace cdgate::base
