#include "gateway/event/lints.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/event/lint_text.h"
#include "gateway/event/utf8.h"

namespace cdgate::event {
namespace {

bool IsLower(char c) { return absl::ascii_islower(static_cast<unsigned char>(c)); }
bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool HasUpper(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isupper(c); });
}

// Lower-case letters, digits and `also`, a letter first.
bool IsWord(absl::string_view text, absl::string_view also) {
  return !text.empty() && IsLower(text[0]) && std::all_of(text.begin(), text.end(), [also](char c) {
    return IsLower(c) || IsDigit(c) || absl::StrContains(also, c);
  });
}

template <size_t n>
bool IsOneOf(absl::string_view text, const absl::string_view (&texts)[n]) {
  return std::find(texts, texts + n, text) != texts + n;
}

// `text` up to `separator`, which it moves past; all of it where there is none. What was
// not there is an empty view at the end.
absl::string_view TakeUntil(absl::string_view* text, char separator) {
  const absl::string_view all = *text;
  const size_t at = std::min(all.find(separator), all.size());
  *text = all.substr(std::min(at + 1, all.size()));
  return all.substr(0, at);
}

struct PackageUrl {
  absl::string_view type;
  std::vector<absl::string_view> namespaces;
  absl::string_view name, version, qualifiers, subpath;
  bool has_version = false, has_qualifiers = false, has_subpath = false;
};

// Takes `rest`, what is behind "pkg:", apart. The version is behind the last '@' of the
// last segment: an '@' elsewhere has to be percent-encoded, and is then found there.
PackageUrl SplitPackageUrl(absl::string_view rest) {
  PackageUrl url;
  url.has_subpath = absl::StrContains(rest, '#');
  absl::string_view before = TakeUntil(&rest, '#');
  url.subpath = rest;
  url.has_qualifiers = absl::StrContains(before, '?');
  absl::string_view path = TakeUntil(&before, '?');
  url.qualifiers = before;
  url.type = TakeUntil(&path, '/');
  for (size_t at; (at = path.find('/')) != path.npos; path.remove_prefix(at + 1)) {
    url.namespaces.push_back(path.substr(0, at));
  }
  const size_t version = path.rfind('@');
  url.has_version = version != path.npos;
  url.name = path.substr(0, version);
  if (url.has_version) url.version = path.substr(version + 1);
  return url;
}

// A part that is there and percent-encoded, and UTF-8 when it is not.
bool CheckComponent(LintText* text, absl::string_view part, absl::string_view name,
                    absl::string_view also) {
  return text->Check(!part.empty(), part, absl::StrCat(name, " is empty")) &&
         text->CheckEncoded(part, name, also) &&
         text->Check(IsUtf8(PercentDecoded(part)), part, absl::StrCat(name, " is not UTF-8"));
}

bool CheckSegment(LintText* text, absl::string_view part, absl::string_view name) {
  return CheckComponent(text, part, name, ":") &&
         text->Check(!absl::StrContains(PercentDecoded(part), '/'), part,
                     absl::StrCat(name, " has an encoded '/'"));
}

bool CheckType(LintText* text, absl::string_view type) {
  return text->Check(!type.empty(), type, "the type is empty") &&
         text->Check(!HasUpper(type), type,
                     absl::StrCat("the type '", type, "' is not in lower case")) &&
         text->Check(IsWord(type, ".-"), type,
                     "the type is not letters, digits, '.' and '-' with a letter first");
}

bool CheckKey(LintText* text, absl::string_view key,
              const std::vector<absl::string_view>& earlier) {
  return text->Check(IsWord(key, ".-_"), key,
                     "a key of the qualifiers is not lower-case letters, digits, '.', '-' and "
                     "'_' with a letter first") &&
         text->Check(std::find(earlier.begin(), earlier.end(), key) == earlier.end(), key,
                     absl::StrCat("the key '", key, "' is there twice"));
}

bool CheckQualifiers(LintText* text, absl::string_view qualifiers) {
  if (!text->Check(!qualifiers.empty(), qualifiers, "there is '?' and no qualifier")) return false;
  std::vector<absl::string_view> keys;
  for (absl::string_view value : absl::StrSplit(qualifiers, '&')) {
    const absl::string_view key = TakeUntil(&value, '=');
    if (!CheckKey(text, key, keys) ||
        !CheckComponent(text, value, absl::StrCat("the value of '", key, "'"), ":/=")) {
      return false;
    }
    keys.push_back(key);
  }
  return true;
}

bool CheckSubpath(LintText* text, absl::string_view subpath) {
  for (const absl::string_view segment : absl::StrSplit(subpath, '/')) {
    if (!CheckSegment(text, segment, "a segment of the subpath")) return false;
    const std::string decoded = PercentDecoded(segment);
    if (!text->Check(decoded != "." && decoded != "..", segment,
                     "a segment of the subpath is '.' or '..'")) {
      return false;
    }
  }
  return true;
}

bool CheckParts(LintText* text, const PackageUrl& url) {
  for (const absl::string_view segment : url.namespaces) {
    if (!CheckSegment(text, segment, "a segment of the namespace")) return false;
  }
  return CheckComponent(text, url.name, "the name", ":") &&
         (!url.has_version || CheckComponent(text, url.version, "the version", ":")) &&
         (!url.has_qualifiers || CheckQualifiers(text, url.qualifiers)) &&
         (!url.has_subpath || CheckSubpath(text, url.subpath));
}

