#include "gateway/config/yaml_node.h"

#include <simdjson.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::config {
namespace {

bool IsUtf8(absl::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

// Line, from 0, of the first character that no YAML file may have. The library would
// take a zero byte for an escape.
std::optional<int> ControlCharacterLine(absl::string_view text) {
  int line = 0;
  for (const char c : text) {
    if (c == '\n') ++line;
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) return line;
  }
  return std::nullopt;
}

// Builds the tree of one document from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(absl::string_view file, int first_line) : file_(file), first_line_(first_line) {}

  absl::Status status() const { return status_; }
  YamlNode TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!Accept(mark, "", anchor)) return;
    Add(NodeAt(mark, YamlNode::Kind::kNull), mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fail(LineOf(mark), "aliases are not supported; write the value again");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!Accept(mark, tag, anchor)) return;
    // The library renders the escapes \_ and \N as single bytes.
    if (!IsUtf8(value))
      return Fail(LineOf(mark), "the text is not UTF-8; write \\u00a0 or \\u0085");
    YamlNode node = NodeAt(mark, YamlNode::Kind::kScalar);
    node.text = value;
    node.quoted = tag == "!";
    Add(std::move(node), mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A mapping or list that is not closed yet, with the key that waits for its value.
  struct Level {
    YamlNode node;
    bool has_key = false;
    std::string key;
    int key_line = 0;
  };

  int LineOf(const YAML::Mark& mark) const { return mark.line + first_line_; }

  YamlNode NodeAt(const YAML::Mark& mark, YamlNode::Kind kind) const {
    YamlNode node;
    node.kind = kind;
    node.line = LineOf(mark);
    return node;
  }

  void Fail(int line, absl::string_view what) {
    if (status_.ok()) status_ = ConfigError(file_, line, "", what);
  }

  bool Accept(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) Fail(LineOf(mark), "anchors are not supported; remove &…");
    if (!tag.empty() && tag != "?" && tag != "!") {
      Fail(LineOf(mark), absl::StrCat("tags are not supported; remove ", base::Shorten(tag)));
    }
    return status_.ok();
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    if (!Accept(mark, tag, anchor)) return;
    if (open_.size() == kMaxYamlDepth) {
      return Fail(LineOf(mark), absl::StrCat("more than ", kMaxYamlDepth, " levels"));
    }
    if (!open_.empty() && open_.back().node.kind == YamlNode::Kind::kMap && !open_.back().has_key) {
      return Fail(LineOf(mark), "a key must be a text");
    }
    open_.emplace_back();
    open_.back().node = NodeAt(mark, kind);
  }

  void Close() {
    if (!status_.ok()) return;
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    CheckKeys(node);
    Attach(std::move(node));
  }

  void CheckKeys(const YamlNode& node) {
    std::vector<const YamlMember*> members;
    for (const YamlMember& member : node.members) members.push_back(&member);
    std::stable_sort(members.begin(), members.end(),
                     [](const auto* a, const auto* b) { return a->key < b->key; });
    for (size_t i = 1; i < members.size(); ++i) {
      if (members[i - 1]->key != members[i]->key) continue;
      return Fail(members[i]->line,
                  absl::StrCat(base::Shorten(members[i]->key), ": given twice, first on line ",
                               members[i - 1]->line));
    }
  }

  // A scalar or null: the key that comes next, or a value.
  void Add(YamlNode node, const YAML::Mark& mark) {
    if (open_.empty() || open_.back().node.kind == YamlNode::Kind::kList || open_.back().has_key) {
      return Attach(std::move(node));
    }
    if (node.kind == YamlNode::Kind::kNull) return Fail(LineOf(mark), "a key must be a text");
    open_.back().has_key = true;
    open_.back().key = std::move(node.text);
    open_.back().key_line = node.line;
  }

  void Attach(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = open_.back();
    if (level.node.kind == YamlNode::Kind::kList) {
      level.node.items.push_back(std::move(node));
    } else {
      level.node.members.push_back({std::move(level.key), level.key_line, std::move(node)});
      level.has_key = false;
    }
  }

  const absl::string_view file_;
  const int first_line_;
  absl::Status status_;
  std::vector<Level> open_;
  YamlNode root_;
};

class NoMoreDocuments final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { line_ = mark.line; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
  int line() const { return line_; }

 private:
  int line_ = 0;
};

absl::StatusOr<YamlNode> ParseDocument(absl::string_view text, absl::string_view file,
                                       int first_line) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  TreeBuilder builder(file, first_line);
  if (!parser.HandleNextDocument(builder)) return YamlNode();
  CDGATE_RETURN_IF_ERROR(builder.status());
  NoMoreDocuments more;
  if (parser.HandleNextDocument(more)) {
    return ConfigError(file, more.line() + first_line, "",
                       "a second document begins; expected one document");
  }
  return builder.TakeRoot();
}

}  // namespace

const YamlNode* YamlNode::Find(absl::string_view key) const {
  for (const YamlMember& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

absl::string_view DescribeKind(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull: return "nothing";
    case YamlNode::Kind::kScalar: return "text";
    case YamlNode::Kind::kList: return "a list";
    case YamlNode::Kind::kMap: return "a mapping";
  }
  return "";
}

absl::StatusOr<YamlNode> ParseYaml(absl::string_view text, absl::string_view file, int first_line) {
  if (text.size() > kMaxYamlBytes) {
    return ConfigError(file, first_line, "", "more than 1 MiB");
  }
  if (!IsUtf8(text)) return ConfigError(file, first_line, "", "not UTF-8");
  if (const auto line = ControlCharacterLine(text)) {
    return ConfigError(file, first_line + *line, "", "has a control character");
  }
  // yaml-cpp reports malformed text by exceptions.
  try {
    return ParseDocument(text, file, first_line);
  } catch (const YAML::ParserException& e) {
    return ConfigError(file, e.mark.line + first_line, "", absl::StrCat("not YAML: ", e.msg));
  } catch (const std::exception& e) {
    return ConfigError(file, first_line, "", absl::StrCat("not YAML: ", e.what()));
  }
}

absl::Status ConfigError(absl::string_view file, int line, absl::string_view key,
                         absl::string_view what) {
  return base::MakeError(
      base::Reason::kInvalidConfig,
      absl::StrCat(file, ":", line, ": ", key, key.empty() ? "" : ": ", what),
      {{"file", std::string(file)}, {"line", absl::StrCat(line)}, {"key", std::string(key)}});
}

}  // namespace cdgate::config
