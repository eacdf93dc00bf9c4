#include "federation/policy/json_edit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/cdevents/json_text.h"

namespace cdgate::policy {
namespace {

constexpr int kMaxDepth = 128;

// Members of a link that say what it is, and name nothing.
bool SaysWhatItIs(absl::string_view name) {
  return name == "linkType" || name == "linkKind" || name == "link_type" || name == "link_kind" ||
         name == "timestamp";
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

bool JsonEditor::Apply(const JsonEdits& edits, absl::string_view data, Replacement replacement) {
  in_.Start(data);
  depth_ = 0;
  replacement_ = &replacement;
  out_.clear();
  pointer_.clear();
  removed_.Clear();
  replaced_.Clear();
  in_.SkipSpace();
  Copy(0);
  if (!Value({edits.root_.get(), Mode::kTree})) return false;
  const size_t end = in_.at();
  in_.SkipSpace();
  Copy(end);
  return in_.done();
}

// Copies the value, edited; it is next.
bool JsonEditor::Value(const Task& task) {
  const bool below =
      task.mode != Mode::kTree || (task.node != nullptr && !task.node->children.empty());
  if (below && in_.Peek() == '{') return Object(task);
  if (below && in_.Peek() == '[') return Array(task);
  const size_t from = in_.at();
  if (!in_.SkipValue()) return false;
  Copy(from);
  return true;
}

// What is between two members goes with the second of them, so that one comma is left
// between any two that are kept.
bool JsonEditor::Object(const Task& task) {
  if (++depth_ > kMaxDepth || !in_.Take('{')) return false;
  out_.push_back('{');
  bool any = false;
  size_t gap = in_.at();  // behind the last value
  in_.SkipSpace();
  if (in_.Peek() != '}') {
    size_t begin = gap;  // behind the last comma
    do {
      if (any) begin = gap;
      if (!Member(task, begin, &any)) return false;
      gap = in_.at();
      in_.SkipSpace();
      begin = in_.at() + 1;
      if (!in_.Take(',')) break;
      in_.SkipSpace();
    } while (true);
  }
  Copy(gap);
  out_.push_back('}');
  --depth_;
  return in_.Take('}');
}

// The name of a member is next. What was read from `from` on is written before it.
bool JsonEditor::Member(const Task& task, size_t from, bool* kept) {
  absl::string_view name;
  if (!in_.ReadText(&name)) return false;
  const size_t above = pointer_.size();
  event::AppendPointerToken(name, &pointer_);
  in_.SkipSpace();
  if (!in_.Take(':')) return false;
  in_.SkipSpace();
  const Step step = StepTo(task, name);
  bool done = false;
  if (step.remove) {
    done = Remove();
  } else if (step.replace) {
    done = Replace(step, from, kept);
  } else {
    Copy(from);
    *kept = true;
    done = Value(step.below);
  }
  pointer_.resize(above);
  return done;
}

// What becomes of the member `name`, whose value is next.
JsonEditor::Step JsonEditor::StepTo(const Task& task, absl::string_view name) const {
  using What = Node::What;
  Step step{{task.node, Mode::kLinkNode}};
  if (task.mode != Mode::kTree) {
    // In links the name of the member says what its text has to be.
    step.form = name == "domainId" ? JsonEdits::Form::kDomainId : JsonEdits::Form::kText;
    step.replace = task.mode == Mode::kLinkNode || in_.Peek() != '{';
    if (task.mode == Mode::kLinkNode) return step;
    step.remove = name == "tags";
    if (SaysWhatItIs(name)) step = {};
    return step;
  }
  const Node* const node = task.node == nullptr ? nullptr : task.node->Find(name);
  if (node == nullptr) return {};
  const bool links = node->what == What::kReplaceInLinks;
  step.below = {node, links ? Mode::kLinks : Mode::kTree};
  step.form = node->form;
  step.remove = node->what == What::kRemove;
  step.replace = node->what == What::kReplace || (links && in_.Peek() != '[' && in_.Peek() != '{');
  return step;
}

bool JsonEditor::Remove() {
  removed_.Add(pointer_);
  return in_.SkipValue();
}

// Replaces the value that is next, or removes the whole where it has none that can be.
bool JsonEditor::Replace(const Step& step, size_t from, bool* kept) {
  const char c = in_.Peek();
  if (c == '{' || c == '[') return Remove();
  *kept = true;
  Copy(from);
  const size_t value = in_.at();
  absl::string_view text;
  if (c == '"') {
    if (!in_.ReadText(&text)) return false;
  } else {
    if (!in_.SkipValue()) return false;
    text = in_.Text(value, in_.at());
    if (text == "null") {
      Copy(value);
      return true;
    }
  }
  WritePseudonym(step, text);
  replaced_.Add(pointer_);
  return true;
}

void JsonEditor::WritePseudonym(const Step& step, absl::string_view text) {
  made_.clear();
  if (step.form == JsonEdits::Form::kUri) made_.append("urn:cdgate:");
  if (step.form == JsonEdits::Form::kDomainId) made_.append("cdevents:v0:::::event:");
  (*replacement_)(step.below.node->kind, text, &made_);
  cdevents::AppendJsonText(made_, &out_);
}

bool JsonEditor::Array(const Task& task) {
  if (++depth_ > kMaxDepth || !in_.Take('[')) return false;
  out_.push_back('[');
  for (size_t i = 0;; ++i) {
    const size_t from = in_.at();
    in_.SkipSpace();
    Copy(from);
    if (i == 0 && in_.Peek() == ']') break;
    if (!Element(task, i)) return false;
    const size_t end = in_.at();
    in_.SkipSpace();
    Copy(end);
    if (in_.Peek() == ']') break;
    if (!in_.Take(',')) return false;
    out_.push_back(',');
  }
  out_.push_back(']');
  --depth_;
  return in_.Take(']');
}

// An element that is taken out would move the others: it becomes null.
bool JsonEditor::Element(const Task& task, size_t index) {
  const size_t above = pointer_.size();
  const absl::AlphaNum digits(index);
  event::AppendPointerToken(digits.Piece(), &pointer_);
  Step step{task};
  if (task.mode == Mode::kTree) {
    step = StepTo(task, digits.Piece());
  } else {
    step.replace = in_.Peek() != '{';
  }
  bool kept = false;
  bool done = false;
  if (step.remove || (step.replace && (in_.Peek() == '{' || in_.Peek() == '['))) {
    out_.append("null");
    done = Remove();
  } else {
    done = step.replace ? Replace(step, in_.at(), &kept) : Value(step.below);
  }
  pointer_.resize(above);
  return done;
}

}  // namespace cdgate::policy
