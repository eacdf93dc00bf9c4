#include "tests/support/json_tree.h"

#include <simdjson.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/cdevents/json_text.h"

namespace cdgate::test {
namespace {

namespace od = simdjson::ondemand;

JsonTree Convert(od::value value);

JsonTree ConvertObject(od::object object) {
  JsonTree tree = JsonTree::Object();
  for (auto field : object) {
    std::string name(std::string_view(field.unescaped_key()));
    tree.members.emplace_back(std::move(name), Convert(field.value()));
  }
  return tree;
}

JsonTree ConvertArray(od::array array) {
  JsonTree tree = JsonTree::Array();
  for (auto item : array) tree.items.push_back(Convert(item.value()));
  return tree;
}

JsonTree Convert(od::value value) {
  switch (value.type()) {
    case od::json_type::object: return ConvertObject(value.get_object());
    case od::json_type::array: return ConvertArray(value.get_array());
    case od::json_type::string: {
      const std::string_view text = value.get_string();
      return JsonTree::Text({text.data(), text.size()});
    }
    default: break;
  }
  const std::string_view raw = value.raw_json_token();
  return JsonTree::Raw(absl::StripAsciiWhitespace(absl::string_view(raw.data(), raw.size())));
}

void Append(const JsonTree& tree, std::string* out) {
  bool first = true;
  const auto separate = [&] {
    if (!first) out->push_back(',');
    first = false;
  };
  switch (tree.kind) {
    case JsonTree::Kind::kRaw: out->append(tree.text); return;
    case JsonTree::Kind::kText: cdevents::AppendJsonText(tree.text, out); return;
    case JsonTree::Kind::kArray:
      out->push_back('[');
      for (const JsonTree& item : tree.items) {
        separate();
        Append(item, out);
      }
      out->push_back(']');
      return;
    case JsonTree::Kind::kObject: break;
  }
  out->push_back('{');
  for (const auto& [name, value] : tree.members) {
    separate();
    cdevents::AppendJsonText(name, out);
    out->push_back(':');
    Append(value, out);
  }
  out->push_back('}');
}

}  // namespace

JsonTree JsonTree::Object(std::vector<std::pair<std::string, JsonTree>> members) {
  JsonTree tree;
  tree.kind = Kind::kObject;
  tree.text.clear();
  tree.members = std::move(members);
  return tree;
}

JsonTree JsonTree::Array(std::vector<JsonTree> items) {
  JsonTree tree;
  tree.kind = Kind::kArray;
  tree.text.clear();
  tree.items = std::move(items);
  return tree;
}

JsonTree JsonTree::Text(absl::string_view text) {
  JsonTree tree;
  tree.kind = Kind::kText;
  tree.text = std::string(text);
  return tree;
}

JsonTree JsonTree::Raw(absl::string_view raw) {
  JsonTree tree;
  tree.text = std::string(raw);
  return tree;
}

const JsonTree* JsonTree::Find(absl::string_view name) const {
  const auto it = std::find_if(members.begin(), members.end(),
                               [&](const auto& member) { return member.first == name; });
  return it == members.end() ? nullptr : &it->second;
}

JsonTree* JsonTree::Find(absl::string_view name) {
  return const_cast<JsonTree*>(static_cast<const JsonTree*>(this)->Find(name));
}

void JsonTree::Set(absl::string_view name, JsonTree value) {
  if (JsonTree* const member = Find(name)) {
    *member = std::move(value);
  } else {
    members.emplace_back(std::string(name), std::move(value));
  }
}

void JsonTree::Remove(absl::string_view name) {
  members.erase(std::remove_if(members.begin(), members.end(),
                               [&](const auto& member) { return member.first == name; }),
                members.end());
}

std::string JsonTree::ToText() const {
  std::string out;
  Append(*this, &out);
  return out;
}

JsonTree ParseJsonTree(absl::string_view json) {
  od::parser parser;
  // Within an array: the parser has no values for texts that are one number or the like.
  const std::string array = absl::StrCat("[", json, "]");
  const simdjson::padded_string padded(array.data(), array.size());
  od::document document = parser.iterate(padded);
  return ConvertArray(document.get_array()).items.at(0);
}

}  // namespace cdgate::test
