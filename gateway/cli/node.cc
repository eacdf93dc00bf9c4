#include "gateway/cli/node.h"

#include <google/protobuf/descriptor.h>
#include <simdjson.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/cli/format.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

namespace pb = google::protobuf;

void AppendJsonString(std::string* out, absl::string_view text) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"': out->append("\\\""); break;
      case '\\': out->append("\\\\"); break;
      case '\n': out->append("\\n"); break;
      case '\t': out->append("\\t"); break;
      case '\r': out->append("\\r"); break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

void NewLine(std::string* out, int depth) {
  out->push_back('\n');
  out->append(static_cast<size_t>(depth) * 2, ' ');
}

// Well-known messages that print as one text.
bool WellKnown(const pb::Message& message, Node* out) {
  const std::string& type = message.GetDescriptor()->full_name();
  const auto field = [&](int number) { return message.GetDescriptor()->FindFieldByNumber(number); };
  const pb::Reflection& reflection = *message.GetReflection();
  const auto seconds = [&] { return reflection.GetInt64(message, field(1)); };
  const auto nanos = [&] { return reflection.GetInt32(message, field(2)); };
  if (type == "google.protobuf.Timestamp") {
    *out = Node::Text(
        config::FormatTimestamp(absl::FromUnixSeconds(seconds()) + absl::Nanoseconds(nanos())));
    return true;
  }
  if (type == "google.protobuf.Duration") {
    *out =
        Node::Text(config::FormatDuration(absl::Seconds(seconds()) + absl::Nanoseconds(nanos())));
    return true;
  }
  return false;
}

// One value of `field`: the `index`th of a repeated one, or the only one (index -1).
class FieldReader {
 public:
  FieldReader(const pb::Message& message, const pb::FieldDescriptor& field)
      : message_(message), reflection_(*message.GetReflection()), field_(&field) {}

  Node Read(int index) const {
    switch (field_->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_BOOL:
        return Node::Bool(Get(index, &pb::Reflection::GetBool, &pb::Reflection::GetRepeatedBool));
      case pb::FieldDescriptor::CPPTYPE_INT32:
        return Node::Number(
            int64_t{Get(index, &pb::Reflection::GetInt32, &pb::Reflection::GetRepeatedInt32)});
      case pb::FieldDescriptor::CPPTYPE_INT64:
        return Node::Number(
            Get(index, &pb::Reflection::GetInt64, &pb::Reflection::GetRepeatedInt64));
      case pb::FieldDescriptor::CPPTYPE_UINT32:
        return Node::Number(
            uint64_t{Get(index, &pb::Reflection::GetUInt32, &pb::Reflection::GetRepeatedUInt32)});
      case pb::FieldDescriptor::CPPTYPE_UINT64:
        return Node::Number(
            Get(index, &pb::Reflection::GetUInt64, &pb::Reflection::GetRepeatedUInt64));
      case pb::FieldDescriptor::CPPTYPE_FLOAT:
        return Node::Real(
            double{Get(index, &pb::Reflection::GetFloat, &pb::Reflection::GetRepeatedFloat)});
      case pb::FieldDescriptor::CPPTYPE_DOUBLE:
        return Node::Real(
            Get(index, &pb::Reflection::GetDouble, &pb::Reflection::GetRepeatedDouble));
      case pb::FieldDescriptor::CPPTYPE_ENUM:
        return Node::Text(
            ShortEnumName(*Get(index, &pb::Reflection::GetEnum, &pb::Reflection::GetRepeatedEnum)));
      case pb::FieldDescriptor::CPPTYPE_STRING:
        return ReadText(Get(index, &pb::Reflection::GetString, &pb::Reflection::GetRepeatedString));
      case pb::FieldDescriptor::CPPTYPE_MESSAGE:
        return Node::FromMessage(index < 0
                                     ? reflection_.GetMessage(message_, field_)
                                     : reflection_.GetRepeatedMessage(message_, field_, index));
    }
    return Node();
  }

 private:
  template <typename T>
  T Get(int index, T (pb::Reflection::*one)(const pb::Message&, const pb::FieldDescriptor*) const,
        T (pb::Reflection::*repeated)(const pb::Message&, const pb::FieldDescriptor*, int)
            const) const {
    return index < 0 ? (reflection_.*one)(message_, field_)
                     : (reflection_.*repeated)(message_, field_, index);
  }

  Node ReadText(const std::string& text) const {
    const bool binary =
        field_->type() == pb::FieldDescriptor::TYPE_BYTES && field_->name() != "source";
    return Node::Text(binary ? base::HexEncode(text) : text);
  }

  const pb::Message& message_;
  const pb::Reflection& reflection_;
  const pb::FieldDescriptor* const field_;
};

bool Skip(const pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (field.is_repeated()) return false;
  if (field.has_presence()) return !reflection.HasField(message, &field);
  return field.cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM &&
         reflection.GetEnumValue(message, &field) == 0;
}

// True where `text`, written without quotes, reads back as the same text for every YAML
// parser: not a number, a word of YAML, or something with syntax in it.
bool PlainInYaml(absl::string_view text) {
  static const auto* const words = new absl::flat_hash_set<std::string>{
      "true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  if (text.empty() || !absl::ascii_isalpha(static_cast<unsigned char>(text.front()))) return false;
  const bool simple = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("-_./@", static_cast<char>(c));
  });
  return simple && !words->contains(absl::AsciiStrToLower(text));
}

