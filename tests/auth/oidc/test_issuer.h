// An identity provider for tests: keys, and tokens signed by them.
//
//   TestIssuer issuer;
//   issuer.AddKey("k1", "ES256");
//   const JwkSetPtr keys = JwkSet::Parse(issuer.KeySet()).value();
//   const std::string token = issuer.Sign("k1", R"({"iss": "…"})");
#pragma once

#include <cjose/jwk.h>
#include <cjose/jws.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/base/encoding.h"

namespace cdgate::test {

class TestIssuer {
 public:
  // A fresh key. `algorithm`: ES256, ES384, ES512, RS256, PS256, …
  void AddKey(const std::string& id, const std::string& algorithm) {
    cjose_err error;
    cjose_jwk_t* made = nullptr;
    if (algorithm == "ES256") made = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &error);
    if (algorithm == "ES384") made = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_384, &error);
    if (algorithm == "ES512") made = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_521, &error);
    if (made == nullptr) made = cjose_jwk_create_RSA_random(2048, nullptr, 0, &error);
    if (made == nullptr || !cjose_jwk_set_kid(made, id.data(), id.size(), &error)) std::abort();
    keys_[id] = {algorithm, {made, [](cjose_jwk_t* key) { cjose_jwk_release(key); }}};
  }
  void RemoveKey(const std::string& id) { keys_.erase(id); }

  // The public key as JSON; with `more` members before it, `"alg": "ES256", `.
  std::string Key(const std::string& id, absl::string_view more = "", bool secret = false) const {
    cjose_err error;
    char* json = cjose_jwk_to_json(keys_.at(id).key.get(), secret, &error);
    if (json == nullptr) std::abort();
    std::string out = absl::StrCat("{", more, absl::string_view(json).substr(1));
    std::free(json);  // NOLINT: cjose's allocation
    return out;
  }
  std::string KeySet() const {
    std::string keys;
    for (const auto& [id, key] : keys_) absl::StrAppend(&keys, keys.empty() ? "" : ",", Key(id));
    return absl::StrCat(R"({"keys":[)", keys, "]}");
  }

  // `claims` signed by the key, in the compact form; the header has alg, kid and `typ`.
  std::string Sign(const std::string& id, absl::string_view claims,
                   const std::string& typ = "JWT") const {
    return SignAs(id, keys_.at(id).algorithm, id, claims, typ);
  }
  // The same with another algorithm and key id in the header than the key has.
  std::string SignAs(const std::string& key, const std::string& algorithm,
                     const std::string& header_id, absl::string_view claims,
                     const std::string& typ = "JWT", const std::string& crit = "") const {
    cjose_err error;
    cjose_header_t* header = cjose_header_new(&error);
    bool ok = header != nullptr && cjose_header_set(header, "alg", algorithm.c_str(), &error);
    if (!header_id.empty()) ok = ok && cjose_header_set(header, "kid", header_id.c_str(), &error);
    if (!typ.empty()) ok = ok && cjose_header_set(header, "typ", typ.c_str(), &error);
    if (!crit.empty()) ok = ok && cjose_header_set_raw(header, "crit", crit.c_str(), &error);
    cjose_jws_t* jws =
        cjose_jws_sign(keys_.at(key).key.get(), header,
                       reinterpret_cast<const uint8_t*>(claims.data()), claims.size(), &error);
    const char* text = nullptr;
    if (!ok || jws == nullptr || !cjose_jws_export(jws, &text, &error)) std::abort();
    std::string out = text;
    cjose_jws_release(jws);
    cjose_header_release(header);
    return out;
  }

  // A token of these parts, with whatever signature.
  static std::string Unsigned(absl::string_view header, absl::string_view claims,
                              absl::string_view signature = "AA") {
    return absl::StrCat(base::Base64UrlEncode(header), ".", base::Base64UrlEncode(claims), ".",
                        signature);
  }

 private:
  struct Key_ {
    std::string algorithm;
    std::shared_ptr<cjose_jwk_t> key;
  };
  std::map<std::string, Key_> keys_;
};

}  // namespace cdgate::test
