#include "federation/attestation/producer_signature.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/json_parser.h"

namespace cdgate::attestation {
namespace {

using base::Reason;
using event::AttributeKind;
using event::AttributeView;
using event::CloudEventView;
using simdjson::dom::element;

constexpr char kMaterial[] = "dssematerial";
constexpr absl::string_view kPayloadType = "https://cloudevents.io/verifiability/dsse/v0.1";
// Of the core digest, in its order, behind those that every event has.
constexpr absl::string_view kOptional[] = {"datacontenttype", "dataschema", "subject", "time"};
constexpr absl::string_view kRequired[] = {"id", "source", "specversion", "type"};
constexpr size_t kMaxSignatures = 16;

absl::Status Invalid(absl::string_view what) {
  return base::MakeError(Reason::kAttestationInvalid, absl::StrCat("dssematerial: ", what));
}

// As the canonical string of CloudEvents has it; empty where it is absent. Times to the second.
std::string CanonicalText(const std::optional<AttributeView>& attribute) {
  if (!attribute) return "";
  switch (attribute->kind) {
    case AttributeKind::kNone: return "";
    case AttributeKind::kBoolean: return attribute->boolean ? "true" : "false";
    case AttributeKind::kInteger: return absl::StrCat(attribute->integer);
    case AttributeKind::kBytes: return absl::Base64Escape(attribute->text);
    case AttributeKind::kTimestamp:
      return absl::FormatTime("%E4Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(attribute->seconds),
                              absl::UTCTimeZone());
    case AttributeKind::kString:
    case AttributeKind::kUri:
    case AttributeKind::kUriRef: return std::string(attribute->text);
  }
  return "";
}

std::string CoreDigest(const CloudEventView& event) {
  std::string digests;
  for (const absl::string_view text :
       {event.id(), event.source(), event.spec_version(), event.type()}) {
    digests += crypto::Sha256(text);
  }
  for (const absl::string_view name : kOptional) {
    digests += crypto::Sha256(CanonicalText(event.Find(name)));
  }
  return crypto::Sha256(absl::StrCat(digests, crypto::Sha256(event.data())));
}

std::string ExtensionDigest(const CloudEventView& event, const std::vector<std::string>& names) {
  std::string digests;
  for (const std::string& name : names) {
    digests += crypto::Sha256(CanonicalText(event.Find(name)));
  }
  return crypto::Sha256(digests);
}

// A text of an object; false where it is not there or no text.
bool Text(const element& object, const char* name, std::string* out) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return false;
  *out = std::string(text);
  return true;
}

// DSSE takes either alphabet.
bool Decode(const std::string& text, std::string* bytes) {
  return absl::Base64Unescape(text, bytes) || absl::WebSafeBase64Unescape(text, bytes);
}

bool Decoded(const element& object, const char* name, std::string* bytes) {
  std::string text;
  return Text(object, name, &text) && Decode(text, bytes);
}

struct Envelope {
  std::string payload;
  std::vector<std::string> signatures;
};

absl::StatusOr<Envelope> ReadEnvelope(absl::string_view json) {
  event::JsonParser parser;
  const absl::StatusOr<element> root = parser.ParseIJson(json);
  if (!root.ok()) return Invalid("it is no DSSE envelope in JSON");
  Envelope envelope;
  std::string type;
  if (!Text(*root, "payloadType", &type) || type != kPayloadType) {
    return Invalid(
        absl::StrCat("its payload type is \"", base::Shorten(type), "\", expected ", kPayloadType));
  }
  if (!Decoded(*root, "payload", &envelope.payload)) return Invalid("it has no payload in base64");
  simdjson::dom::array signatures;
  if ((*root)["signatures"].get(signatures) != simdjson::SUCCESS || signatures.size() == 0 ||
      signatures.size() > kMaxSignatures) {
    return Invalid(absl::StrCat("it has no list of 1 to ", kMaxSignatures, " signatures"));
  }
  for (const element& one : signatures) {
    if (!Decoded(one, "sig", &envelope.signatures.emplace_back())) {
      return Invalid("a signature is not base64");
    }
  }
  return envelope;
}

struct Payload {
  std::string core;
  std::string extension;  // empty: none is covered
  std::vector<std::string> attributes;
};

bool MayBeSigned(const std::string& name) {
  const auto is = [&name](absl::string_view other) { return name == other; };
  return !is(kMaterial) && std::none_of(std::begin(kRequired), std::end(kRequired), is) &&
         std::none_of(std::begin(kOptional), std::end(kOptional), is);
}

absl::Status ReadNames(const element& list, std::vector<std::string>* names) {
  simdjson::dom::array texts;
  if (list.get(texts) != simdjson::SUCCESS || texts.size() > event::kMaxAttributes) {
    return Invalid("signedextattrs is no list of names");
  }
  std::set<std::string> seen;
  for (const element& one : texts) {
    std::string_view text;
    if (one.get(text) != simdjson::SUCCESS) return Invalid("signedextattrs is no list of names");
    const std::string name(text);
    if (!MayBeSigned(name) || !seen.insert(name).second) {
      return Invalid(absl::StrCat("signedextattrs has ", base::Shorten(name),
                                  ", twice or where it may not be"));
    }
    names->push_back(name);
  }
  return absl::OkStatus();
}

absl::StatusOr<Payload> ReadPayload(absl::string_view json) {
  event::JsonParser parser;
  const absl::StatusOr<element> root = parser.ParseIJson(json);
  Payload payload;
  if (!root.ok() || !Decoded(*root, "core", &payload.core) ||
      payload.core.size() != crypto::kSha256Bytes) {
    return Invalid("its payload has no digest of the event");
  }
  element names;
  const bool has_names = (*root)["signedextattrs"].get(names) == simdjson::SUCCESS;
  const bool has_digest = (*root)["ext"].error() == simdjson::SUCCESS;
  if (has_names != has_digest) return Invalid("ext and signedextattrs go together");
  if (!has_names) return payload;
  if (!Decoded(*root, "ext", &payload.extension) ||
      payload.extension.size() != crypto::kSha256Bytes) {
    return Invalid("ext is no digest");
  }
  CDGATE_RETURN_IF_ERROR(ReadNames(names, &payload.attributes));
  return payload;
}

std::optional<size_t> SignerOf(const Envelope& envelope,
                               const std::vector<crypto::PublicKey>& keys) {
  const std::string text = PreAuthenticationEncoding(kPayloadType, envelope.payload);
  for (size_t i = 0; i < keys.size(); ++i) {
    for (const std::string& signature : envelope.signatures) {
      if (keys[i].SignatureFits(text, signature)) return i;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string PreAuthenticationEncoding(absl::string_view type, absl::string_view body) {
  return absl::StrCat("DSSEv1 ", type.size(), " ", type, " ", body.size(), " ", body);
}

absl::StatusOr<ProducerSignature> VerifyProducer(const CloudEventView& event,
                                                 const std::vector<crypto::PublicKey>& keys) {
  const std::optional<AttributeView> material = event.Find(kMaterial);
  if (!material || material->text.empty()) {
    return base::MakeError(Reason::kAttestationUnproven,
                           "the event has no dssematerial: its producer did not sign it, or a "
                           "gateway that altered it dropped it");
  }
  // Older drafts of the extension carry the envelope as a text in base64.
  const std::string text(material->text);
  std::string json;
  if (material->kind == AttributeKind::kBytes) {
    json = text;
  } else if (!Decode(text, &json)) {
    return Invalid("it is neither bytes nor base64");
  }
  if (json.size() > kMaxProducerMaterialBytes) return Invalid("it is too long");
  CDGATE_ASSIGN_OR_RETURN(const Envelope envelope, ReadEnvelope(json));
  CDGATE_ASSIGN_OR_RETURN(Payload payload, ReadPayload(envelope.payload));
  const std::optional<size_t> signer = SignerOf(envelope, keys);
  if (!signer) {
    return base::MakeError(Reason::kAttestationUnproven,
                           "dssematerial: none of the keys given signed it");
  }
  if (CoreDigest(event) != payload.core) {
    return Invalid("the producer signed another content: data or an attribute was changed since");
  }
  if (!payload.extension.empty() &&
      ExtensionDigest(event, payload.attributes) != payload.extension) {
    return Invalid("the producer signed other extension attributes");
  }
  return ProducerSignature{*signer, std::move(payload.attributes)};
}

}  // namespace cdgate::attestation
