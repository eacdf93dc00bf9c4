#include "tests/support/random_event.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "tests/support/random.h"
#include "tests/support/random_json.h"

namespace cdgate::test {
namespace {

using cdevents::Family;
using cdevents::Form;
using cdevents::Format;
using cdevents::Kind;
using cdevents::Member;
using cdevents::Object;

constexpr int kDepth = 3;      // of most open objects
constexpr int kMaxDepth = 40;  // of some

std::string Path(Random& random) {
  std::string path;
  for (size_t i = random.Below(4); i > 0; --i) {
    absl::StrAppend(&path, "/",
                    random.Pick({"a", "job", "%C3%A9", "x@y", "b:c", "..", "", "~(1)!", "%2F",
                                 "a;b=c", "-._"}));
  }
  if (random.OneIn(3)) absl::StrAppend(&path, random.Pick({"?a=b&c", "?", "?q=/?"}));
  if (random.OneIn(4)) absl::StrAppend(&path, random.Pick({"#", "#f/1?", "#%20"}));
  return path;
}

std::string Uri(Random& random) {
  if (random.OneIn(4)) {
    return random.Pick({"mailto:a@b.example", "urn:uuid:0f1e", "tag:a,2026:x",
                        "pkg:oci/app@sha256%3A0f1e?repository_url=r.example/a"});
  }
  return absl::StrCat(random.Pick({"https://", "http://", "HTTP://", "git+ssh://", "a.b-c+1://"}),
                      random.Pick({"example.com", "Example.COM:8080", "u:p@h", "127.0.0.1",
                                   "[2001:db8::1]", "[::1]:443", "xn--bcher-kva.example"}),
                      Path(random));
}

// Not empty.
std::string UriReference(Random& random) {
  if (random.OneIn(2)) return Uri(random);
  return absl::StrCat(random.Pick({"/event/source", "testkube-dev-123", "//h.example", "a/b",
                                   "../x", "?q", "#f", "my-git.example/a"}),
                      random.OneIn(3) ? "/%C3%A9" : "");
}

std::string DateTime(Random& random) {
  const bool leap = random.OneIn(20);
  std::string time = absl::StrFormat(
      "%04d-%02d-%02d%s%02d:%02d:%02d",
      random.OneIn(20) ? random.From(1, 9998) : random.From(1970, 2099),
      leap ? 12 : random.From(1, 12), leap ? 31 : random.From(1, 28), random.Pick({"T", "t", " "}),
      leap ? 23 : random.Below(24), leap ? 59 : random.Below(60), leap ? 60 : random.Below(60));
  if (random.OneIn(2)) {
    time += '.';
    for (size_t i = random.From(1, 12); i > 0; --i)
      time += static_cast<char>('0' + random.Below(10));
  }
  if (leap || random.OneIn(2)) return time + random.Pick({"Z", "z", "+00:00", "-0000"});
  return time + random.Pick({"+01:00", "-11:30", "+0530", "-00:00", "+23:59", "+14:00"});
}

std::string DomainId(Random& random) {
  return absl::StrCat("cdevents:v0:", random.Pick({"github", "jira", "", "my_tool"}), ":",
                      random.Pick({"", "gh-1"}), ":", random.Pick({"octo", "", "%41"}), ":",
                      random.Pick({"repo", "a/b/c", "", "a//b"}), ":", random.Pick({"pr", "issue"}),
                      ":", random.Pick({"4", "PROJ-1:2", "%C3%A9"}));
}

std::string Letters(Random& random) {
  return random.Pick({"a", "Tool", "resource", "XY", "created"});
}

std::string CustomSubject(Random& random) {
  return absl::StrCat(Letters(random), random.OneIn(2) ? "9" : "", "-", Letters(random));
}

std::string CustomType(Random& random) {
  return absl::StrCat("dev.cdeventsx.", CustomSubject(random), ".", Letters(random), ".",
                      random.Below(10), ".", random.Below(10), ".", random.Below(10));
}

// Makes the members of one event.
class Maker {
 public:
  Maker(const Form& form, Random& random)
      : form_(form), random_(random), sparseness_(random.From(1, 4)) {}

  JsonTree Make(const Object& model, const std::string& path);

 private:
  JsonTree Value(const Member& member, const std::string& path);
  std::string Text(const Member& member, const std::string& path);
  std::string FreeText(const Member& member, const std::string& path);
  std::string Declared();
  JsonTree Links(const Member& member);
  // Of an object that needs one of its members: which.
  size_t Chosen(const Object& model) {
    return model.one_member ? random_.Below(model.members.size()) : model.members.size();
  }
  int Depth() { return random_.OneIn(200) ? kMaxDepth : kDepth; }

