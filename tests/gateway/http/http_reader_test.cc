#include "gateway/http/http_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/status_macros.h"
#include "tests/support/status_matchers.h"

namespace cdgate::http {
namespace {

using base::Reason;
constexpr size_t kMaxBody = 1000;
constexpr char kStart[] = "POST /events HTTP/1.1\r\nHost: a\r\n";

// The body of a whole request, or the first error; fails where more is asked for.
absl::StatusOr<std::string> BodyOf(std::string request, HttpLimits limits = {}) {
  HttpReader reader(limits);
  CDGATE_ASSIGN_OR_RETURN(const bool head, reader.ReadHead(&request));
  if (!head) return absl::UnavailableError("more head");
  CDGATE_ASSIGN_OR_RETURN(const bool body, reader.ReadBody(&request, kMaxBody));
  if (!body) return absl::UnavailableError("more body");
  return reader.TakeBody();
}

absl::StatusOr<std::string> WithFields(const std::string& fields, const std::string& body = "") {
  return BodyOf(absl::StrCat(kStart, fields, "\r\n", body));
}

TEST(HttpReaderTest, ReadsARequestHoweverItIsCut) {
  const std::string request =
      absl::StrCat(kStart, "Content-Length: 4\r\nX-A:  b c \r\n\r\nbody", "POST / HT");
  for (size_t cut = 1; cut < request.size(); ++cut) {
    HttpReader reader;
    std::string buffer = request.substr(0, cut);
    CDGATE_ASSERT_OK_AND_ASSIGN(bool head, reader.ReadHead(&buffer));
    buffer += request.substr(cut);
    if (!head) {
      CDGATE_ASSERT_OK_AND_ASSIGN(head, reader.ReadHead(&buffer));
    }
    ASSERT_TRUE(head) << cut;
    EXPECT_EQ(reader.head().method, "POST");
    EXPECT_EQ(reader.head().path, "/events");
    EXPECT_EQ(reader.head().Find("x-a"), "b c");
    CDGATE_ASSERT_OK_AND_ASSIGN(const bool body, reader.ReadBody(&buffer, kMaxBody));
    ASSERT_TRUE(body);
    EXPECT_EQ(reader.body(), "body");
    EXPECT_EQ(buffer, "POST / HT");
  }
}

TEST(HttpReaderTest, ReadsChunksHoweverTheyAreCut) {
  const std::string head = absl::StrCat(kStart, "Transfer-Encoding: chunked\r\n\r\n");
  const std::string chunks = "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
  for (size_t cut = 0; cut < chunks.size(); ++cut) {
    HttpReader reader;
    std::string buffer = absl::StrCat(head, chunks.substr(0, cut));
    CDGATE_ASSERT_OK_AND_ASSIGN(const bool complete, reader.ReadHead(&buffer));
    ASSERT_TRUE(complete);
    CDGATE_ASSERT_OK_AND_ASSIGN(bool body, reader.ReadBody(&buffer, kMaxBody));
    EXPECT_FALSE(body);
    buffer += absl::StrCat(chunks.substr(cut), "next");
    CDGATE_ASSERT_OK_AND_ASSIGN(body, reader.ReadBody(&buffer, kMaxBody));
    EXPECT_TRUE(body);
    EXPECT_EQ(reader.body(), "abc0123456789");
    EXPECT_EQ(buffer, "next");
  }
}

TEST(HttpReaderTest, ValuesAreKeptByteForByte) {
  std::string buffer =
      absl::StrCat(kStart, "ce-subject: pkg:oci/a@sha256%253Aab%u0041\r\nx: \xc3\xa4\r\n\r\n");
  HttpReader reader;
  CDGATE_ASSERT_OK(reader.ReadHead(&buffer).status());
  EXPECT_EQ(reader.head().Find("ce-subject"), "pkg:oci/a@sha256%253Aab%u0041");
  EXPECT_EQ(reader.head().Find("x"), "\xc3\xa4");
}

TEST(HttpReaderTest, WhatTwoProgramsCouldReadDifferentlyIsRefused) {
  const std::vector<std::string> fields = {
      "Content-Length: 2\r\nContent-Length: 2\r\n",
      "Content-Length: 2\r\nContent-Length: 5\r\n",
      "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: gzip, chunked\r\n",
      "Transfer-Encoding: chunked, identity\r\n",
      "Transfer-Encoding: xchunked\r\n",
      "Transfer-Encoding:\r\n",
      "Content-Length: +2\r\n",
      "Content-Length: -2\r\n",
      "Content-Length: 2, 2\r\n",
      "Content-Length: 0x2\r\n",
      "Content-Length: 2abc\r\n",
      "Content-Length:\r\n",
      "Content-Length: 99999999999999999999999\r\n",
      "Content-Length : 2\r\n",
      " Content-Length: 2\r\n",
      "x: a\r\n folded\r\n",
      "x\r\n",
      ": a\r\n",
      "x: a\rb\r\n",
      "x: a\nb: c\r\n",
      std::string("x: a\0b\r\n", 8),
      "x: a\x01\r\n",
      "x: a\x7f\r\n",
      "x y: a\r\n",
      "Host: b\r\n",
      "Expect: 200-ok\r\n",
  };
  for (const std::string& field : fields) {
    EXPECT_THAT(WithFields(field, "hi"), test::HasReason(Reason::kHttpMalformed)) << field;
  }
}

TEST(HttpReaderTest, RequestLinesAreExact) {
  for (const char* line :
       {"POST /", "POST  / HTTP/1.1", "POST / HTTP/1.1 ", " POST / HTTP/1.1", "POST / HTTP/2.0",
        "POST / http/1.1", "POST /\xc3\xa4 HTTP/1.1", "PO ST / HTTP/1.1", "POST\t/ HTTP/1.1",
        "POST / HTTP/1.10", "P@ST / HTTP/1.1"}) {
    EXPECT_THAT(BodyOf(absl::StrCat(line, "\r\nHost: a\r\n\r\n")),
                test::HasReason(Reason::kHttpMalformed))
        << line;
  }
}

TEST(HttpReaderTest, LinesEndWithBothCharacters) {
  EXPECT_THAT(BodyOf("POST / HTTP/1.1\nHost: a\n\n"), test::HasReason(Reason::kHttpMalformed));
  // Seen at once, not when the head's end never comes.
  EXPECT_THAT(BodyOf("POST / HTTP/1.1\n"), test::HasReason(Reason::kHttpMalformed));
}

TEST(HttpReaderTest, OneEmptyLineBeforeARequestIsLetPass) {
  CDGATE_EXPECT_OK(BodyOf("\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n").status());
  EXPECT_THAT(BodyOf("\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n"),
              test::HasReason(Reason::kHttpMalformed));
}

// The head's method, "more" where it is not all there, or the reason; the buffer grows by `cuts`.
std::string ReadInPieces(const std::string& request, const std::vector<size_t>& cuts) {
  HttpReader reader;
  std::string buffer;
  size_t from = 0;
  for (const size_t cut : cuts) {
    buffer += request.substr(from, cut - from);
    from = cut;
    const auto head = reader.ReadHead(&buffer);
    if (!head.ok()) return std::string(base::ReasonText(*base::ReasonOf(head.status())));
    if (*head) return reader.head().method;
  }
  return "more";
}

TEST(HttpReaderTest, EmptyLinesBeforeARequestAreTheSameHoweverTheyAreCut) {
  const std::string rest = "POST / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const auto& [lines, expected] :
       std::vector<std::pair<std::string, std::string>>{{"", "POST"},
                                                        {"\r\n", "POST"},
                                                        {"\r\n\r\n", "HTTP_MALFORMED"},
                                                        {"\r\n\r\n\r\n", "HTTP_MALFORMED"},
                                                        {"\n", "HTTP_MALFORMED"},
                                                        {"\r", "HTTP_MALFORMED"},
                                                        {"\r\r\n", "HTTP_MALFORMED"}}) {
    const std::string request = lines + rest;
    std::vector<size_t> each;
    for (size_t cut = 1; cut <= request.size(); ++cut) each.push_back(cut);
    EXPECT_EQ(ReadInPieces(request, each), expected) << lines.size();
    for (size_t first = 1; first <= request.size(); ++first) {
      for (size_t second = first; second <= request.size(); ++second) {
        ASSERT_EQ(ReadInPieces(request, {first, second, request.size()}), expected)
            << lines.size() << " " << first << " " << second;
      }
    }
  }
  // Of each request of a connection.
  HttpReader reader;
  std::string buffer = "\r\n" + rest + "\r\n" + rest;
  for (int i = 0; i < 2; ++i) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const bool head, reader.ReadHead(&buffer));
    EXPECT_TRUE(head);
    reader.Reset();
  }
  EXPECT_EQ(buffer, "");
}

