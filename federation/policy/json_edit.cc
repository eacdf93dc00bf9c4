#include "federation/policy/json_edit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/cdevents/json_text.h"

namespace cdgate::policy {
namespace {

constexpr int kMaxDepth = 128;

// Members of a link that say what it is, and name nothing.
bool SaysWhatItIs(absl::string_view name) {
  return name == "linkType" || name == "linkKind" || name == "link_type" || name == "link_kind" ||
         name == "timestamp";
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code >> 6));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | code >> 12));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xf0 | code >> 18));
    out->push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

bool ReadHex4(absl::string_view text, size_t at, uint32_t* out) {
  return at + 4 <= text.size() && absl::SimpleHexAtoi(text.substr(at, 4), out);
}

// The text of a JSON string between its quotes.
bool Decode(absl::string_view raw, std::string* out) {
  out->clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out->push_back(raw[i]);
      continue;
    }
    if (++i == raw.size()) return false;
    static constexpr absl::string_view kFrom = "\"\\/bfnrt";
    static constexpr absl::string_view kTo = "\"\\/\b\f\n\r\t";
    const size_t simple = kFrom.find(raw[i]);
    if (simple != absl::string_view::npos) {
      out->push_back(kTo[simple]);
      continue;
    }
    uint32_t code = 0;
    if (raw[i] != 'u' || !ReadHex4(raw, i + 1, &code)) return false;
    i += 4;
    if (code >= 0xd800 && code < 0xdc00) {
      uint32_t low = 0;
      if (raw.substr(i + 1, 2) != "\\u" || !ReadHex4(raw, i + 3, &low)) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      i += 6;
    }
    AppendUtf8(code, out);
  }
  return true;
}

}  // namespace

struct JsonEdits::Node {
  enum class What : uint8_t { kNothing, kReplaceInLinks, kReplace, kRemove };

  What what = What::kNothing;
  Form form = Form::kText;
  std::string kind;
  struct Entry {
    std::string name;
    std::unique_ptr<Node> node;
  };
  std::vector<Entry> children;  // few: looked through

  const Node* Find(absl::string_view name) const {
    for (const Entry& entry : children) {
      if (entry.name == name) return entry.node.get();
    }
    return nullptr;
  }
  void Set(What wanted, std::string wanted_kind, Form wanted_form) {
    if (wanted < what) return;
    what = wanted;
    kind = std::move(wanted_kind);
    form = wanted_form;
  }
};

JsonEdits::JsonEdits() : root_(std::make_unique<Node>()) {}
JsonEdits::~JsonEdits() = default;
JsonEdits::JsonEdits(JsonEdits&&) noexcept = default;
JsonEdits& JsonEdits::operator=(JsonEdits&&) noexcept = default;

JsonEdits::Node* JsonEdits::NodeAt(const filter::DataPath& path) {
  Node* node = root_.get();
  for (const filter::DataPath::Step& step : path.steps()) {
    auto entry = std::find_if(node->children.begin(), node->children.end(),
                              [&](const Node::Entry& e) { return e.name == step.name; });
    if (entry == node->children.end()) {
      node->children.push_back({step.name, std::make_unique<Node>()});
      entry = node->children.end() - 1;
    }
    node = entry->node.get();
  }
  return node;
}

void JsonEdits::Remove(const filter::DataPath& path) {
  NodeAt(path)->Set(Node::What::kRemove, "", Form::kText);
}

void JsonEdits::Replace(const filter::DataPath& path, std::string kind, Form form) {
  NodeAt(path)->Set(Node::What::kReplace, std::move(kind), form);
}

void JsonEdits::ReplaceInLinks(const filter::DataPath& path, std::string kind) {
  NodeAt(path)->Set(Node::What::kReplaceInLinks, std::move(kind), Form::kText);
}

bool JsonEdits::empty() const { return root_->children.empty(); }

bool JsonEdits::Touches(const filter::DataPath& path) const {
  const Node* node = root_.get();
  for (const filter::DataPath::Step& step : path.steps()) {
    node = node->Find(step.name);
    if (node == nullptr) return false;
    if (node->what >= Node::What::kReplace) return true;
  }
  return false;
}

