// Cuts a stream of bytes into JSON texts: one object, several after each other (NDJSON
// or with any white space between), or the elements of one array.
//
//   JsonSplitter splitter;
//   for (each chunk) splitter.Feed(chunk, [](std::string text, size_t line) { … });
//   splitter.Finish(…);                 // what is left at the end
//
// It looks at brackets and quotes only; whether a text is JSON its reader says. What
// cannot be cut comes out as it is, so that its reader names the fault: text outside any
// object up to the end of its line, and an object with a line feed inside a string, cut
// there. So one bad line of NDJSON costs that line.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace cdgate::cli {

class JsonSplitter {
 public:
  // `line` is where the text begins, from 1.
  using Sink = absl::FunctionRef<void(std::string text, size_t line)>;

  // Texts longer than this come out cut, and the rest of their line as another.
  static constexpr size_t kMaxTextBytes = 64 << 20;

  void Feed(absl::string_view bytes, Sink sink);
  void Finish(Sink sink);

 private:
  enum class State {
    kBetween,  // outside any text
    kValue,    // in an object
    kString,   // in a string of one
    kEscape,   // after a backslash in one
    kGarbage,  // in text outside any object
  };

  void Step(char c, Sink sink);
  void StepBetween(char c);
  void StepValue(char c, Sink sink);
  void Begin(State state, char c);
  void Emit(Sink sink);

  State state_ = State::kBetween;
  bool in_array_ = false;  // between the brackets of a top-level array
  size_t depth_ = 0;
  size_t line_ = 1;
  size_t begun_at_line_ = 1;
  std::string text_;
};

}  // namespace cdgate::cli
