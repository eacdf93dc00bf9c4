// What JsonEditor has to come to, said another way: on a tree, member by member, with the
// paths compared as a whole.
//
//   EditList list;
//   list.push_back({EditList::kRemove, {"customData", "team"}});
//   CheckEdit(list, json);               // ends the program where the two differ
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "federation/policy/json_edit.h"
#include "gateway/event/json_parser.h"
#include "gateway/filter/data_path.h"
#include "tests/support/json_tree.h"

namespace cdgate::test {

struct OneEdit {
  enum What { kRemove, kReplace, kReplaceInLinks };
  What what;
  std::vector<std::string> names;
};

inline std::string PointerOf(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    absl::StrAppend(&out, "/", absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}}));
  }
  return out;
}

inline std::string KindOfEdit(const std::vector<std::string>& names) {
  return absl::StrCat("kind of ", PointerOf(names));
}

// Has characters that JSON has to escape.
inline std::string ReplacementOf(absl::string_view kind, absl::string_view text) {
  return absl::StrCat("<\"", kind, "\\\n", text, ">");
}

class EditOracle {
 public:
  explicit EditOracle(std::vector<OneEdit> edits) : edits_(std::move(edits)) {}

  void Apply(JsonTree* tree) {
    removed.clear();
    replaced.clear();
    Below(tree);
  }

  std::vector<std::string> removed, replaced;

 private:
  using Kind = JsonTree::Kind;

  bool Has(OneEdit::What what) const {
    return std::any_of(edits_.begin(), edits_.end(),
                       [&](const OneEdit& edit) { return edit.what == what && edit.names == at_; });
  }
  static bool IsComposite(const JsonTree& tree) {
    return tree.kind == Kind::kObject || tree.kind == Kind::kArray;
  }

  // True: the value goes.
  bool Replace(JsonTree* value, const std::vector<std::string>& edit, absl::string_view form) {
    if (IsComposite(*value)) {
      removed.push_back(PointerOf(at_));
      return true;
    }
    if (value->kind == Kind::kRaw && value->text == "null") return false;
    *value = JsonTree::Text(absl::StrCat(form, ReplacementOf(KindOfEdit(edit), value->text)));
    replaced.push_back(PointerOf(at_));
    return false;
  }

  bool Value(JsonTree* value) {
    if (Has(OneEdit::kRemove)) {
      removed.push_back(PointerOf(at_));
      return true;
    }
    if (Has(OneEdit::kReplace)) return Replace(value, at_, "");
    if (Has(OneEdit::kReplaceInLinks)) {
      links_ = at_;
      if (!IsComposite(*value)) return Replace(value, links_, "");
      if (value->kind == Kind::kObject) {
        Link(value);
        return false;
      }
      Items(value, [this](JsonTree* item) {
        if (item->kind != Kind::kObject) return Replace(item, links_, "");
        Link(item);
        return false;
      });
      return false;
    }
    Below(value);
    return false;
  }

  void Below(JsonTree* tree) {
    if (tree->kind == Kind::kObject) {
      Members(tree, [this](JsonTree* value) { return Value(value); });
    } else if (tree->kind == Kind::kArray) {
      Items(tree, [this](JsonTree* value) { return Value(value); });
    }
  }

  void Link(JsonTree* link) {
    Members(link, [this](JsonTree* value) {
      const std::string& name = at_.back();
      for (const char* plain : {"linkType", "linkKind", "link_type", "link_kind", "timestamp"}) {
        if (name == plain) return false;
      }
      if (name == "tags") {
        removed.push_back(PointerOf(at_));
        return true;
      }
      if (value->kind != Kind::kObject) return Replace(value, links_, FormOf(name));
      Members(value, [this](JsonTree* text) { return Replace(text, links_, FormOf(at_.back())); });
      return false;
    });
  }
  static absl::string_view FormOf(const std::string& name) {
    return name == "domainId" ? "cdevents:v0:::::event:" : "";
  }

  template <typename F>
  void Members(JsonTree* tree, F&& goes) {
    std::erase_if(tree->members, [&](auto& member) {
      at_.push_back(member.first);
      const bool gone = goes(&member.second);
      at_.pop_back();
      return gone;
    });
  }
  template <typename F>
  void Items(JsonTree* tree, F&& goes) {
    for (size_t i = 0; i < tree->items.size(); ++i) {
      at_.push_back(absl::StrCat(i));
      if (goes(&tree->items[i])) tree->items[i] = JsonTree::Raw("null");
      at_.pop_back();
    }
  }

  std::vector<OneEdit> edits_;
  std::vector<std::string> at_;
  std::vector<std::string> links_;
};

inline policy::JsonEdits MakeEdits(const std::vector<OneEdit>& list) {
  policy::JsonEdits edits;
  for (const OneEdit& edit : list) {
    const auto path = filter::DataPath::Parse(PointerOf(edit.names));
    if (!path.ok()) continue;
    const std::string kind = KindOfEdit(edit.names);
    if (edit.what == OneEdit::kRemove) edits.Remove(*path);
    if (edit.what == OneEdit::kReplace) edits.Replace(*path, kind, policy::JsonEdits::Form::kText);
    if (edit.what == OneEdit::kReplaceInLinks) edits.ReplaceInLinks(*path, kind);
  }
  return edits;
}

inline void AppendReplacement(absl::string_view kind, absl::string_view text, std::string* out) {
  out->append(ReplacementOf(kind, text));
}

inline std::vector<std::string> Sorted(absl::Span<const std::string> texts) {
  std::vector<std::string> out(texts.begin(), texts.end());
  std::sort(out.begin(), out.end());
  return out;
}

inline void Require(bool holds, absl::string_view what, absl::string_view json,
                    absl::string_view result) {
  if (holds) return;
  std::fprintf(stderr, "%s\nof %s\nis %s\n", std::string(what).c_str(), std::string(json).c_str(),
               std::string(result).c_str());
  std::abort();
}

// `json` may be anything; what is not as admission takes it must only not crash. Where no
// path of the list is above another, or both are of one kind.
inline void CheckEdit(const std::vector<OneEdit>& list, absl::string_view json,
                      policy::JsonEditor* editor) {
  const policy::JsonEdits edits = MakeEdits(list);
  const bool done = editor->Apply(edits, json, AppendReplacement);
  event::JsonParser parser;
  if (!parser.ParseIJson(json).ok()) return;
  Require(done, "not taken", json, "");
  const std::string result = editor->result();
  Require(parser.ParseIJson(result).ok(), "no I-JSON", json, result);
  JsonTree expected = ParseJsonTree(json);
  EditOracle oracle(list);
  oracle.Apply(&expected);
  Require(ParseJsonTree(result).ToText() == expected.ToText(), "another tree", json, result);
  Require(Sorted(editor->removed()) == Sorted(oracle.removed), "removed", json, result);
  Require(Sorted(editor->replaced()) == Sorted(oracle.replaced), "replaced", json, result);
  Require(editor->changed() || result == json, "changed bytes", json, result);
}

}  // namespace cdgate::test
