#include "tests/federation/attestation/producer.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/crypto/digest.h"
#include "auth/crypto/signature.h"

namespace cdgate::test {
namespace {

using io::cloudevents::v1::CloudEvent;

std::string TextOf(const CloudEvent& event, const std::string& name) {
  const auto found = event.attributes().find(name);
  if (found == event.attributes().end()) return "";
  if (found->second.has_ce_boolean()) return found->second.ce_boolean() ? "true" : "false";
  if (found->second.has_ce_integer()) return absl::StrCat(found->second.ce_integer());
  return found->second.has_ce_timestamp() ? "2026-01-01T00:00:00Z" : found->second.ce_string();
}

std::string Quoted(const std::string& text) { return absl::StrCat("\"", text, "\""); }

}  // namespace

Producer Producer::Make(crypto::KeyType type) {
  crypto::PrivateKey key = crypto::PrivateKey::Generate(type).value();
  crypto::PublicKey public_key = crypto::PublicKey::Of(key).value();
  return {std::move(key), std::move(public_key)};
}

CloudEvent ProducerEvent() {
  CloudEvent event;
  event.set_id("1");
  event.set_source("/ci");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.build.queued.0.3.0");
  event.set_binary_data(R"({"context": {"id": "1"}})");
  auto& attributes = *event.mutable_attributes();
  attributes["datacontenttype"].set_ce_string("application/json");
  attributes["subject"].set_ce_string("build-1");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1767225600);
  attributes["priority"].set_ce_integer(3);
  attributes["urgent"].set_ce_boolean(true);
  return event;
}

std::string SignatureOf(const CloudEvent& event, const std::vector<std::string>& names,
                        const Producer& producer) {
  using crypto::Sha256;
  const std::string core =
      Sha256(absl::StrCat(Sha256(event.id()), Sha256(event.source()), Sha256(event.spec_version()),
                          Sha256(event.type()), Sha256(TextOf(event, "datacontenttype")),
                          Sha256(""), Sha256(TextOf(event, "subject")),
                          Sha256(TextOf(event, "time")), Sha256(event.binary_data())));
  std::string payload = absl::StrCat(R"({"core":")", absl::Base64Escape(core), R"(")");
  if (!names.empty()) {
    std::string extension;
    std::vector<std::string> quoted;
    for (const std::string& name : names) {
      extension += Sha256(TextOf(event, name));
      quoted.push_back(Quoted(name));
    }
    absl::StrAppend(&payload, R"(,"ext":")", absl::Base64Escape(Sha256(extension)),
                    R"(","signedextattrs":[)", absl::StrJoin(quoted, ","), "]");
  }
  payload += "}";
  const std::string type = "https://cloudevents.io/verifiability/dsse/v0.1";
  const std::string text = absl::StrCat("DSSEv1 46 ", type, " ", payload.size(), " ", payload);
  const std::string signature = crypto::SignBytes(producer.key, text).value();
  return absl::StrCat(R"({"payload":")", absl::Base64Escape(payload), R"(","payloadType":")", type,
                      R"(","signatures":[{"keyid":"k","sig":")", absl::Base64Escape(signature),
                      R"("}]})");
}

}  // namespace cdgate::test
