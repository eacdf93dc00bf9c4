#include "gateway/config/message_writer.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "gateway/base/errors.h"
#include "gateway/config/enum_names.h"
#include "gateway/config/scalars.h"

namespace cdgate::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kStep = 2;

bool IsWordThatMeansSomethingElse(absl::string_view text) {
  for (const absl::string_view word :
       {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (absl::EqualsIgnoreCase(text, word)) return true;
  }
  return false;
}

// A text that every YAML reader takes for itself without quotes.
bool IsPlain(absl::string_view text) {
  if (text.empty() || IsWordThatMeansSomethingElse(text)) return false;
  const auto first = static_cast<unsigned char>(text.front());
  if (!absl::ascii_isalpha(first) && first != '/' && first != '_') return false;
  if (text.back() == ' ' || text.back() == ':') return false;
  if (absl::StrContains(text, ": ") || absl::StrContains(text, " #")) return false;
  return text.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
             " _-./@+=%()$~:'<>!*,#") == absl::string_view::npos;
}

// Several lines that a literal block holds unchanged.
bool IsBlock(absl::string_view text) {
  if (!absl::StrContains(text, '\n') || text.front() == ' ' || text.front() == '\n') return false;
  if (absl::EndsWith(text, "\n\n") || absl::StrContains(text, " \n")) return false;
  for (const char c : text) {
    if (c != '\n' && (c < 0x20 || c == 0x7f)) return false;
  }
  return text.back() != ' ';
}

std::string Quote(absl::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // Line separators and the byte order mark would not survive as they are.
    const absl::string_view rest = text.substr(i);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", text.substr(i, 1));
    } else if (c == '\n') {
      absl::StrAppend(&out, "\\n");
    } else if (c < 0x20 || c == 0x7f) {
      absl::StrAppend(&out, "\\x", absl::Hex(c, absl::kZeroPad2));
    } else if (c == 0xc2 && rest.size() > 1 && static_cast<unsigned char>(rest[1]) < 0xa0) {
      absl::StrAppend(&out, "\\x", absl::Hex(static_cast<unsigned char>(rest[1])));
      ++i;
    } else if (absl::StartsWith(rest, "\xe2\x80\xa8") || absl::StartsWith(rest, "\xe2\x80\xa9")) {
      absl::StrAppend(&out, rest[2] == '\xa8' ? "\\u2028" : "\\u2029");
      i += 2;
    } else if (absl::StartsWith(rest, "\xef\xbb\xbf")) {
      absl::StrAppend(&out, "\\ufeff");
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  out.push_back('"');
  return out;
}

// A text after "key:" or "-", with the line that it ends.
void AppendText(absl::string_view text, int indent, std::string* out) {
  if (IsPlain(text)) {
    absl::StrAppend(out, " ", text, "\n");
  } else if (IsBlock(text)) {
    const bool ends = text.back() == '\n';
    absl::StrAppend(out, ends ? " |\n" : " |-\n");
    if (ends) text.remove_suffix(1);
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      if (!line.empty()) absl::StrAppend(out, std::string(static_cast<size_t>(indent), ' '), line);
      out->push_back('\n');
    }
  } else {
    absl::StrAppend(out, " ", Quote(text), "\n");
  }
}

// One value of a field: singular, or the element `index` of a repeated one.
struct FieldValue {
  const Message& message;
  const FieldDescriptor& field;
  int index;  // -1: singular

#define CDGATE_GET(Type)                                           \
  (index < 0 ? message.GetReflection()->Get##Type(message, &field) \
             : message.GetReflection()->GetRepeated##Type(message, &field, index))
  const Message& AsMessage() const {
    return index < 0 ? message.GetReflection()->GetMessage(message, &field)
                     : message.GetReflection()->GetRepeatedMessage(message, &field, index);
  }
  std::string AsText() const {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL: return CDGATE_GET(Bool) ? "true" : "false";
      case FieldDescriptor::CPPTYPE_INT32: return absl::StrCat(CDGATE_GET(Int32));
      case FieldDescriptor::CPPTYPE_INT64: return absl::StrCat(CDGATE_GET(Int64));
      case FieldDescriptor::CPPTYPE_UINT32: return absl::StrCat(CDGATE_GET(UInt32));
      case FieldDescriptor::CPPTYPE_UINT64: return absl::StrCat(CDGATE_GET(UInt64));
      case FieldDescriptor::CPPTYPE_FLOAT: return absl::StrFormat("%.9g", CDGATE_GET(Float));
      case FieldDescriptor::CPPTYPE_DOUBLE: return absl::StrFormat("%.17g", CDGATE_GET(Double));
      case FieldDescriptor::CPPTYPE_ENUM: return EnumText();
      case FieldDescriptor::CPPTYPE_STRING: return CDGATE_GET(String);
      case FieldDescriptor::CPPTYPE_MESSAGE: break;
    }
    return "";
  }
  std::string EnumText() const {
    const int number = CDGATE_GET(EnumValue);
    const auto* const value = field.enum_type()->FindValueByNumber(number);
    return value == nullptr ? absl::StrCat(number) : ShortEnumName(*value);
  }
#undef CDGATE_GET
};