void EmitText(YAML::Emitter& yaml, const std::string& text) {
  if (absl::StrContains(text, '\n')) {
    yaml << YAML::Literal << text;
  } else if (PlainInYaml(text)) {
    yaml << text;
  } else {
    yaml << YAML::DoubleQuoted << text;
  }
}

}  // namespace

std::string ShortEnumName(const pb::EnumDescriptor& type, int number) {
  const pb::EnumValueDescriptor* const value = type.FindValueByNumber(number);
  return value == nullptr ? absl::StrCat(number) : ShortEnumName(*value);
}

std::string ShortEnumName(const pb::EnumValueDescriptor& value) {
  if (value.number() == 0) return "";
  // PeerState -> PEER_STATE_, the prefix that every value has.
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return std::string(absl::StripPrefix(value.name(), prefix + "_"));
}

Node Node::Bool(bool value) {
  Node node;
  node.kind_ = Kind::kLiteral;
  node.text_ = value ? "true" : "false";
  return node;
}

Node Node::Number(int64_t value) {
  Node node;
  node.kind_ = Kind::kLiteral;
  node.text_ = absl::StrCat(value);
  return node;
}

Node Node::Number(uint64_t value) {
  Node node;
  node.kind_ = Kind::kLiteral;
  node.text_ = absl::StrCat(value);
  return node;
}

Node Node::Real(double value) {
  Node node;
  node.kind_ = Kind::kLiteral;
  node.text_ = absl::StrFormat("%.17g", value);
  return node;
}

Node Node::Text(absl::string_view value) {
  Node node;
  node.kind_ = Kind::kText;
  node.text_ = ReplaceInvalidUtf8(value);
  return node;
}

Node Node::Raw(std::string json) {
  Node node;
  node.kind_ = Kind::kRaw;
  node.text_.resize(json.size());
  size_t size = 0;
  if (simdjson::minify(json.data(), json.size(), node.text_.data(), size) == simdjson::SUCCESS) {
    node.text_.resize(size);
  } else {
    node.text_ = std::move(json);
  }
  return node;
}

Node Node::List() {
  Node node;
  node.kind_ = Kind::kList;
  return node;
}

Node Node::Object() {
  Node node;
  node.kind_ = Kind::kObject;
  return node;
}

Node Node::FromMessage(const pb::Message& message) {
  Node node;
  if (WellKnown(message, &node)) return node;
  node = Object();
  const pb::Descriptor& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const pb::FieldDescriptor& field = *descriptor.field(i);
    if (Skip(message, field)) continue;
    const FieldReader reader(message, field);
    if (!field.is_repeated()) {
      node.Add(field.name(), reader.Read(-1));
      continue;
    }
    Node list = List();
    const int size = message.GetReflection()->FieldSize(message, &field);
    for (int k = 0; k < size; ++k) list.Append(reader.Read(k));
    node.Add(field.name(), std::move(list));
  }
  return node;
}

Node& Node::Add(absl::string_view key, Node value) {
  children_.emplace_back(ReplaceInvalidUtf8(key), std::move(value));
  return *this;
}

Node& Node::Append(Node value) { return Add("", std::move(value)); }

std::string Node::ToJson(bool pretty) const {
  std::string out;
  AppendJson(&out, pretty, 0);
  return out;
}

void Node::AppendJson(std::string* out, bool pretty, int depth) const {
  switch (kind_) {
    case Kind::kNull: out->append("null"); break;
    case Kind::kLiteral:
    case Kind::kRaw: out->append(text_); break;
    case Kind::kText: AppendJsonString(out, text_); break;
    case Kind::kList:
    case Kind::kObject: AppendChildren(out, pretty, depth); break;
  }
}

void Node::AppendChildren(std::string* out, bool pretty, int depth) const {
  const bool object = kind_ == Kind::kObject;
  out->push_back(object ? '{' : '[');
  bool first = true;
  for (const auto& [key, value] : children_) {
    if (!first) out->push_back(',');
    first = false;
    if (pretty) NewLine(out, depth + 1);
    if (object) {
      AppendJsonString(out, key);
      out->append(pretty ? ": " : ":");
    }
    value.AppendJson(out, pretty, depth + 1);
  }
  if (pretty && !children_.empty()) NewLine(out, depth);
  out->push_back(object ? '}' : ']');
}

std::string Node::ToYaml() const {
  YAML::Emitter yaml;
  yaml.SetIndent(2);
  const auto emit = [&yaml](const Node& node, const auto& self) -> void {
    switch (node.kind_) {
      case Kind::kNull: yaml << YAML::Null; break;
      case Kind::kLiteral: yaml << node.text_; break;
      case Kind::kRaw:
      case Kind::kText: EmitText(yaml, node.text_); break;
      case Kind::kList:
        yaml << (node.children_.empty() ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
        for (const auto& [key, value] : node.children_) self(value, self);
        yaml << YAML::EndSeq;
        break;
      case Kind::kObject:
        yaml << (node.children_.empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
        for (const auto& [key, value] : node.children_) {
          yaml << YAML::Key << key << YAML::Value;
          self(value, self);
        }
        yaml << YAML::EndMap;
        break;
    }
  };
  emit(*this, emit);
  return absl::StrCat(yaml.c_str(), "\n");
}

}  // namespace cdgate::cli