bool IsLowerSha256(absl::string_view version) {
  return absl::ConsumePrefix(&version, "sha256:") && !version.empty() &&
         std::all_of(version.begin(), version.end(),
                     [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}

// types/oci-definition.json of the specification.
bool CheckOci(LintText* text, const PackageUrl& url) {
  const absl::string_view outside = url.namespaces.empty() ? url.name : url.namespaces[0];
  return text->Check(url.namespaces.empty(), outside,
                     "a package URL of type oci has no namespace; the registry's place is the "
                     "qualifier repository_url") &&
         text->Check(!HasUpper(PercentDecoded(url.name)), url.name,
                     "the name of type oci is not in lower case") &&
         text->Check(url.has_version, url.name.substr(url.name.size()),
                     "a package URL of type oci needs the digest for a version: @sha256%3A...") &&
         text->Check(IsLowerSha256(PercentDecoded(url.version)), url.version,
                     "the version of type oci is not sha256: and a digest in lower-case hex");
}

struct DomainId {
  absl::string_view provider, provider_id, name_space, groups, type, resource_id;
};

// An escape in lower case; at its end where there is none.
absl::string_view LowerEscape(absl::string_view part) {
  for (size_t i = 0; i + 2 < part.size(); ++i) {
    if (part[i] == '%' && (IsLower(part[i + 1]) || IsLower(part[i + 2]))) return part.substr(i);
  }
  return {};
}

bool CheckIdPart(LintText* text, absl::string_view part, absl::string_view name,
                 absl::string_view also = "!$&'()*+,;=@") {
  const absl::string_view lower = LowerEscape(part);
  return text->CheckEncoded(part, name, also) &&
         text->Check(lower.empty(), lower,
                     absl::StrCat("an escape in ", name, " is not in upper case"));
}

bool CheckGroups(LintText* text, absl::string_view groups) {
  if (groups.empty()) return true;
  for (const absl::string_view group : absl::StrSplit(groups, '/')) {
    if (!text->Check(!group.empty(), group, "a group is empty") ||
        !CheckIdPart(text, group, "a group")) {
      return false;
    }
  }
  return true;
}

bool CheckIdType(LintText* text, absl::string_view type) {
  return text->Check(!type.empty(), type, "the type is empty") &&
         text->Check(type != "definition", type,
                     "the type 'definition' does not say of what; as 'definition.workflow' does") &&
         CheckIdPart(text, type, "the type");
}

// The segments, of which the last has all that is left.
bool SplitDomainId(LintText* text, absl::string_view whole, DomainId* id) {
  absl::string_view rest = whole;
  if (!text->Check(absl::ConsumePrefix(&rest, "cdevents:v0:"), whole,
                   "this does not begin with 'cdevents:v0:'")) {
    return false;
  }
  if (!text->Check(std::count(rest.begin(), rest.end(), ':') >= 5, whole,
                   "there are fewer than eight segments; empty ones keep their ':'")) {
    return false;
  }
  for (absl::string_view* part :
       {&id->provider, &id->provider_id, &id->name_space, &id->groups, &id->type}) {
    *part = TakeUntil(&rest, ':');
  }
  id->resource_id = rest;
  return true;
}

bool CheckDomainId(LintText* text, absl::string_view whole, DomainId* id) {
  return SplitDomainId(text, whole, id) &&
         text->Check(id->provider.empty() || IsWord(id->provider, "-"), id->provider,
                     "the provider is not lower-case letters, digits and '-' with a letter "
                     "first") &&
         CheckIdPart(text, id->provider_id, "the provider id") &&
         CheckIdPart(text, id->name_space, "the namespace") && CheckGroups(text, id->groups) &&
         CheckIdType(text, id->type) &&
         text->Check(!id->resource_id.empty(), id->resource_id, "the resource id is empty") &&
         CheckIdPart(text, id->resource_id, "the resource id");
}

// schemas/registry/providers.json of the draft of 0.6.
constexpr absl::string_view kProviders[] = {
    "artifactory", "argo",    "bitbucket", "circleci", "datadog", "docker", "gitea",     "github",
    "gitlab",      "grafana", "jenkins",   "jira",     "linear",  "nexus",  "pagerduty", "tekton"};

constexpr absl::string_view kIdTypes[] = {
    "pr",        "commit",   "issue",       "branch", "tag", "definition.workflow",
    "execution", "artifact", "environment", "alert"};

}  // namespace

std::optional<std::string> PackageUrlFault(absl::string_view whole) {
  LintText text(whole);
  absl::string_view rest = whole;
  if (!text.Check(absl::ConsumePrefix(&rest, "pkg:"), whole, "this does not begin with 'pkg:'") ||
      !text.Check(!absl::StartsWith(rest, "/"), rest, "there is a '/' before the type")) {
    return text.fault();
  }
  const PackageUrl url = SplitPackageUrl(rest);
  if (CheckType(&text, url.type) && CheckParts(&text, url) && url.type == "oci") {
    CheckOci(&text, url);
  }
  return text.fault();
}

std::optional<std::string> DomainIdFault(absl::string_view whole) {
  LintText text(whole);
  DomainId id;
  CheckDomainId(&text, whole, &id);
  return text.fault();
}

std::optional<std::string> DomainIdRemark(absl::string_view whole,
                                          absl::Span<const absl::string_view> more_providers) {
  LintText text(whole);
  DomainId id;
  if (!CheckDomainId(&text, whole, &id)) return std::nullopt;
  const bool known =
      id.provider.empty() || IsOneOf(id.provider, kProviders) ||
      std::find(more_providers.begin(), more_providers.end(), id.provider) != more_providers.end();
  if (text.Check(known, id.provider,
                 absl::StrCat("the provider '", id.provider, "' is not registered"))) {
    text.Check(IsOneOf(id.type, kIdTypes), id.type,
               absl::StrCat("the type '", id.type, "' is not one that the specification governs"));
  }
  return text.fault();
}

}  // namespace cdgate::event
