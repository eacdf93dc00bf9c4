#include "gateway/event/lints.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace cdgate::event {
namespace {

using Cases = std::initializer_list<std::pair<std::string, std::string>>;

// The fault of the text, or that of what is left without it: "".
std::string PackageUrl(const std::string& text) { return PackageUrlFault(text).value_or(""); }
std::string Id(const std::string& text) { return DomainIdFault(text).value_or(""); }

TEST(LintsTest, WellFormedPackageUrlsHaveNoFault) {
  for (const char* text :
       {"pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427",
        "pkg:oci/myapp@sha256:0b31", "pkg:golang/mygit.com/myorg/myapp@234fd47e07d1004f0aed9c",
        "pkg:resource/name@234fd47e07d1004f0aed9c",
        "pkg:bitbucket/birkenfeld/pygments-main@244fd47e07d1014f0aed9c",
        "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
        "pkg:golang/google.golang.org/genproto#googleapis/api/annotations",
        "pkg:npm/%40angular/animation@12.3.1", "pkg:gem/ruby-advisory-db-check", "pkg:a.b-c1/x",
        "pkg:oci/debian@sha256%3A244fd47e07d10?repository_url=docker.io/library/debian&arch=amd64"
        "&tag=latest",
        "pkg:generic/openssl@1.1.10g?download_url=https://openssl.org/a&checksum=sha256:de4d",
        "pkg:generic/a%2Fb@1%2B2?x=%C3%A9", "pkg:generic/a:b"}) {
    EXPECT_EQ(PackageUrl(text), "") << text;
  }
}

TEST(LintsTest, FaultsOfPackageUrlsSayWhatAndWhere) {
  for (const auto& [text, fault] : Cases{
           {"", "this does not begin with 'pkg:', at byte 0"},
           {"banana", "this does not begin with 'pkg:', at byte 0"},
           {"PKG:gem/a", "this does not begin with 'pkg:', at byte 0"},
           {"pkg://gem/a", "there is a '/' before the type, at byte 4"},
           {"pkg:", "the type is empty, at byte 4"},
           {"pkg:@1",
            "the type is not letters, digits, '.' and '-' with a letter first, at byte 4"},
           {"pkg:Gem/a", "the type 'Gem' is not in lower case, at byte 4"},
           {"pkg:3d/a",
            "the type is not letters, digits, '.' and '-' with a letter first, at byte 4"},
           {"pkg:a%2d/c",
            "the type is not letters, digits, '.' and '-' with a letter first, at byte 4"},
           {"pkg:gem", "the name is empty, at byte 7"},
           {"pkg:gem/", "the name is empty, at byte 8"},
           {"pkg:gem/a/", "the name is empty, at byte 10"},
           {"pkg:gem/@1", "the name is empty, at byte 8"},
           {"pkg:gem//a", "a segment of the namespace is empty, at byte 8"},
           {"pkg:gem/a%2Fb/c", "a segment of the namespace has an encoded '/', at byte 8"},
           {"pkg:npm/@angular/core@1",
            "'@' in a segment of the namespace is not percent-encoded; write %40, at byte 8"},
           {"pkg:gem/a@1@2", "'@' in the name is not percent-encoded; write %40, at byte 9"},
           {"pkg:gem/a@", "the version is empty, at byte 10"},
           {"pkg:gem/a@1+2", "'+' in the version is not percent-encoded; write %2B, at byte 11"},
           {"pkg:gem/a b", "' ' in the name is not percent-encoded; write %20, at byte 9"},
           {"pkg:gem/\xc3\xa9", "'\\xc3' in the name is not percent-encoded; write %C3, at byte 8"},
           {"pkg:gem/%C3", "the name is not UTF-8, at byte 8"},
           {"pkg:gem/a%4", "'%' in the name begins no escape, at byte 9"},
           {"pkg:gem/a?", "there is '?' and no qualifier, at byte 10"},
           {"pkg:gem/a?b", "the value of 'b' is empty, at byte 11"},
           {"pkg:gem/a?b=", "the value of 'b' is empty, at byte 12"},
           {"pkg:gem/a?B=c",
            "a key of the qualifiers is not lower-case letters, digits, '.', '-' and '_' with a "
            "letter first, at byte 10"},
           {"pkg:gem/a?b=c&&d=e",
            "a key of the qualifiers is not lower-case letters, digits, '.', '-' and '_' with a "
            "letter first, at byte 14"},
           {"pkg:gem/a?b=c&b=d", "the key 'b' is there twice, at byte 14"},
           {"pkg:gem/a?b=c?d",
            "'?' in the value of 'b' is not percent-encoded; write %3F, at byte 13"},
           {"pkg:gem/a#", "a segment of the subpath is empty, at byte 10"},
           {"pkg:gem/a#b/%2E%2e/c", "a segment of the subpath is '.' or '..', at byte 12"},
           {"pkg:gem/a#b#c",
            "'#' in a segment of the subpath is not percent-encoded; write %23, at byte 11"}}) {
    EXPECT_EQ(PackageUrl(text), fault) << text;
  }
}

TEST(LintsTest, PackageUrlsOfTypeOciHaveRulesOfTheirOwn) {
  for (const auto& [text, fault] : Cases{
           {"pkg:oci/library/debian@sha256%3Aab",
            "a package URL of type oci has no namespace; the registry's place is the qualifier "
            "repository_url, at byte 8"},
           {"pkg:oci/Debian@sha256%3Aab", "the name of type oci is not in lower case, at byte 8"},
           {"pkg:oci/debian",
            "a package URL of type oci needs the digest for a version: @sha256%3A..., at byte 14"},
           {"pkg:oci/debian@latest",
            "the version of type oci is not sha256: and a digest in lower-case hex, at byte 15"},
           {"pkg:oci/debian@sha256:",
            "the version of type oci is not sha256: and a digest in lower-case hex, at byte 15"},
           {"pkg:oci/debian@sha256%3AAB",
            "the version of type oci is not sha256: and a digest in lower-case hex, at byte 15"}}) {
    EXPECT_EQ(PackageUrl(text), fault) << text;
  }
}

// The first eight are those of conformance/formats/domainid.json.
TEST(LintsTest, WellFormedDomainIdsHaveNoFault) {
  for (const char* text :
       {"cdevents:v0:github::xibz:cdevents-spec:pr:42",
        "cdevents:v0:github:org-a-github:xibz:cdevents-spec:pr:42",
        "cdevents:v0:jira::xibz:cdevents-project:issue:PROJ-123",
        "cdevents:v0:gitlab::my-company:platform/backend:mr:99",
        "cdevents:v0:datadog::prod:api-monitors:alert:98765",
        "cdevents:v0:::::artifact:pkg%3Adocker%2Fmyapp%401.0.0", "cdevents:v0:::::pr:42",
        "cdevents:v0:nobody-knows::a@b:c/d/e:definition.workflow:%C3%A9"}) {
    EXPECT_EQ(Id(text), "") << text;
  }
}

TEST(LintsTest, FaultsOfDomainIdsSayWhatAndWhere) {
  const std::string word =
      " is not lower-case letters, digits and '-' with a letter first, at byte 12";
  const std::string few =
      "there are fewer than eight segments; empty ones keep their ':', at byte 0";
  const std::string begin = "this does not begin with 'cdevents:v0:', at byte 0";
  for (const auto& [text, fault] :
       Cases{// Those of conformance/formats/domainid.json.
             {"cdevents:v0:github:xibz:cdevents-spec:pr:42", few},
             {"cdevents:v0:github::xibz:cdevents-spec::42", "the type is empty, at byte 39"},
             {"cdevents:v0:github::xibz:cdevents-spec:pr:", "the resource id is empty, at byte 42"},
             {"cdevents:v0:github::xibz:/cdevents-spec:pr:42", "a group is empty, at byte 25"},
             {"cdevents:v0:github::xibz:cdevents-spec/:pr:42", "a group is empty, at byte 39"},
             {"cdevents:v1:github::xibz:cdevents-spec:pr:42", begin},
             {"CDEvents:v0:github::xibz:cdevents-spec:pr:42", begin},
             // What the schema's expression lets pass.
             {"", begin},
             {"cdevents:v0:", few},
             {"cdevents:v0:::a:b//c:pr:42", "a group is empty, at byte 18"},
             {"cdevents:v0:::::pr:4:2",
              "':' in the resource id is not percent-encoded; write %3A, at byte 20"},
             {"cdevents:v0:::::pr:4/2",
              "'/' in the resource id is not percent-encoded; write %2F, at byte 20"},
             {"cdevents:v0:::a/b::pr:42",
              "'/' in the namespace is not percent-encoded; write %2F, at byte 15"},
             {"cdevents:v0:::::pr:%3a",
              "an escape in the resource id is not in upper case, at byte 19"},
             {"cdevents:v0:::::pr:%4", "'%' in the resource id begins no escape, at byte 19"},
             {"cdevents:v0::a b:::pr:1",
              "' ' in the provider id is not percent-encoded; write %20, at byte 14"},
             {"cdevents:v0:::::definition:1",
              "the type 'definition' does not say of what; as 'definition.workflow' does, at byte "
              "16"},
             {"cdevents:v0:GitHub::::pr:1", "the provider" + word},
             {"cdevents:v0:1a::::pr:1", "the provider" + word}}) {
    EXPECT_EQ(Id(text), fault) << text;
  }
}

TEST(LintsTest, WhatOthersMayNotKnowIsRemarked) {
  EXPECT_EQ(DomainIdRemark("cdevents:v0:github::xibz:cdevents-spec:pr:42"), std::nullopt);
  EXPECT_EQ(DomainIdRemark("cdevents:v0:::::pr:42"), std::nullopt);
  EXPECT_EQ(DomainIdRemark("cdevents:v0:forge::a:b:pr:42"),
            "the provider 'forge' is not registered, at byte 12");
  EXPECT_EQ(DomainIdRemark("cdevents:v0:forge::a:b:pr:42", {"mill", "forge"}), std::nullopt);
  EXPECT_EQ(DomainIdRemark("cdevents:v0:gitlab::my-company:platform/backend:mr:99"),
            "the type 'mr' is not one that the specification governs, at byte 48");
  EXPECT_EQ(DomainIdRemark("cdevents:v0:forge::a:b:pr:"), std::nullopt);
}

}  // namespace
}  // namespace cdgate::event
