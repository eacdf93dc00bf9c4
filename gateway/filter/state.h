// What one EventContext keeps for the programs that read it: the stack, the texts they
// build and the parsed JSON. Internal to the library.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/event/json_parser.h"
#include "gateway/filter/value.h"

namespace cdgate::filter {

// One place of the stack. A failed one holds the zero value of its type.
struct Slot {
  Value value;
  bool failed = false;
};

// Memory for the texts of one evaluation, given back all at once and kept.
class Scratch {
 public:
  // All texts of one evaluation together, bytes.
  static constexpr size_t kLimit = 256 * 1024;

  // Null beyond the limit.
  char* Allocate(size_t size) {
    if (size > kLimit - total_) return nullptr;
    total_ += size;
    while (current_ < chunks_.size() && chunks_[current_].size - used_ < size) {
      ++current_;
      used_ = 0;
    }
    if (current_ == chunks_.size()) AddChunk(size);
    char* out = chunks_[current_].data.get() + used_;
    used_ += size;
    return out;
  }
  void Clear() { current_ = used_ = total_ = 0; }

 private:
  struct Chunk {
    std::unique_ptr<char[]> data;
    size_t size;
  };
  void AddChunk(size_t size) {
    constexpr size_t kLeast = 4096;
    const size_t room = std::max(size, kLeast);
    chunks_.push_back({std::unique_ptr<char[]>(new char[room]), room});
    used_ = 0;
  }

  std::vector<Chunk> chunks_;
  size_t current_ = 0;
  size_t used_ = 0;   // of the current chunk
  size_t total_ = 0;  // of the evaluation
};

enum class JsonState { kNotParsed, kParsed, kBroken };

struct EvaluationState {
  std::vector<Slot> stack;
  Scratch scratch;
  // Numbers of the data that are read as text live as long as the event.
  Scratch data_texts;
  event::JsonParser parser;  // takes numbers of any size, as admission does
  simdjson::dom::element root;
  storage::v1::Terms terms;  // of a record that has them
  JsonState json = JsonState::kNotParsed;
};

}  // namespace cdgate::filter
