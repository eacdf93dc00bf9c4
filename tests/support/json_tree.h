// JSON as a tree that a test takes apart and changes, with the order of members and the
// digits of numbers as they stand in the text.
//
//   JsonTree event = ParseJsonTree(R"({"id": "a", "n": 1.0})");
//   event.Set("id", JsonTree::Text("b"));
//   event.Remove("n");
//   event.ToText();                                          // {"id":"b"}
//
// A value. Not meant to be fast.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::test {

struct JsonTree {
  enum class Kind { kObject, kArray, kText, kRaw };  // kRaw: a number, true, false or null

  static JsonTree Object(std::vector<std::pair<std::string, JsonTree>> members = {});
  static JsonTree Array(std::vector<JsonTree> items = {});
  static JsonTree Text(absl::string_view text);  // UTF-8
  static JsonTree Raw(absl::string_view raw);    // as it stands in JSON

  // The member, or null; null where this is no object, too.
  const JsonTree* Find(absl::string_view name) const;
  JsonTree* Find(absl::string_view name);
  // Replaces the member, or adds it behind the others.
  void Set(absl::string_view name, JsonTree value);
  void Remove(absl::string_view name);

  // Without white space, escaped is only what has to be.
  std::string ToText() const;

  Kind kind = Kind::kRaw;
  std::string text = "null";  // of kText decoded, of kRaw verbatim
  std::vector<std::pair<std::string, JsonTree>> members;
  std::vector<JsonTree> items;
};

// `json` has to be JSON; anything else ends the test program.
JsonTree ParseJsonTree(absl::string_view json);

}  // namespace cdgate::test