bool JsonEditor::Apply(const JsonEdits& edits, absl::string_view data,
                       const Replacement& replacement) {
  in_ = data;
  at_ = 0;
  depth_ = 0;
  replacement_ = &replacement;
  out_.clear();
  path_.clear();
  removed_.clear();
  replaced_.clear();
  const size_t from = at_;
  SkipSpace();
  Copy(from, at_);
  if (!Value({edits.root_.get(), Mode::kTree})) return false;
  const size_t end = at_;
  SkipSpace();
  Copy(end, at_);
  return at_ == in_.size();
}

// Copies the value, edited; at_ is its first byte.
bool JsonEditor::Value(const Task& task) {
  const bool below =
      task.mode != Mode::kTree || (task.node != nullptr && !task.node->children.empty());
  if (below && Peek() == '{') return Object(task);
  if (below && Peek() == '[') return Array(task);
  const size_t from = at_;
  if (!SkipValue()) return false;
  Copy(from, at_);
  return true;
}

bool JsonEditor::Object(const Task& task) {
  if (++depth_ > kMaxDepth || !Take('{')) return false;
  out_.push_back('{');
  size_t from = at_;
  bool first = true;
  SkipSpace();
  while (Peek() != '}') {
    bool kept = false;
    if (!Member(task, from, first, &kept)) return false;
    if (kept) first = false;
    from = at_;
    SkipSpace();
    if (Peek() != ',') continue;
    ++at_;
    from = at_;
    SkipSpace();
    if (Peek() == '}') return false;
  }
  Copy(from, at_);
  out_.push_back('}');
  --depth_;
  return Take('}');
}

// `from`: behind the comma or brace before it.
bool JsonEditor::Member(const Task& task, size_t from, bool first, bool* kept) {
  absl::string_view name;
  if (!ReadText(&name)) return false;
  path_.emplace_back(name);
  SkipSpace();
  if (!Take(':')) return false;
  SkipSpace();
  Task child;
  const Node* edit = nullptr;
  bool done = false;
  if (Child(task, path_.back(), &child, &edit)) {
    // Nothing to keep of it.
    done = SkipValue();
    removed_.push_back(Pointer());
  } else if (edit != nullptr) {
    done = Edit(*edit, from, first, kept);
  } else {
    if (!first) out_.push_back(',');
    Copy(from, at_);
    *kept = true;
    done = Value(child);
  }
  path_.pop_back();
  return done;
}

// What becomes of the member `name`: true: it is removed; `edit`: it is replaced; else what
// is done below it.
bool JsonEditor::Child(const Task& task, absl::string_view name, Task* child,
                       const Node** edit) const {
  using What = Node::What;
  switch (task.mode) {
    case Mode::kLinkNode: *edit = task.node; return false;
    case Mode::kLinks:
      if (SaysWhatItIs(name)) return false;
      if (name == "tags") return true;
      *child = {task.node, Mode::kLinkNode};
      // A link's members are objects; anything else there is nothing that is known.
      if (Peek() != '{') *edit = task.node;
      return false;
    case Mode::kTree: break;
  }
  const Node* const node = task.node == nullptr ? nullptr : task.node->Find(name);
  if (node == nullptr) return false;
  if (node->what == What::kRemove) return true;
  const bool links = node->what == What::kReplaceInLinks;
  if (node->what == What::kReplace || (links && Peek() != '[' && Peek() != '{')) *edit = node;
  *child = {node, links ? Mode::kLinks : Mode::kTree};
  return false;
}

// Replaces the value of a member, or removes the member where it has none that can be.
bool JsonEditor::Edit(const Node& edit, size_t from, bool first, bool* kept) {
  const size_t value = at_;
  const char c = Peek();
  if (c == '{' || c == '[') {
    removed_.push_back(Pointer());
    return SkipValue();
  }
  *kept = true;
  if (!first) out_.push_back(',');
  Copy(from, value);
  absl::string_view text;
  if (c == '"') {
    if (!ReadText(&text)) return false;
  } else {
    if (!SkipValue()) return false;
    text = in_.substr(value, at_ - value);
    if (text == "null") {
      Copy(value, at_);
      return true;
    }
  }
  cdevents::AppendJsonText(Replaced(edit, text), &out_);
  replaced_.push_back(Pointer());
  return true;
}

