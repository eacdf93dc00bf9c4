// What the command line prints, as a tree: made once, rendered as JSON or YAML.
//
//   Node event = Node::Object();
//   event.Add("sequence", Node::Number(42)).Add("event", Node::Raw(data));
//   out << event.ToJson() << "\n";        // {"sequence":42,"event":{…}}
//
// Members keep the order they were added in. A value; not thread-safe.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::cli {

class Node {
 public:
  // null
  Node() = default;
  static Node Bool(bool value);
  static Node Number(int64_t value);
  static Node Number(uint64_t value);
  static Node Real(double value);
  // Bytes that are not UTF-8 are replaced by U+FFFD.
  static Node Text(absl::string_view value);
  // JSON, put in as it is but for white space between its tokens; it must be valid. In
  // YAML it is a text.
  static Node Raw(std::string json);
  static Node List();
  static Node Object();
  // A message by its field names. Scalars and lists are always there, messages and
  // members of a oneof where they are set, enums by their value's short name where it is
  // not the unspecified one ("APPROVED"). Times are RFC 3339, durations "5s", bytes hex
  // but for a field named `source`, which is what somebody wrote.
  static Node FromMessage(const google::protobuf::Message& message);

  // Of an object, of a list; return *this.
  Node& Add(absl::string_view key, Node value);
  Node& Append(Node value);

  // On one line; with `pretty` on several, indented by two.
  std::string ToJson(bool pretty = false) const;
  // Ends in a line feed.
  std::string ToYaml() const;

 private:
  enum class Kind { kNull, kLiteral, kText, kRaw, kList, kObject };

  void AppendJson(std::string* out, bool pretty, int depth) const;
  void AppendChildren(std::string* out, bool pretty, int depth) const;

  Kind kind_ = Kind::kNull;
  std::string text_;                                    // literal, text or raw
  std::vector<std::pair<std::string, Node>> children_;  // keys are empty in a list
};

// The short name of an enum's value: "APPROVED" of PEER_STATE_APPROVED; "" of the
// unspecified one.
std::string ShortEnumName(const google::protobuf::EnumValueDescriptor& value);
// The number itself where this release does not know it.
std::string ShortEnumName(const google::protobuf::EnumDescriptor& type, int number);

}  // namespace cdgate::cli
