// Removes and replaces values in the JSON of an event, and leaves everything else as it was
// written, byte for byte but for white space between the members of an object that changed.
//
//   JsonEdits edits;                                    // once for a rule
//   edits.Remove(path);
//   edits.Replace(user, "subject.content.user", JsonEdits::Form::kText);
//   JsonEditor editor;                                  // one per thread
//   if (!editor.Apply(edits, data, replacement_of)) ... // not JSON as it was admitted
//   Send(editor.result(), editor.removed(), editor.replaced());
//
// The JSON was admitted: well-formed, no duplicate member, at most 64 levels. Anything else
// makes Apply fail, and nothing may be sent then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
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

class JsonEditor {
 public:
  // What goes in place of a value; `text` is the decoded one.
  using Replacement = std::function<std::string(absl::string_view kind, absl::string_view text)>;

  // False where `data` is not such JSON.
  bool Apply(const JsonEdits& edits, absl::string_view data, const Replacement& replacement);

  // Good until the next Apply.
  const std::string& result() const { return out_; }
  // RFC 6901 pointers; the removed ones into `data`, the others into both.
  const std::vector<std::string>& removed() const { return removed_; }
  const std::vector<std::string>& replaced() const { return replaced_; }
  bool changed() const { return !removed_.empty() || !replaced_.empty(); }

 private:
  using Node = JsonEdits::Node;
  enum class Mode { kTree, kLinks, kLinkNode };
  // What is done to the value that is read next.
  struct Task {
    const Node* node = nullptr;  // null: nothing below it
    Mode mode = Mode::kTree;
  };

  bool Value(const Task& task);
  bool Object(const Task& task);
  bool Array(const Task& task);
  // One member, from its name on. `kept`: it is still there.
  bool Member(const Task& task, size_t from, bool first, bool* kept);
  bool Child(const Task& task, absl::string_view name, Task* child, const Node** edit) const;
  bool Edit(const Node& edit, size_t from, bool first, bool* kept);
  std::string Replaced(const Node& edit, absl::string_view text) const;

  bool SkipValue();
  bool SkipText();
  bool SkipComposite();
  bool ReadText(absl::string_view* decoded);
  void SkipSpace();
  bool Take(char c);
  char Peek() const { return at_ < in_.size() ? in_[at_] : '\0'; }
  void Copy(size_t from, size_t to) { out_.append(in_.data() + from, to - from); }
  std::string Pointer() const;

  absl::string_view in_;
  size_t at_ = 0;
  int depth_ = 0;
  const Replacement* replacement_ = nullptr;
  std::string out_;
  std::string text_;               // a decoded one
  std::vector<std::string> path_;  // decoded names down to where we are
  std::vector<std::string> removed_;
  std::vector<std::string> replaced_;
};

}  // namespace cdgate::policy