TEST(HttpReaderTest, ManySmallChunksInOnePieceAreABody) {
  constexpr size_t kChunks = 100'000;
  std::string buffer = absl::StrCat(kStart, "Transfer-Encoding: chunked\r\n\r\n");
  for (size_t i = 0; i < kChunks; ++i) buffer += "1\r\nx\r\n";
  buffer += "0\r\n\r\nnext";
  HttpReader reader;
  CDGATE_ASSERT_OK(reader.ReadHead(&buffer).status());
  CDGATE_ASSERT_OK_AND_ASSIGN(const bool body, reader.ReadBody(&buffer, kChunks));
  EXPECT_TRUE(body);
  EXPECT_EQ(reader.body(), std::string(kChunks, 'x'));
  EXPECT_EQ(buffer, "next");
}

TEST(HttpReaderTest, AHostIsNeeded) {
  EXPECT_THAT(BodyOf("POST / HTTP/1.1\r\n\r\n"), test::HasReason(Reason::kHttpMalformed));
  CDGATE_EXPECT_OK(BodyOf("POST / HTTP/1.0\r\n\r\n").status());
}

TEST(HttpReaderTest, Http10HasNoChunksAndEndsTheConnection) {
  EXPECT_THAT(BodyOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              test::HasReason(Reason::kHttpMalformed));
  HttpReader reader;
  std::string buffer = "POST / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  CDGATE_ASSERT_OK(reader.ReadHead(&buffer).status());
  EXPECT_FALSE(reader.head().keep_alive);
}