std::string JsonEditor::Replaced(const Node& edit, absl::string_view text) const {
  const std::string pseudonym = (*replacement_)(edit.kind, text);
  // In links the name of the member says what its text has to be.
  const bool in_link = edit.what == Node::What::kReplaceInLinks;
  const auto form = in_link && path_.back() == "domainId" ? JsonEdits::Form::kDomainId : edit.form;
  switch (form) {
    case JsonEdits::Form::kText: return pseudonym;
    case JsonEdits::Form::kUri: return absl::StrCat("urn:cdgate:", pseudonym);
    case JsonEdits::Form::kDomainId: return absl::StrCat("cdevents:v0:::::event:", pseudonym);
  }
  return pseudonym;
}

bool JsonEditor::Array(const Task& task) {
  if (++depth_ > kMaxDepth || !Take('[')) return false;
  out_.push_back('[');
  for (size_t i = 0;; ++i) {
    const size_t from = at_;
    SkipSpace();
    Copy(from, at_);
    if (i == 0 && Peek() == ']') break;
    path_.push_back(absl::StrCat(i));
    Task child = task;
    if (task.mode == Mode::kTree) child = {task.node->Find(path_.back()), Mode::kTree};
    const bool in_tree = child.mode == Mode::kTree && child.node != nullptr;
    const bool replace = in_tree ? child.node->what == Node::What::kReplace ||
                                       child.node->what == Node::What::kRemove
                                 : child.mode == Mode::kLinks && Peek() != '{';
    bool kept = false;
    // An element that is taken out would move the others: it becomes a pseudonym, or null.
    if (replace && (Peek() == '{' || Peek() == '[' || child.node->what == Node::What::kRemove)) {
      removed_.push_back(Pointer());
      out_.append("null");
      if (!SkipValue()) return false;
    } else if (replace) {
      if (!Edit(*child.node, at_, true, &kept)) return false;
    } else if (!Value(child)) {
      return false;
    }
    path_.pop_back();
    const size_t end = at_;
    SkipSpace();
    Copy(end, at_);
    if (Peek() == ']') break;
    if (!Take(',')) return false;
    out_.push_back(',');
  }
  out_.push_back(']');
  --depth_;
  return Take(']');
}

void JsonEditor::SkipSpace() {
  while (at_ < in_.size() && cdevents::IsJsonSpace(in_[at_])) ++at_;
}

bool JsonEditor::Take(char c) {
  if (Peek() != c) return false;
  ++at_;
  return true;
}

bool JsonEditor::SkipText() {
  if (!Take('"')) return false;
  while (at_ < in_.size() && in_[at_] != '"') at_ += in_[at_] == '\\' ? 2 : 1;
  return Take('"');
}

bool JsonEditor::ReadText(absl::string_view* decoded) {
  const size_t from = at_;
  if (!SkipText()) return false;
  const absl::string_view raw = in_.substr(from + 1, at_ - from - 2);
  *decoded = raw;
  if (!absl::StrContains(raw, '\\')) return true;
  if (!Decode(raw, &text_)) return false;
  *decoded = text_;
  return true;
}

bool JsonEditor::SkipValue() {
  const char c = Peek();
  if (c == '"') return SkipText();
  if (c == '{' || c == '[') return SkipComposite();
  const size_t from = at_;
  while (at_ < in_.size() && in_[at_] != ',' && in_[at_] != '}' && in_[at_] != ']' &&
         !cdevents::IsJsonSpace(in_[at_])) {
    ++at_;
  }
  return at_ > from;
}

bool JsonEditor::SkipComposite() {
  size_t open = 0;
  do {
    const char c = Peek();
    if (c == '"') {
      if (!SkipText()) return false;
      continue;
    }
    if (at_ >= in_.size()) return false;
    if (c == '{' || c == '[') ++open;
    if (c == '}' || c == ']') --open;
    ++at_;
  } while (open > 0);
  return true;
}

std::string JsonEditor::Pointer() const {
  std::string out;
  for (const std::string& name : path_) {
    absl::StrAppend(&out, "/", absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}}));
  }
  return out;
}

}  // namespace cdgate::policy
