// Walks over JSON text that was admitted, without building anything of it.
//
//   JsonScanner in;
//   in.Start(data);
//   if (in.Peek() == '{' && in.SkipValue()) Use(in.Text(0, in.at()));
//
// Judges as little as it can: that texts and brackets end, not what is in them. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::event {

class JsonScanner {
 public:
  void Start(absl::string_view text) {
    in_ = text;
    at_ = 0;
  }

  size_t at() const { return at_; }
  bool done() const { return at_ == in_.size(); }
  // The next byte; NUL at the end.
  char Peek() const { return at_ < in_.size() ? in_[at_] : '\0'; }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  absl::string_view Text(size_t from, size_t to) const { return in_.substr(from, to - from); }

  void SkipSpace();
  // A whole value; its first byte is next. False where it does not end.
  bool SkipValue();
  // A string; `decoded` is a view of the text, or of memory that the next call uses. False
  // where it does not end or has an escape that is none.
  bool ReadText(absl::string_view* decoded);

 private:
  bool SkipText();
  bool SkipComposite();

  absl::string_view in_;
  size_t at_ = 0;
  std::string decoded_;
};

// Appends a member's name to an RFC 6901 pointer: a slash, then the name with `~` and `/` escaped.
void AppendPointerToken(absl::string_view name, std::string* pointer);

}  // namespace cdgate::event
