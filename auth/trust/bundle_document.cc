#include "auth/trust/bundle_document.h"

#include <simdjson.h>

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/crypto/public_jwk.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::trust {
namespace {

using crypto::Certificate;
using simdjson::dom::element;
using simdjson::dom::object;

// No hint is longer; a number without a bound would overflow somewhere.
constexpr uint64_t kMaxHintSeconds = 10ULL * 365 * 24 * 3600;

absl::Status Malformed(absl::string_view what) {
  return base::MakeError(base::Reason::kCertificateMalformed,
                         absl::StrCat("the SPIFFE bundle: ", what));
}

// The member of that name; absent or there once, as two readers could take different ones.
absl::StatusOr<std::optional<element>> Member(const object& members, absl::string_view name) {
  std::optional<element> found;
  for (const auto& [key, value] : members) {
    if (absl::string_view(key.data(), key.size()) != name) continue;
    if (found.has_value()) return Malformed(absl::StrCat("\"", name, "\" comes twice"));
    found = value;
  }
  return found;
}

// Absent, or a whole number from 0.
absl::StatusOr<std::optional<uint64_t>> Number(const object& members, absl::string_view name) {
  CDGATE_ASSIGN_OR_RETURN(const auto member, Member(members, name));
  if (!member.has_value()) return std::optional<uint64_t>();
  uint64_t number = 0;
  if (member->get(number) != simdjson::SUCCESS) {
    return Malformed(absl::StrCat("\"", name, "\" is not a whole number from 0"));
  }
  return std::optional<uint64_t>(number);
}

// Absent, or a text.
absl::StatusOr<std::optional<std::string>> Text(const object& members, absl::string_view name) {
  CDGATE_ASSIGN_OR_RETURN(const auto member, Member(members, name));
  if (!member.has_value()) return std::optional<std::string>();
  std::string_view text;
  if (member->get(text) != simdjson::SUCCESS) {
    return Malformed(absl::StrCat("\"", name, "\" of a key is not a text"));
  }
  return std::optional<std::string>(text);
}

absl::StatusOr<Certificate> FromX5c(absl::string_view base64) {
  std::string der;
  // RFC 7517, 4.7: base64 with padding, and no spelling but the one.
  if (!absl::Base64Unescape(base64, &der) || absl::Base64Escape(der) != base64) {
    return Malformed("an x5c is not base64");
  }
  absl::StatusOr<Certificate> certificate = Certificate::FromDer(der);
  if (!certificate.ok()) return Malformed(certificate.status().message());
  return certificate;
}

// The public members that are given are those of the certificate.
absl::Status CheckPublicMembers(const object& key, const Certificate& certificate) {
  for (const auto& [name, value] : crypto::PublicJwk(certificate)) {
    CDGATE_ASSIGN_OR_RETURN(const auto given, Text(key, name));
    if (given.has_value() && *given != value) {
      return Malformed(absl::StrCat("\"", name, "\" of a key is not that of its certificate"));
    }
  }
  return absl::OkStatus();
}

// The first of the key's certificates; none where the key is not to be read.
absl::StatusOr<std::optional<Certificate>> RootOf(const object& key) {
  const std::optional<Certificate> ignored;
  CDGATE_ASSIGN_OR_RETURN(const auto use, Text(key, "use"));
  CDGATE_ASSIGN_OR_RETURN(const auto kty, Text(key, "kty"));
  if (use != "x509-svid" || (kty != "EC" && kty != "OKP" && kty != "RSA")) return ignored;
  CDGATE_ASSIGN_OR_RETURN(const auto x5c, Member(key, "x5c"));
  if (!x5c.has_value()) return ignored;
  simdjson::dom::array chain;
  if (x5c->get(chain) != simdjson::SUCCESS) return Malformed("an x5c is not a list");
  if (chain.size() == 0) return ignored;
  std::string_view first;
  if (chain.at(0).get(first) != simdjson::SUCCESS) return Malformed("an x5c is not of texts");
  CDGATE_ASSIGN_OR_RETURN(Certificate root, FromX5c(absl::string_view(first.data(), first.size())));
  CDGATE_RETURN_IF_ERROR(CheckPublicMembers(key, root));
  return std::optional<Certificate>(std::move(root));
}

absl::StatusOr<std::vector<Certificate>> RootsOf(const object& document) {
  CDGATE_ASSIGN_OR_RETURN(const auto keys, Member(document, "keys"));
  if (!keys.has_value()) return Malformed("\"keys\" is missing");
  simdjson::dom::array list;
  if (keys->get(list) != simdjson::SUCCESS) return Malformed("\"keys\" is not a list");
  std::vector<Certificate> roots;
  for (const element item : list) {
    object key;
    if (item.get(key) != simdjson::SUCCESS) return Malformed("one of \"keys\" is not an object");
    CDGATE_ASSIGN_OR_RETURN(auto root, RootOf(key));
    if (!root.has_value()) continue;
    if (roots.size() == Certificate::kMaxCertificates) {
      return Malformed(absl::StrCat("more than ", Certificate::kMaxCertificates, " roots"));
    }
    roots.push_back(*std::move(root));
  }
  return roots;
}

absl::StatusOr<std::string> KeyJson(const Certificate& root) {
  const std::map<std::string, std::string> jwk = crypto::PublicJwk(root);
  if (jwk.empty()) {
    return Malformed(
        absl::StrCat("a key of type ", root.key_description(), " has no form in it; use PEM"));
  }
  std::vector<std::string> members = {"\"use\": \"x509-svid\""};
  for (const auto& [name, value] : jwk) {
    members.push_back(absl::StrCat("\"", name, "\": \"", value, "\""));
  }
  members.push_back(absl::StrCat("\"x5c\": [\"", absl::Base64Escape(root.ToDer()), "\"]"));
  return absl::StrCat("    {\n      ", absl::StrJoin(members, ",\n      "), "\n    }");
}

}  // namespace

absl::StatusOr<BundleDocument> BundleDocument::Parse(absl::string_view json) {
  if (json.size() > kMaxBytes) {
    return Malformed(absl::StrCat("it has more than ", kMaxBytes, " bytes"));
  }
  simdjson::dom::parser parser;
  object document;
  const simdjson::error_code error = parser.parse(json.data(), json.size()).get(document);
  if (error != simdjson::SUCCESS) {
    return Malformed(absl::StrCat("no JSON object: ", simdjson::error_message(error)));
  }
  BundleDocument out;
  CDGATE_ASSIGN_OR_RETURN(out.sequence, Number(document, "spiffe_sequence"));
  CDGATE_ASSIGN_OR_RETURN(const auto hint, Number(document, "spiffe_refresh_hint"));
  if (hint.has_value()) {
    if (*hint > kMaxHintSeconds) return Malformed("\"spiffe_refresh_hint\" is more than ten years");
    out.refresh_hint = absl::Seconds(static_cast<int64_t>(*hint));
  }
  CDGATE_ASSIGN_OR_RETURN(out.roots, RootsOf(document));
  return out;
}

absl::StatusOr<std::string> BundleDocument::ToJson() const {
  std::vector<std::string> keys;
  for (const Certificate& root : roots) {
    CDGATE_ASSIGN_OR_RETURN(std::string key, KeyJson(root));
    keys.push_back(std::move(key));
  }
  std::string out = "{\n";
  if (sequence.has_value()) absl::StrAppend(&out, "  \"spiffe_sequence\": ", *sequence, ",\n");
  if (refresh_hint.has_value()) {
    absl::StrAppend(&out, "  \"spiffe_refresh_hint\": ", absl::ToInt64Seconds(*refresh_hint),
                    ",\n");
  }
  absl::StrAppend(&out, "  \"keys\": [", keys.empty() ? "" : "\n", absl::StrJoin(keys, ",\n"),
                  keys.empty() ? "" : "\n  ", "]\n}\n");
  return out;
}

bool LooksLikeBundleDocument(absl::string_view text) {
  return absl::StripLeadingAsciiWhitespace(text).substr(0, 1) == "{";
}

absl::StatusOr<std::string> BundlePemOf(absl::string_view text) {
  if (!LooksLikeBundleDocument(text)) return std::string(text);
  CDGATE_ASSIGN_OR_RETURN(const BundleDocument document, BundleDocument::Parse(text));
  if (document.roots.empty()) return Malformed("it has no key for X.509 certificates");
  return crypto::ToPem(document.roots);
}

}  // namespace cdgate::trust
