#include "gateway/cdevents/json_schema.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/cdevents/json_text.h"

namespace cdgate::cdevents {
namespace {

constexpr absl::string_view kDomainIdPattern =
    "^cdevents:v0:[^:]*:[^:]*:[^:]*:([^:/]([^:]*[^:/])?)?:[^:]+:.+$";
constexpr absl::string_view kCustomTypePattern =
    R"(^dev\.cdeventsx\.[a-zA-Z0-9]+-[a-zA-Z]+\.[a-zA-Z]+\.[0-9]\.[0-9]\.[0-9]$)";
constexpr absl::string_view kCustomSubjectPattern = "^[a-zA-Z0-9]+-[a-zA-Z]+$";

void Quote(absl::string_view name, absl::string_view text, std::string* out) {
  AppendJsonText(name, out);
  out->push_back(':');
  AppendJsonText(text, out);
}

void QuoteAll(absl::string_view name, const std::vector<absl::string_view>& texts,
              std::string* out) {
  AppendJsonText(name, out);
  absl::StrAppend(out, ":[");
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendJsonText(texts[i], out);
  }
  out->push_back(']');
}

void AppendFormat(Format format, std::string* out) {
  const auto keyword = [out](absl::string_view name, absl::string_view text) {
    out->push_back(',');
    Quote(name, text, out);
  };
  switch (format) {
    case Format::kNone: return;
    case Format::kUri: return keyword("format", "uri");
    case Format::kUriReference: return keyword("format", "uri-reference");
    case Format::kDateTime: return keyword("format", "date-time");
    case Format::kDomainId:
      keyword("format", "uri-reference");
      return keyword("pattern", kDomainIdPattern);
    case Format::kCustomType: return keyword("pattern", kCustomTypePattern);
    case Format::kCustomSubject: return keyword("pattern", kCustomSubjectPattern);
  }
}

void AppendText(const Member& member, std::string* out) {
  Quote("type", "string", out);
  if (!member.values.empty()) {
    out->push_back(',');
    QuoteAll("enum", member.values, out);
  }
  if (!member.known_values.empty()) {  // an annotation: others are valid as well
    out->push_back(',');
    QuoteAll("examples", member.known_values, out);
  }
  if (member.not_empty) absl::StrAppend(out, ",\"minLength\":1");
  AppendFormat(member.format, out);
}

void AppendObject(const Object& object, std::string* out);

void AppendMember(const Member& member, std::string* out) {
  out->push_back('{');
  switch (member.kind) {
    case Kind::kText: AppendText(member, out); break;
    case Kind::kAnyObject: Quote("type", "object", out); break;
    case Kind::kObjectOrText: QuoteAll("type", {"object", "string"}, out); break;
    case Kind::kObject: AppendObject(*member.object, out); break;
    case Kind::kTexts:
      Quote("type", "array", out);
      absl::StrAppend(out, ",\"items\":{\"type\":\"string\"}");
      break;
    case Kind::kLinks:
      Quote("type", "array", out);
      absl::StrAppend(out, ",\"items\":{\"anyOf\":[");
      for (const Object* const link : member.alternatives) {
        absl::StrAppend(out, link == member.alternatives.front() ? "{" : ",{");
        AppendObject(*link, out);
        out->push_back('}');
      }
      absl::StrAppend(out, "]}");
      break;
  }
  out->push_back('}');
}

void AppendRequired(const Object& object, std::string* out) {
  std::vector<absl::string_view> required;
  for (const Member& member : object.members) {
    if (member.required) required.push_back(member.name);
  }
  if (required.empty()) return;
  out->push_back(',');
  QuoteAll("required", required, out);
}

// The keywords for an object, without braces.
void AppendObject(const Object& object, std::string* out) {
  Quote("type", "object", out);
  absl::StrAppend(out, ",\"properties\":{");
  for (const Member& member : object.members) {
    if (&member != &object.members.front()) out->push_back(',');
    AppendJsonText(member.name, out);
    out->push_back(':');
    AppendMember(member, out);
  }
  out->push_back('}');
  AppendRequired(object, out);
  if (object.one_member) {
    absl::StrAppend(out, ",\"anyOf\":[");
    for (const Member& member : object.members) {
      absl::StrAppend(out, &member == &object.members.front() ? "" : ",", "{");
      QuoteAll("required", {member.name}, out);
      out->push_back('}');
    }
    out->push_back(']');
  }
  if (!object.open) absl::StrAppend(out, ",\"additionalProperties\":false");
}

}  // namespace

std::string JsonSchemaOf(const Form& form) {
  std::string schema = "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",";
  AppendObject(*form.root, &schema);
  schema.push_back('}');
  return schema;
}

}  // namespace cdgate::cdevents
