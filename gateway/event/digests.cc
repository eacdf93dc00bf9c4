#include "gateway/event/digests.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/json_lexical.h"

namespace cdgate::event {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr absl::string_view kCommitmentDomain = "cdgate/commit/v1";

void AppendString(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out->push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(out, "\\u", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad4));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

simdjson::error_code AppendValue(ondemand::value value, std::string* out);

simdjson::error_code AppendObject(ondemand::object object, std::string* out) {
  std::vector<std::pair<std::string, std::string>> members;
  for (auto field : object) {
    std::string_view name;
    if (auto error = field.unescaped_key().get(name)) return error;
    // The name's memory may be reused by the value's strings.
    members.emplace_back(std::string(name), std::string());
    ondemand::value value;
    if (auto error = field.value().get(value)) return error;
    if (auto error = AppendValue(value, &members.back().second)) return error;
  }
  std::sort(members.begin(), members.end());
  out->push_back('{');
  for (const auto& [name, value] : members) {
    if (out->back() != '{') out->push_back(',');
    AppendString(name, out);
    absl::StrAppend(out, ":", value);
  }
  out->push_back('}');
  return simdjson::SUCCESS;
}

simdjson::error_code AppendArray(ondemand::array array, std::string* out) {
  out->push_back('[');
  bool first = true;
  for (auto child : array) {
    if (!first) out->push_back(',');
    first = false;
    ondemand::value value;
    if (auto error = child.get(value)) return error;
    if (auto error = AppendValue(value, out)) return error;
  }
  out->push_back(']');
  return simdjson::SUCCESS;
}

// Numbers by value; true, false and null as they are.
void AppendToken(std::string_view token, std::string* out) {
  const absl::string_view text = absl::StripAsciiWhitespace(ToAbsl(token));
  absl::StrAppend(out, IsJsonNumber(text) ? NormalNumber(text) : std::string(text));
}

simdjson::error_code AppendValue(ondemand::value value, std::string* out) {
  ondemand::json_type type;
  if (auto error = value.type().get(type)) return error;
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    if (auto error = value.get_object().get(object)) return error;
    return AppendObject(object, out);
  }
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    if (auto error = value.get_array().get(array)) return error;
    return AppendArray(array, out);
  }
  if (type == ondemand::json_type::string) {
    std::string_view text;
    if (auto error = value.get_string().get(text)) return error;
    AppendString(ToAbsl(text), out);
    return simdjson::SUCCESS;
  }
  AppendToken(value.raw_json_token(), out);
  return simdjson::SUCCESS;
}

}  // namespace

absl::StatusOr<std::string> CanonicalJson(absl::string_view json, JsonParser& parser) {
  // After this the text is known to be well-formed, which the lazy parser below,
  // needed for the spelling of numbers, does not find out by itself.
  CDGATE_ASSIGN_OR_RETURN(const simdjson::dom::element root, parser.ParseIJson(json));
  if (!root.is_object() && !root.is_array()) {
    return base::MakeError(base::Reason::kInvalidEvent, "data: expected a JSON object or array");
  }
  const simdjson::padded_string padded(json.data(), json.size());
  ondemand::parser lazy;
  ondemand::document document;
  ondemand::value value;
  simdjson::error_code error = lazy.iterate(padded).get(document);
  if (error == simdjson::SUCCESS) error = document.get_value().get(value);
  std::string out;
  if (error == simdjson::SUCCESS) error = AppendValue(value, &out);
  if (error == simdjson::SUCCESS) return out;
  return base::MakeError(
      base::Reason::kInvalidJson,
      absl::StrCat("the data is not JSON: ", ToAbsl(simdjson::error_message(error))));
}

absl::StatusOr<std::string> CanonicalJsonDigest(absl::string_view json) {
  JsonParser parser;
  CDGATE_ASSIGN_OR_RETURN(const std::string canonical, CanonicalJson(json, parser));
  return crypto::Sha256(canonical);
}

std::string Commitment(absl::string_view salt, absl::string_view content_digest) {
  return crypto::Sha256(absl::StrCat(kCommitmentDomain, salt, content_digest));
}

crypto::Sha256Digest Commitment(absl::string_view salt, const crypto::Sha256Digest& content_digest,
                                crypto::Sha256Hasher& hasher) {
  hasher.Reset();
  hasher.Update(kCommitmentDomain);
  hasher.Update(salt);
  hasher.Update(AsBytes(content_digest));
  return hasher.FinalTo();
}

}  // namespace cdgate::event
