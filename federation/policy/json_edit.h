// Removes and replaces values in the JSON of an event, and leaves everything else as it was
// written, byte for byte but for white space and commas around a member that is removed.
//
//   JsonEdits edits;                                    // once for a rule
//   edits.Remove(path);
//   edits.Replace(user, "subject.content.user", JsonEdits::Form::kText);
//   JsonEditor editor;                                  // one per thread, kept
//   if (!editor.Apply(edits, data, append_replacement)) // not JSON as it was admitted
//   Send(editor.result(), editor.removed(), editor.replaced());
//
// The JSON was admitted: well-formed, no duplicate member, at most 64 levels. Anything else
// makes Apply fail, and nothing may be sent then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/event/json_scan.h"
#include "gateway/filter/data_path.h"

namespace cdgate::policy {

// What to do, as a tree of member names. Immutable once in use; then thread-safe.
class JsonEdits {
 public:
  // What a replaced value has to look like.
  enum class Form : uint8_t {
    kText,      // any text
    kUri,       // a URI
    kDomainId,  // a domainId of the CDEvents links
  };

  JsonEdits();
  ~JsonEdits();
  JsonEdits(JsonEdits&&) noexcept;
  JsonEdits& operator=(JsonEdits&&) noexcept;

  // Of two edits of one path, or of one above the other, removing wins, then the one above.
  void Remove(const filter::DataPath& path);
  // A value that is no text, number or Boolean is removed instead, but for null, which says
  // nothing. `kind`: that of the pseudonym.
  void Replace(const filter::DataPath& path, std::string kind, Form form);
  // In each object of the array at `path`, a CDEvents link: replaces every text of the nodes
  // that it leads to, and removes what is no text there, and the tags.
  void ReplaceInLinks(const filter::DataPath& path, std::string kind);

  bool empty() const;
  // Whether a value at `path` is removed or replaced, itself or with what is above it.
  bool Touches(const filter::DataPath& path) const;

 private:
  friend class JsonEditor;
  struct Node;
  Node* NodeAt(const filter::DataPath& path);
  std::unique_ptr<Node> root_;
};

// Texts in memory that is kept from one event to the next.
class TextList {
 public:
  void Clear() { size_ = 0; }
  void Add(absl::string_view text) {
    if (size_ == texts_.size()) texts_.emplace_back();
    texts_[size_++].assign(text.data(), text.size());
  }
  bool empty() const { return size_ == 0; }
  absl::Span<const std::string> all() const { return {texts_.data(), size_}; }

 private:
  std::vector<std::string> texts_;
  size_t size_ = 0;
};

class JsonEditor {
 public:
  // Appends to `out` what goes in place of a value; `text` is the decoded one.
  using Replacement =
      absl::FunctionRef<void(absl::string_view kind, absl::string_view text, std::string* out)>;

  // False where `data` is not such JSON.
  bool Apply(const JsonEdits& edits, absl::string_view data, Replacement replacement);

  // Good until the next Apply.
  const std::string& result() const { return out_; }
  // RFC 6901 pointers; the removed ones into `data`, the others into both.
  absl::Span<const std::string> removed() const { return removed_.all(); }
  absl::Span<const std::string> replaced() const { return replaced_.all(); }
  bool changed() const { return !removed_.empty() || !replaced_.empty(); }

 private:
  using Node = JsonEdits::Node;
  enum class Mode { kTree, kLinks, kLinkNode };
  // What is done to the value that is read next.
  struct Task {
    const Node* node = nullptr;  // null: nothing below it
    Mode mode = Mode::kTree;
  };
  // What is done to one member or element.
  struct Step {
    Task below;
    JsonEdits::Form form = JsonEdits::Form::kText;
    bool remove = false;
    bool replace = false;
  };

  bool Value(const Task& task);
  bool Object(const Task& task);
  bool Array(const Task& task);
  // `kept` becomes true where the member is still there.
  bool Member(const Task& task, size_t from, bool* kept);
  bool Element(const Task& task, size_t index);
  Step StepTo(const Task& task, absl::string_view name) const;
  bool Remove();
  bool Replace(const Step& step, size_t from, bool* kept);
  void WritePseudonym(const Step& step, absl::string_view text);

  // What was read since `from`.
  void Copy(size_t from) {
    const absl::string_view text = in_.Text(from, in_.at());
    out_.append(text.data(), text.size());
  }

  event::JsonScanner in_;
  int depth_ = 0;
  const Replacement* replacement_ = nullptr;
  std::string out_;
  std::string made_;     // a pseudonym
  std::string pointer_;  // to where we are
  TextList removed_;
  TextList replaced_;
};

}  // namespace cdgate::policy