  const Form& form_;
  Random& random_;
  const size_t sparseness_;  // one in so many optional members is there
};

JsonTree Maker::Make(const Object& model, const std::string& path) {
  JsonTree object =
      model.open && random_.OneIn(2) ? RandomJsonObject(random_, Depth()) : JsonTree::Object();
  const size_t chosen = Chosen(model);
  for (size_t i = 0; i < model.members.size(); ++i) {
    const Member& member = model.members[i];
    if (!member.required && i != chosen && !random_.OneIn(sparseness_)) continue;
    object.Set(member.name, Value(member, absl::StrCat(path, "/", member.name)));
  }
  return object;
}

JsonTree Maker::Value(const Member& member, const std::string& path) {
  switch (member.kind) {
    case Kind::kText: return JsonTree::Text(Text(member, path));
    case Kind::kObject: return Make(*member.object, path);
    case Kind::kAnyObject: return RandomJsonObject(random_, Depth());
    case Kind::kLinks: return Links(member);
    case Kind::kObjectOrText:
      return random_.OneIn(4) ? JsonTree::Text(RandomText(random_, true))
                              : RandomJsonObject(random_, Depth());
    case Kind::kTexts: break;
  }
  JsonTree texts = JsonTree::Array();
  for (size_t i = random_.Below(4); i > 0; --i) {
    texts.items.push_back(JsonTree::Text(RandomText(random_, true)));
  }
  return texts;
}

JsonTree Maker::Links(const Member& member) {
  JsonTree links = JsonTree::Array();
  for (size_t i = random_.Below(5); i > 0; --i) {
    const Object& link = *member.alternatives[random_.Below(member.alternatives.size())];
    links.items.push_back(Make(link, "/link"));
  }
  return links;
}

std::string Maker::Text(const Member& member, const std::string& path) {
  if (path == "/context/version" || path == "/context/specversion") return Declared();
  if (!member.values.empty()) {
    return std::string(member.values[random_.Below(member.values.size())]);
  }
  switch (member.format) {
    case Format::kUri: return Uri(random_);
    case Format::kUriReference: return UriReference(random_);
    case Format::kDateTime: return DateTime(random_);
    case Format::kDomainId: return DomainId(random_);
    case Format::kCustomType: return CustomType(random_);
    case Format::kCustomSubject: return CustomSubject(random_);
    case Format::kNone: break;
  }
  return FreeText(member, path);
}

// What becomes an attribute of a CloudEvent has no control characters.
std::string Maker::FreeText(const Member& member, const std::string& path) {
  const bool attribute =
      path == "/context/id" || path == "/context/source" || path == "/subject/id";
  if (!member.known_values.empty() && random_.OneIn(2)) {
    return std::string(member.known_values[random_.Below(member.known_values.size())]);
  }
  std::string text = RandomText(random_, !attribute);
  return text.empty() && member.not_empty ? "x" : text;
}

// Free text, as far as it leaves the event in its family.
std::string Maker::Declared() {
  switch (form_.family) {
    case Family::k03: return random_.Pick({"0.3.0", "0.2.0", "0.4.0-draft"});
    case Family::k040: return "0.4.0";
    case Family::k041: return random_.Pick({"0.4.1", "0.4.1", "0.4.0-draft", "0.3.0", "banana"});
    case Family::k05: return random_.Pick({"0.5.1", "0.5.1", "0.5.0", "1.0", "\u00e9"});
    default: return random_.Pick({"0.6.0-draft", "0.6.0"});
  }
}

// Mostly small: a log of all sizes would be a gigabyte for 100,000 events.
size_t WantedBytes(Random& random) {
  const size_t kind = random.Below(100);
  if (kind == 0) return random.From(8 << 10, kMaxRandomEventBytes - (2 << 10));
  return kind < 10 ? random.From(2 << 10, 8 << 10) : random.From(kMinRandomEventBytes, 2 << 10);
}

// Fills customData until the event has about as many bytes.
void Grow(JsonTree* event, size_t missing, Random& random) {
  JsonTree* data = event->Find("customData");
  if (data == nullptr || data->kind != JsonTree::Kind::kObject) {
    event->Set("customData", JsonTree::Object());
    data = event->Find("customData");
  }
  size_t number = 0;
  while (missing > 0) {
    JsonTree more = random.OneIn(4) ? JsonTree::Text(std::string(random.Below(1000), 'x'))
                                    : RandomJson(random, kDepth);
    const size_t bytes = more.ToText().size() + 12;
    if (bytes > missing + 1000) continue;  // by chance one is very large
    missing -= std::min(missing, bytes);
    data->Set(absl::StrCat("padding ", number++), std::move(more));
  }
}

// Large ones only where white space and escapes do not make them too large.
std::string Print(const JsonTree& tree, Random& random) {
  std::string json = PrintJson(tree, random);
  return json.size() <= kMaxRandomEventBytes ? json : tree.ToText();
}

}  // namespace

RandomEvents::RandomEvents(uint64_t seed) : seed_(seed) {
  const auto& catalogue = cdevents::Catalogue::Get();
  const auto add = [this](const cdevents::Type& type) {
    for (const Form* const form : type.forms) {
      if (form != nullptr) forms_.push_back(form);
    }
  };
  for (const cdevents::Type* const type : catalogue.types()) add(*type);
  for (int i = 0; i < 5; ++i) add(catalogue.custom());
}

RandomEvent RandomEvents::Make(uint64_t index) const {
  Random random(Random(seed_).Next() ^ Random(index).Next());
  RandomEvent event;
  event.form = forms_[(index + seed_) % forms_.size()];
  event.tree = Maker(*event.form, random).Make(*event.form->root, "");
  event.tree.Find("context")->Set(
      "id",
      JsonTree::Text(absl::StrCat("random-", seed_, "-", index, "-", RandomText(random, false))));
  const size_t wanted = WantedBytes(random);
  const size_t bytes = event.tree.ToText().size();
  if (bytes < wanted) Grow(&event.tree, wanted - bytes, random);
  event.json = Print(event.tree, random);
  const JsonTree& context = *event.tree.Find("context");
  event.id = context.Find("id")->text;
  event.source = context.Find("source")->text;
  event.type = context.Find("type")->text;
  return event;
}

std::optional<uint64_t> RandomEvents::IndexOf(absl::string_view id) const {
  uint64_t index = 0;
  if (!absl::ConsumePrefix(&id, absl::StrCat("random-", seed_, "-")) ||
      !absl::SimpleAtoi(id.substr(0, id.find('-')), &index)) {
    return std::nullopt;
  }
  return index;
}

}  // namespace cdgate::test
