#include "auth/oidc/jwk_set.h"

#include <cjose/jwk.h>
#include <cjose/jws.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/json_parser.h"

namespace cdgate::oidc {
namespace {

using simdjson::dom::element;

constexpr size_t kLeastRsaBytes = 2048 / 8;
constexpr size_t kMostRsaBytes = 8192 / 8;
constexpr size_t kMostExponentBytes = 8;

struct Algorithm {
  absl::string_view name;
  absl::string_view kind;
};
constexpr Algorithm kAlgorithms[] = {{"RS256", "RSA"},   {"RS384", "RSA"},   {"RS512", "RSA"},
                                     {"PS256", "RSA"},   {"PS384", "RSA"},   {"PS512", "RSA"},
                                     {"ES256", "P-256"}, {"ES384", "P-384"}, {"ES512", "P-521"}};
// Of one coordinate.
constexpr std::pair<absl::string_view, size_t> kCurves[] = {
    {"P-256", 32}, {"P-384", 48}, {"P-521", 66}};

struct ReleaseJws {
  void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};

absl::Status NoKeySet(absl::string_view why) {
  return base::MakeError(base::Reason::kIdentityTokenInvalid,
                         absl::StrCat("the identity provider's key set ", why));
}

// Of a member that is absent or no text: empty.
absl::string_view Text(const element& object, absl::string_view name) {
  std::string_view text;
  if (object[std::string_view(name.data(), name.size())].get(text) != simdjson::SUCCESS) return "";
  return event::ToAbsl(text);
}

bool Has(const element& object, const char* name) {
  return object[name].error() == simdjson::SUCCESS;
}

// Whether it may verify signatures, by what it says of itself.
bool IsForSignatures(const element& key) {
  if (Has(key, "use") && Text(key, "use") != "sig") return false;
  simdjson::dom::array uses;
  if (key["key_ops"].get(uses) != simdjson::SUCCESS) return !Has(key, "key_ops");
  for (const element use : uses) {
    std::string_view text;
    if (use.get(text) == simdjson::SUCCESS && text == "verify") return true;
  }
  return false;
}

// The bytes of a number, without the zeros before it.
std::optional<std::string> Number(const element& key, absl::string_view name) {
  auto bytes = base::Base64UrlDecode(Text(key, name));
  if (!bytes.ok() || bytes->empty()) return std::nullopt;
  bytes->erase(0, bytes->find_first_not_of('\0'));
  return *std::move(bytes);
}

uint8_t* Bytes(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

std::shared_ptr<cjose_jwk_t> Owned(cjose_jwk_t* key) {
  return {key, [](cjose_jwk_t* mine) {
            if (mine != nullptr) cjose_jwk_release(mine);
          }};
}

struct Material {
  std::string kind;
  std::string thumbprint;
  std::shared_ptr<cjose_jwk_t> key;  // null: not usable
};

Material ReadRsa(const element& json) {
  auto n = Number(json, "n");
  auto e = Number(json, "e");
  if (!n || !e || n->size() < kLeastRsaBytes || n->size() > kMostRsaBytes || e->empty() ||
      e->size() > kMostExponentBytes || (e->back() & 1) == 0) {
    return {};
  }
  cjose_jwk_rsa_keyspec spec{};
  spec.n = Bytes(*n);
  spec.nlen = n->size();
  spec.e = Bytes(*e);
  spec.elen = e->size();
  cjose_err error;
  return {"RSA", crypto::Sha256(absl::StrCat("RSA ", n->size(), " ", *n, *e)),
          Owned(cjose_jwk_create_RSA_spec(&spec, &error))};
}

Material ReadEc(const element& json) {
  const absl::string_view curve = Text(json, "crv");
  for (const auto& [name, bytes] : kCurves) {
    if (curve != name) continue;
    auto x = base::Base64UrlDecode(Text(json, "x"));
    auto y = base::Base64UrlDecode(Text(json, "y"));
    if (!x.ok() || !y.ok() || x->size() != bytes || y->size() != bytes) return {};
    cjose_jwk_ec_keyspec spec{};
    spec.crv = bytes == 32   ? CJOSE_JWK_EC_P_256
               : bytes == 48 ? CJOSE_JWK_EC_P_384
                             : CJOSE_JWK_EC_P_521;
    spec.x = Bytes(*x);
    spec.xlen = x->size();
    spec.y = Bytes(*y);
    spec.ylen = y->size();
    cjose_err error;
    return {std::string(name), crypto::Sha256(absl::StrCat("EC ", name, " ", *x, *y)),
            Owned(cjose_jwk_create_EC_spec(&spec, &error))};
  }
  return {};
}

Material ReadMaterial(const element& json) {
  const absl::string_view type = Text(json, "kty");
  if (type == "RSA") return ReadRsa(json);
  return type == "EC" ? ReadEc(json) : Material{};
}

}  // namespace

bool KnownAlgorithm(absl::string_view algorithm) {
  for (const Algorithm& known : kAlgorithms) {
    if (known.name == algorithm) return true;
  }
  return false;
}

bool Jwk::Fits(absl::string_view algorithm) const {
  if (!algorithm_.empty() && algorithm_ != algorithm) return false;
  for (const Algorithm& known : kAlgorithms) {
    if (known.name == algorithm) return known.kind == kind_;
  }
  return false;
}

bool Jwk::Verifies(absl::string_view token) const {
  cjose_err error;
  const std::unique_ptr<cjose_jws_t, ReleaseJws> jws(
      cjose_jws_import(token.data(), token.size(), &error));
  return jws != nullptr && cjose_jws_verify(jws.get(), key_.get(), &error);
}

absl::StatusOr<std::shared_ptr<const JwkSet>> JwkSet::Parse(absl::string_view text) {
  if (text.size() > kMaxJwkSetBytes) return NoKeySet("is larger than 256 KiB");
  event::JsonParser parser;
  const auto root = parser.ParseIJson(text);
  if (!root.ok()) return NoKeySet(absl::StrCat("is no JSON: ", root.status().message()));
  simdjson::dom::array keys;
  if ((*root)["keys"].get(keys) != simdjson::SUCCESS) return NoKeySet("has no list \"keys\"");
  if (keys.size() > kMaxKeys) return NoKeySet("has more than 100 keys");
  auto set = std::make_shared<JwkSet>();
  for (const element json : keys) {
    if (Has(json, "d") || Has(json, "k")) {
      return NoKeySet(
          absl::StrCat("publishes the secret of its key ", base::Shorten(Text(json, "kid"))));
    }
    const absl::string_view id = Text(json, "kid");
    if (id.empty() || id.size() > kMaxKeyIdBytes || !IsForSignatures(json)) continue;
    Material material = ReadMaterial(json);
    if (material.key == nullptr) continue;
    Jwk key;
    key.id_ = std::string(id);
    key.kind_ = std::move(material.kind);
    key.algorithm_ = std::string(Text(json, "alg"));
    key.thumbprint_ = std::move(material.thumbprint);
    key.key_ = std::move(material.key);
    if (!set->keys_.emplace(key.id_, key).second) {
      return NoKeySet(absl::StrCat("has two keys with the id ", base::Shorten(id)));
    }
  }
  if (set->keys_.empty()) return NoKeySet("has no key that could verify a token");
  return std::shared_ptr<const JwkSet>(std::move(set));
}

const Jwk* JwkSet::Find(absl::string_view id) const {
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace cdgate::oidc
