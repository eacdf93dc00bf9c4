// A YAML document as a tree with line numbers: what configuration and resource files are
// read into before their keys are judged.
//
//   CDGATE_ASSIGN_OR_RETURN(YamlNode root, ParseYaml(text, "gateway.yaml"));
//
// The subset that such files need: mappings with text keys, lists, scalars. Refused with
// INVALID_CONFIG, naming file and line: anchors, aliases and tags (so no small file can
// become a large tree), a key that is given twice, keys that are no text, a second
// document, more than kMaxYamlDepth levels, more than kMaxYamlBytes, what is not UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::config {

inline constexpr size_t kMaxYamlBytes = 1 << 20;
inline constexpr size_t kMaxYamlDepth = 64;

struct YamlMember;

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  int line = 1;                     // from 1
  std::string text;                 // kScalar
  bool quoted = false;              // kScalar: in quotes or a block, so it is a text
  std::vector<YamlNode> items;      // kList
  std::vector<YamlMember> members;  // kMap, in the order of the file; keys differ

  // The value of `key`; null where there is none.
  const YamlNode* Find(absl::string_view key) const;
};

struct YamlMember {
  std::string key;
  int line = 1;
  YamlNode value;
};

// "a mapping", "a list", "text", "nothing"
absl::string_view DescribeKind(YamlNode::Kind kind);

// The single document of `text`; kNull where it is empty. Line numbers begin with
// `first_line`.
absl::StatusOr<YamlNode> ParseYaml(absl::string_view text, absl::string_view file,
                                   int first_line = 1);

// INVALID_CONFIG "file:line: key: what"; `key` may be empty. Metadata: file, line, key.
absl::Status ConfigError(absl::string_view file, int line, absl::string_view key,
                         absl::string_view what);

}  // namespace cdgate::config
