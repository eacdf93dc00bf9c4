#include "tests/conformance/mutant_texts.h"

namespace cdgate::test {
namespace {

using cdevents::Format;

constexpr std::nullopt_t kAsk = std::nullopt;

struct UriText {
  const char* text;
  std::optional<bool> uri, reference;
};

constexpr UriText kUris[] = {
    {"https://example.com/a", true, true},
    {"HTTPS://EXAMPLE.COM", true, true},
    {"mailto:a@example.com", true, true},
    {"urn:x:y", true, true},
    {"pkg:oci/app@sha256%3A0f?repository_url=a", true, true},
    {"http://[::1]:80/", true, true},
    {"/relative", false, true},
    {"relative/x", false, true},
    {"//example.com/a", false, true},
    {"example.issues.com/ticket123", false, true},
    {"testkube-dev-123", false, true},
    {"#fragment", false, true},
    {"?query", false, true},
    {"http://a/\"", false, true},
    {"a b", false, false},
    {" https://example.com/a", false, false},
    {"https://example.com/a ", false, false},
    {"https://example.com/a b", false, false},
    {"https://example.com/a\n", false, false},
    {"https://example.com/\u00e9", false, false},
    {"/\u00e9", false, false},
    {"https://b\u00fccher.example", false, false},
    {"https://example.com/%zz", false, false},
    {"/%", false, false},
    {"/%4", false, false},
    {"http://a/<b>", false, false},
    {"http://a/{b}", false, false},
    {"\\\\server\\share", false, false},
    {"http://a/^", false, false},
    {"http://a/#b#c", false, false},
    {"http://[::1/", kAsk, kAsk},
    {"http:", kAsk, kAsk},
    {"1http://x", kAsk, kAsk},
    {"http://a:port/", kAsk, kAsk},
    {"http://a/|", kAsk, kAsk},
    {"://a", kAsk, kAsk},
};

const std::vector<FormatText>& DateTimes() {
  static const auto* const texts = new std::vector<FormatText>{
      {"2026-01-02T03:04:05Z", true},
      {"2026-01-02T03:04:05.6Z", true},
      {"2024-12-18T17:58:39.674637507+00:00", true},
      {"2026-01-02T03:04:05-11:30", true},
      {"2026-01-02 03:04:05Z", true},
      {"2026-01-02t03:04:05z", true},
      {"2026-01-02T03:04:05+0000", true},
      {"2026-12-31T23:59:60Z", true},
      {"2024-02-29T00:00:00Z", true},
      {"2025-02-29T00:00:00Z", false},
      {"2026-12-31T12:59:60Z", false},
      {"2026-01-02T03:04:05", false},
      {"2026-01-02T24:00:00Z", false},
      {"2026-01-02T03:60:05Z", false},
      {"2026-01-02T03:04:61Z", false},
      {"2026-13-02T03:04:05Z", false},
      {"2026-00-02T03:04:05Z", false},
      {"2026-01-32T03:04:05Z", false},
      {"2026-1-2T03:04:05Z", false},
      {"20260102T030405Z", false},
      {"2026-01-02", false},
      {"03:04:05Z", false},
      {"2026-01-02T03:04Z", false},
      {"2026-01-02T03:04:05\u221201:00", false},
      {" 2026-01-02T03:04:05Z", false},
      {"2026-01-02T03:04:05Z ", false},
      {"2026-01-02T03:04:05Z\n", false},
      {"12026-01-02T03:04:05Z", false},
      {"yesterday", false},
      {"1767323045", false},
      {"2026-01-02T03:04:05.Z", kAsk},
      {"2026-01-02T03:04:05,5Z", kAsk},
      {"2026-01-02T03:04:05+01", kAsk},
      {"2026-01-02T03:04:05+25:00", kAsk},
      {"2026-01-02T03:04:05+00:60", kAsk},
      {"2026-01-02  03:04:05Z", kAsk},
      {"2026-01-02\t03:04:05Z", kAsk},
      {"2026-01-02T00:59:60+01:00", kAsk},
      {"2026-01-02T23:59:60+01:00", kAsk},
      {"0000-01-01T00:00:00Z", kAsk},
  };
  return *texts;
}

const std::vector<FormatText>& DomainIds() {
  static const auto* const texts = new std::vector<FormatText>{
      {"cdevents:v0:github::octo:repo:pr:4", true},
      {"cdevents:v0:jira::team:project:issue:PROJ-123", true},
      {"cdevents:v0:::::pr:4", true},
      {"cdevents:v0:my_tool::octo:repo:pr:4", true},
      {"cdevents:v0:1a::octo:repo:pr:4", true},
      {"cdevents:v0:%41::octo:repo:pr:4", true},
      {"cdevents:v0:github::octo:a/b/c:pr:4", true},
      {"cdevents:v0:github::octo:a//b:pr:4", true},
      {"cdevents:v0:github::octo:repo:pr:4:5", true},
      {"cdevents:v0:github::octo:repo:pr::", true},
      {"cdevents:v0:a/b::octo:repo:pr:4", true},
      {"cdevents:v0:github::octo:repo:pr:", false},
      {"cdevents:v0:github::octo:repo::4", false},
      {"cdevents:v0:github::octo:/repo:pr:4", false},
      {"cdevents:v0:github::octo:repo/:pr:4", false},
      {"cdevents:v0:github::octo:/:pr:4", false},
      {"cdevents:v0:github:octo:repo:pr:4", false},
      {"cdevents:v1:github::octo:repo:pr:4", false},
      {"CDEvents:v0:github::octo:repo:pr:4", false},
      {"cdevents:v0:github::octo:repo:pr:4 5", false},
      {"cdevents:v0:github::octo:r\u00e9po:pr:4", false},
      {"cdevents:v0:github::octo:repo:pr:%4", false},
      {"https://example.com", false},
      {"/relative", false},
      {"", false},
      {"cdevents:v0:git?hub::octo:repo:pr:4", kAsk},
      {"cdevents:v0:git#hub::octo:repo:pr:4#5", kAsk},
      {"cdevents:v0:[::octo:repo:pr:4", kAsk},
      {"cdevents:v0://[::1]/x:repo:pr:4", kAsk},
  };
  return *texts;
}

std::vector<FormatText> Uris(Format format) {
  std::vector<FormatText> texts;
  for (const UriText& row : kUris) {
    texts.push_back({row.text, format == Format::kUri ? row.uri : row.reference});
  }
  return texts;
}

}  // namespace

std::vector<FormatText> TextsOf(Format format) {
  switch (format) {
    case Format::kUri:
    case Format::kUriReference: return Uris(format);
    case Format::kDateTime: return DateTimes();
    case Format::kDomainId: return DomainIds();
    case Format::kCustomType:
      return {{"dev.cdeventsx.Tool9-Res.Created.9.9.9", true},
              {"dev.cdeventsx.a-b.c.0.10.0", false},
              {"dev.cdeventsx.a-b.c.0.1", false},
              {"dev.cdeventsx.a-b.c.0.1.0-draft", false},
              {"dev.cdeventsx.a-b-c.d.0.1.0", false},
              {"dev.cdeventsx.a-b1.c.0.1.0", false},
              {"dev.cdeventsx.ab.c.0.1.0", false},
              {"dev.cdeventsx.a-b.c.0.1.0\n", false},
              {"devxcdeventsx.a-b.c.0.1.0", false},
              {"com.example.probes.ping.0.1.0", false}};
    case Format::kCustomSubject:
      return {{"a-b", true},    {"Tool9-Res", true}, {"ab", false},    {"a-b1", false},
              {"-b", false},    {"a-", false},       {"a-b-c", false}, {"a-b\n", false},
              {"a b-c", false}, {"\u00e9-b", false}, {"a_b-c", false}};
    case Format::kNone: break;
  }
  return {};
}

}  // namespace cdgate::test
