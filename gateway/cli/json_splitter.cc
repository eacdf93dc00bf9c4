#include "gateway/cli/json_splitter.h"

#include <utility>

namespace cdgate::cli {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

void JsonSplitter::Feed(absl::string_view bytes, Sink sink) {
  for (const char c : bytes) {
    Step(c, sink);
    if (c == '\n') ++line_;
  }
}

void JsonSplitter::Finish(Sink sink) {
  if (state_ != State::kBetween) Emit(sink);
  in_array_ = false;
}

void JsonSplitter::Step(char c, Sink sink) {
  if (text_.size() >= kMaxTextBytes) {
    Emit(sink);
    if (c != '\n') Begin(State::kGarbage, c);
    return;
  }
  switch (state_) {
    case State::kBetween: return StepBetween(c);
    case State::kValue: return StepValue(c, sink);
    case State::kString:
      if (c == '\n') return Emit(sink);
      text_.push_back(c);
      if (c == '"') state_ = State::kValue;
      if (c == '\\') state_ = State::kEscape;
      return;
    case State::kEscape:
      if (c == '\n') return Emit(sink);
      text_.push_back(c);
      state_ = State::kString;
      return;
    case State::kGarbage:
      if (c == '\n') return Emit(sink);
      text_.push_back(c);
      return;
  }
}

void JsonSplitter::StepBetween(char c) {
  if (IsSpace(c)) return;
  if (c == '{') {
    Begin(State::kValue, c);
    depth_ = 1;
  } else if (c == '[' && !in_array_) {
    in_array_ = true;
  } else if (c == ']' && in_array_) {
    in_array_ = false;
  } else if (c != ',' || !in_array_) {
    Begin(State::kGarbage, c);
  }
}

void JsonSplitter::StepValue(char c, Sink sink) {
  text_.push_back(c);
  if (c == '"') {
    state_ = State::kString;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    if (--depth_ == 0) Emit(sink);
  }
}

void JsonSplitter::Begin(State state, char c) {
  state_ = state;
  begun_at_line_ = line_;
  text_.assign(1, c);
}

void JsonSplitter::Emit(Sink sink) {
  state_ = State::kBetween;
  sink(std::exchange(text_, {}), begun_at_line_);
}

}  // namespace cdgate::cli