// A Duration or Timestamp as its text; false for other messages.
bool SpecialText(const Message& message, std::string* text) {
  if (message.GetTypeName() == "google.protobuf.Duration") {
    google::protobuf::Duration value;
    value.CopyFrom(message);
    *text =
        config::FormatDuration(absl::Seconds(value.seconds()) + absl::Nanoseconds(value.nanos()));
    return true;
  }
  if (message.GetTypeName() == "google.protobuf.Timestamp") {
    google::protobuf::Timestamp value;
    value.CopyFrom(message);
    *text = config::FormatTimestamp(absl::FromUnixSeconds(value.seconds()) +
                                    absl::Nanoseconds(value.nanos()));
    return true;
  }
  return false;
}

class YamlWriter {
 public:
  std::string Take() { return std::move(out_); }

  // The fields of `message`, a line or more each; the first without its indentation
  // where it follows "- ".
  void Fields(const Message& message, int indent, bool after_dash) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      if (!after_dash) Indent(indent);
      after_dash = false;
      absl::StrAppend(&out_, field->name(), ":");
      Field(message, *field, indent);
    }
  }

 private:
  void Indent(int n) { out_.append(static_cast<size_t>(n), ' '); }

  void Field(const Message& message, const FieldDescriptor& field, int indent) {
    if (field.is_map()) return Map(message, field, indent);
    if (!field.is_repeated()) return Value({message, field, -1}, indent);
    out_.push_back('\n');
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
      Indent(indent + kStep);
      out_.push_back('-');
      Element({message, field, i}, indent + kStep);
    }
  }

  // After "key:".
  void Value(const FieldValue& value, int indent) {
    if (value.field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return Scalar(value, indent);
    std::string text;
    const Message& message = value.AsMessage();
    if (SpecialText(message, &text)) {
      absl::StrAppend(&out_, " ", Special(text), "\n");
    } else if (IsEmpty(message)) {
      absl::StrAppend(&out_, " {}\n");
    } else {
      out_.push_back('\n');
      Fields(message, indent + kStep, false);
    }
  }

  // After "-".
  void Element(const FieldValue& value, int indent) {
    std::string ignored;
    const bool message = value.field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!message || SpecialText(value.AsMessage(), &ignored) || IsEmpty(value.AsMessage())) {
      return Value(value, indent);
    }
    out_.push_back(' ');
    Fields(value.AsMessage(), indent + kStep, true);
  }

  void Scalar(const FieldValue& value, int indent) {
    const std::string text = value.AsText();
    if (value.field.type() == FieldDescriptor::TYPE_STRING) {
      AppendText(text, indent + kStep, &out_);
    } else if (value.field.type() == FieldDescriptor::TYPE_BYTES) {
      absl::StrAppend(&out_, " ", Quote(absl::Base64Escape(text)), "\n");
    } else {
      absl::StrAppend(&out_, " ", text, "\n");
    }
  }

  void Map(const Message& message, const FieldDescriptor& field, int indent) {
    std::vector<std::pair<std::string, const Message*>> entries;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
      const FieldValue entry{message, field, i};
      const FieldValue key{entry.AsMessage(), *field.message_type()->map_key(), -1};
      entries.emplace_back(key.AsText(), &entry.AsMessage());
    }
    std::sort(entries.begin(), entries.end());
    out_.push_back('\n');
    for (const auto& [key, entry] : entries) {
      Indent(indent + kStep);
      absl::StrAppend(&out_, IsPlain(key) ? key : Quote(key), ":");
      Value({*entry, *field.message_type()->map_value(), -1}, indent + kStep);
    }
  }

  // A timestamp would be read as a date without quotes.
  static std::string Special(const std::string& text) {
    return absl::StrContains(text, ':') ? Quote(text) : text;
  }

  static bool IsEmpty(const Message& message) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    return fields.empty();
  }

  std::string out_;
};

}  // namespace

std::string ToYaml(const Message& message) {
  YamlWriter writer;
  writer.Fields(message, 0, false);
  std::string out = writer.Take();
  return out.empty() ? "{}\n" : out;
}

absl::StatusOr<std::string> ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out, options);
  if (status.ok()) return out;
  return base::MakeError(base::Reason::kInternal,
                         absl::StrCat("a ", message.GetTypeName(),
                                      " has no JSON form: ", std::string(status.message())));
}

}  // namespace cdgate::config