TEST(HttpReaderTest, ChunkSizesAreHexDigitsOnly) {
  const std::string head = "Transfer-Encoding: chunked\r\n";
  for (const char* body :
       {"0x2\r\nhi\r\n0\r\n\r\n", "+2\r\nhi\r\n0\r\n\r\n", " 2\r\nhi\r\n0\r\n\r\n",
        "2zz\r\nhi\r\n0\r\n\r\n", "\r\nhi\r\n0\r\n\r\n", "2\nhi\r\n0\r\n\r\n",
        "2\r\nhiX\r\n0\r\n\r\n", "2\r\nhi\n0\r\n\r\n", "\t2\r\nhi\r\n0\r\n\r\n",
        "2 \r\nhi\r\n0\r\n\r\n", "2\t\r\nhi\r\n0\r\n\r\n", "2 ;a=b\r\nhi\r\n0\r\n\r\n",
        ";a=b\r\nhi\r\n0\r\n\r\n", "2\r\nhi\r\n 0\r\n\r\n", "-1\r\nhi\r\n0\r\n\r\n",
        "000000002\r\nhi\r\n0\r\n\r\n", "2\r\nhi\r\n0\r\nTrailer: x\r\n\r\n",
        "2;a\x01=b\r\nhi\r\n0\r\n\r\n"}) {
    EXPECT_THAT(WithFields(head, body), test::HasReason(Reason::kHttpMalformed)) << body;
  }
}

TEST(HttpReaderTest, BodiesAreBounded) {
  EXPECT_THAT(WithFields("Content-Length: 1001\r\n"), test::HasReason(Reason::kTooLarge));
  EXPECT_THAT(WithFields("Transfer-Encoding: chunked\r\n", "3e9\r\n"),
              test::HasReason(Reason::kTooLarge));
  EXPECT_THAT(WithFields("Transfer-Encoding: chunked\r\n", "ffffffff\r\n"),
              test::HasReason(Reason::kTooLarge));
  std::string many;
  for (int i = 0; i < 11; ++i) absl::StrAppend(&many, "64\r\n", std::string(100, 'x'), "\r\n");
  EXPECT_THAT(WithFields("Transfer-Encoding: chunked\r\n", many),
              test::HasReason(Reason::kTooLarge));
}

TEST(HttpReaderTest, HeadsAreBounded) {
  HttpLimits limits{.max_head_bytes = 200, .max_fields = 3, .max_target_bytes = 20};
  const auto read = [&limits](const std::string& request) { return BodyOf(request, limits); };
  const std::string host = "Host: a\r\n";
  EXPECT_THAT(read(absl::StrCat(kStart, "x: ", std::string(200, 'a'))),
              test::HasReason(Reason::kHttpHeadTooLarge));
  EXPECT_THAT(read(std::string(201, 'a')), test::HasReason(Reason::kHttpHeadTooLarge));
  EXPECT_THAT(read(absl::StrCat("POST / HTTP/1.1\r\n", host, "a:\r\nb:\r\nc:\r\n\r\n")),
              test::HasReason(Reason::kHttpHeadTooLarge));
  EXPECT_THAT(read(absl::StrCat("POST /", std::string(20, 'a'), " HTTP/1.1\r\n", host, "\r\n")),
              test::HasReason(Reason::kHttpHeadTooLarge));
}

TEST(HttpReaderTest, PathsAreWithoutSchemeAuthorityAndQuery) {
  for (const auto& [target, path] :
       std::vector<std::pair<std::string, std::string>>{{"/", "/"},
                                                        {"/events?x=/y", "/events"},
                                                        {"http://a.example/events", "/events"},
                                                        {"HTTPS://a.example", "/"},
                                                        {"*", "*"},
                                                        {"//events", "//events"},
                                                        {"/a/../events", "/a/../events"}}) {
    HttpReader reader;
    std::string buffer = absl::StrCat("POST ", target, " HTTP/1.1\r\nHost: a\r\n\r\n");
    CDGATE_ASSERT_OK(reader.ReadHead(&buffer).status());
    EXPECT_EQ(reader.head().path, path);
  }
}

TEST(HttpReaderTest, ExpectationsAreKnown) {
  HttpReader reader;
  std::string buffer = absl::StrCat(
      kStart, "Content-Length: 5\r\nExpect: 100-Continue\r\nConnection: x, Close\r\n\r\n");
  CDGATE_ASSERT_OK(reader.ReadHead(&buffer).status());
  EXPECT_TRUE(reader.head().expects_continue);
  EXPECT_FALSE(reader.head().keep_alive);
}

}  // namespace
}  // namespace cdgate::http
