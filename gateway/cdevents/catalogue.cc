#include "gateway/cdevents/catalogue.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cdevents/v1/event.pb.h"
#include "cdevents/v1/links.pb.h"
#include "cdevents/v1/options.pb.h"
#include "gateway/cdevents/catalogue_builder.h"

namespace cdgate::cdevents {
namespace {

constexpr absl::string_view kCustomPrefix = "dev.cdeventsx.";

template <typename Predicate>
absl::string_view TakeWhile(absl::string_view* text, Predicate predicate) {
  const size_t n =
      std::find_if_not(text->begin(), text->end(),
                       [&](char c) { return predicate(static_cast<unsigned char>(c)); }) -
      text->begin();
  const absl::string_view taken = text->substr(0, n);
  text->remove_prefix(n);
  return taken;
}

bool TakeDigitAfterDot(absl::string_view* text) {
  if (text->size() < 2 || (*text)[0] != '.') return false;
  const bool digit = absl::ascii_isdigit(static_cast<unsigned char>((*text)[1]));
  text->remove_prefix(2);
  return digit;
}

// TOOL-SUBJECT at the front of `text`, which it moves past; empty where it is not there.
absl::string_view TakeCustomSubject(absl::string_view* text) {
  const absl::string_view whole = *text;
  if (TakeWhile(text, absl::ascii_isalnum).empty() || !absl::ConsumePrefix(text, "-") ||
      TakeWhile(text, absl::ascii_isalpha).empty()) {
    return {};
  }
  return whole.substr(0, whole.size() - text->size());
}

bool SameWord(const char* a, const char* b) {
  uint64_t left;
  uint64_t right;
  std::memcpy(&left, a, sizeof left);
  std::memcpy(&right, b, sizeof right);
  return left == right;
}

// Without a call: names are short, and most have 8 to 16 bytes.
bool SameName(absl::string_view a, absl::string_view b) {
  const size_t size = a.size();
  if (size != b.size()) return false;
  if (size < 8 || size > 16) return a == b;
  return SameWord(a.data(), b.data()) && SameWord(a.data() + size - 8, b.data() + size - 8);
}

size_t Index(Family family) { return static_cast<size_t>(family); }

}  // namespace

absl::string_view ReleaseOf(Family family) {
  constexpr std::array<absl::string_view, kFamilies> kReleases = {"",      "0.3.0", "0.4.0",
                                                                  "0.4.1", "0.5.1", "0.6.0-draft"};
  return kReleases[Index(family)];
}

const Member* Object::Find(absl::string_view name, size_t hint) const {
  const size_t size = members.size();
  for (size_t i = 0; i < size; ++i) {
    if (hint >= size) hint = 0;
    const Member& member = members[hint++];
    if (SameName(member.name, name)) return &member;
  }
  return nullptr;
}

const Form& Type::FormOf(absl::string_view version, absl::string_view specversion) const {
  const auto form = [this](Family family) { return forms[Index(family)]; };
  if (form(Family::k05) != nullptr && (form(Family::k041) == nullptr || !specversion.empty())) {
    const bool draft = absl::StartsWith(specversion, "0.6");
    return draft ? *form(Family::k06) : *form(Family::k05);
  }
  if (form(Family::k041) != nullptr) {
    const bool first = version == "0.4.0" && form(Family::k040) != nullptr;
    return first ? *form(Family::k040) : *form(Family::k041);
  }
  return form(Family::k06) != nullptr ? *form(Family::k06) : *form(Family::k03);
}

absl::string_view CustomSubjectOf(absl::string_view type) {
  if (!absl::ConsumePrefix(&type, kCustomPrefix)) return {};
  const absl::string_view subject = TakeCustomSubject(&type);
  if (subject.empty() || !absl::ConsumePrefix(&type, ".") ||
      TakeWhile(&type, absl::ascii_isalpha).empty()) {
    return {};
  }
  const bool version =
      TakeDigitAfterDot(&type) && TakeDigitAfterDot(&type) && TakeDigitAfterDot(&type);
  return version && type.empty() ? subject : absl::string_view();
}

bool IsCustomSubject(absl::string_view text) {
  return !TakeCustomSubject(&text).empty() && text.empty();
}

const Catalogue& Catalogue::Get() {
  static const Catalogue* const catalogue = CatalogueBuilder::Build();
  return *catalogue;
}

const Type* Catalogue::FindType(absl::string_view name) const {
  const auto it = by_name_.find(name);
  if (it != by_name_.end()) return it->second;
  return CustomSubjectOf(name).empty() ? nullptr : custom_;
}

const Form* Catalogue::FindForm(const google::protobuf::Descriptor* message, Family family) const {
  const auto it = by_message_.find(message);
  return it == by_message_.end() ? nullptr : it->second[Index(family)];
}

}  // namespace cdgate::cdevents
