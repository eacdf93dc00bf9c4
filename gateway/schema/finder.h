// Places in JSON documents.
//
//   Finder finder;
//   const rapidjson::Value* place = finder.At(document, Unquoted("/$defs/a%20b"));
#pragma once

// Before any other header of RapidJSON.
#include <valijson/adapters/rapidjson_adapter.hpp>
// The library's own order ends here.
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gateway/schema/keywords.h"

namespace cdgate::schema {

// Finds values by JSON Pointer, also among the many members of large objects. The values
// outlive it.
class Finder {
 public:
  // Null where there is none.
  const rapidjson::Value* At(const rapidjson::Value& root, absl::string_view pointer) {
    if (pointer.empty()) return &root;
    if (pointer[0] != '/') return nullptr;
    const rapidjson::Value* at = &root;
    for (const absl::string_view part : absl::StrSplit(pointer.substr(1), '/')) {
      at = Step(*at, absl::StrReplaceAll(part, {{"~1", "/"}, {"~0", "~"}}));
      if (at == nullptr) return nullptr;
    }
    return at;
  }

 private:
  using Members = absl::flat_hash_map<absl::string_view, const rapidjson::Value*>;

  const rapidjson::Value* Step(const rapidjson::Value& at, const std::string& name) {
    if (at.IsArray()) {
      size_t index = 0;
      if (!absl::SimpleAtoi(name, &index) || index >= at.Size()) return nullptr;
      return &at[static_cast<unsigned>(index)];
    }
    if (!at.IsObject()) return nullptr;
    Members& members = members_[&at];
    if (members.empty()) {
      for (const auto& member : at.GetObject()) members.emplace(TextOf(member.name), &member.value);
    }
    const auto found = members.find(name);
    return found == members.end() ? nullptr : found->second;
  }

  absl::flat_hash_map<const rapidjson::Value*, Members> members_;
};

// A URI's fragment with its %XX as bytes.
inline std::string Unquoted(absl::string_view fragment) {
  std::string out;
  for (size_t i = 0; i < fragment.size(); ++i) {
    if (fragment[i] == '%' && i + 2 < fragment.size() && absl::ascii_isxdigit(fragment[i + 1]) &&
        absl::ascii_isxdigit(fragment[i + 2])) {
      out += absl::HexStringToBytes(fragment.substr(i + 1, 2));
      i += 2;
    } else {
      out += fragment[i];
    }
  }
  return out;
}

}  // namespace cdgate::schema
