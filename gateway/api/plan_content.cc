#include "gateway/api/plan_content.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/json_parser.h"

namespace cdgate::api {
namespace {

constexpr size_t kMaxAddresses = 20;
constexpr int kMaxDepth = 64;

// Attributes that transformations replace or remove, with what they name.
constexpr const char* kAttributes[] = {"causationid", "correlationid", "subject"};

using Pointers = std::vector<std::string>;

bool IsWithin(absl::string_view pointer, const Pointers& above) {
  return std::any_of(above.begin(), above.end(), [&](const std::string& p) {
    return absl::StartsWith(pointer, p) && (pointer.size() == p.size() || pointer[p.size()] == '/');
  });
}

// Something that `before` withholds or replaces, and `after` does not.
bool LacksPointer(const policy::Outgoing& before, const policy::Outgoing& after) {
  const auto shown = [&](const std::string& p) { return !IsWithin(p, after.withheld); };
  const auto original = [&](const std::string& p) {
    return shown(p) && !IsWithin(p, after.substituted);
  };
  return std::any_of(before.withheld.begin(), before.withheld.end(), shown) ||
         std::any_of(before.substituted.begin(), before.substituted.end(), original);
}

// 0: as it was, 1: another value, 2: gone.
int ReductionOf(const event::CloudEventView& original, const event::CloudEventView& leaving,
                absl::string_view name) {
  const auto was = original.Find(name);
  if (!was) return 0;
  const auto is = leaving.Find(name);
  if (!is) return 2;
  return is->text == was->text ? 0 : 1;
}

bool ShowsMore(const event::Record& record, const policy::Outgoing* before,
               const policy::Outgoing* after) {
  static const auto* const untouched = new policy::Outgoing();
  if (before == nullptr) return false;
  if (LacksPointer(*before, after == nullptr ? *untouched : *after)) return true;
  const auto then = event::CloudEventView::Scan(before->cloud_event);
  const auto now = after == nullptr ? absl::StatusOr<event::CloudEventView>(record.cloud_event())
                                    : event::CloudEventView::Scan(after->cloud_event);
  if (!then.ok() || !now.ok()) return true;
  return std::any_of(std::begin(kAttributes), std::end(kAttributes), [&](const char* name) {
    return ReductionOf(record.cloud_event(), *now, name) <
           ReductionOf(record.cloud_event(), *then, name);
  });
}

bool IsLooser(const policy::TermsView& before, const policy::TermsView& after,
              const policy::Classifications& known) {
  if (after.onward > before.onward) return true;
  if (before.classification != after.classification) {
    const auto stricter = known.Stricter(before.classification, after.classification);
    if (!stricter || *stricter != after.classification) return true;
  }
  if (before.groups.empty()) return false;
  return after.groups.empty() ||
         std::any_of(after.groups.begin(), after.groups.end(), [&](absl::string_view group) {
           return std::find(before.groups.begin(), before.groups.end(), group) ==
                  before.groups.end();
         });
}

// --- addresses

bool IsHostCharacter(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '.'; }

bool IsPrivateNetwork(absl::string_view host) {
  const std::vector<absl::string_view> parts = absl::StrSplit(host, '.');
  if (parts.size() != 4) return false;
  std::array<int, 4> octets{};
  for (size_t i = 0; i < 4; ++i) {
    if (!absl::SimpleAtoi(parts[i], &octets[i]) || octets[i] < 0 || octets[i] > 255) return false;
  }
  return octets[0] == 10 || octets[0] == 127 || (octets[0] == 192 && octets[1] == 168) ||
         (octets[0] == 172 && octets[1] >= 16 && octets[1] < 32);
}

bool IsInternalHost(absl::string_view host) {
  while (absl::ConsumeSuffix(&host, ".")) {
  }
  for (const absl::string_view suffix :
       {".internal", ".local", ".lan", ".corp", ".intranet", ".home.arpa"}) {
    if (absl::EndsWithIgnoreCase(host, suffix)) return true;
  }
  return IsPrivateNetwork(host);
}

// "ann@alpha.example", wherever it is in the text.
bool HasMailAddress(absl::string_view text) {
  for (size_t at = text.find('@'); at != absl::string_view::npos; at = text.find('@', at + 1)) {
    if (at == 0 || !(absl::ascii_isalnum(text[at - 1]))) continue;
    size_t end = at + 1;
    while (end < text.size() && IsHostCharacter(text[end])) ++end;
    const absl::string_view host = text.substr(at + 1, end - at - 1);
    const size_t dot = host.rfind('.');
    if (dot != absl::string_view::npos && dot > 0 && host.size() - dot > 2 &&
        absl::ascii_isalpha(host.back())) {
      return true;
    }
  }
  return false;
}

bool HasAddress(absl::string_view text) {
  if (HasMailAddress(text)) return true;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && IsHostCharacter(text[end])) ++end;
    if (end > at && IsInternalHost(text.substr(at, end - at))) return true;
    at = end + 1;
  }
  return false;
}

class AddressFinder {
 public:
  void Look(const simdjson::dom::element& value, const std::string& pointer, int depth) {
    if (found_.size() >= kMaxAddresses || depth > kMaxDepth) return;
    if (value.is_string()) {
      const std::string_view text = value.get_string().value_unsafe();
      if (HasAddress(absl::string_view(text.data(), text.size()))) found_.push_back(pointer);
    } else if (value.is_object()) {
      const simdjson::dom::object object = value.get_object().value_unsafe();
      for (const auto& member : object) {
        const std::string name = absl::StrReplaceAll(
            absl::string_view(member.key.data(), member.key.size()), {{"~", "~0"}, {"/", "~1"}});
        Look(member.value, absl::StrCat(pointer, "/", name), depth + 1);
      }
    } else if (value.is_array()) {
      size_t index = 0;
      const simdjson::dom::array array = value.get_array().value_unsafe();
      for (const auto& element : array) {
        Look(element, absl::StrCat(pointer, "/", index++), depth + 1);
      }
    }
  }
  Pointers found() && { return std::move(found_); }

 private:
  Pointers found_;
};

}  // namespace

bool HasMore(const event::Record& record, const policy::Decision& before,
             const policy::Decision& after, const policy::Classifications& known) {
  return IsLooser(before.terms, after.terms, known) ||
         ShowsMore(record, before.outgoing, after.outgoing);
}

std::vector<std::string> AddressesWithin(absl::string_view data) {
  event::JsonParser parser;
  AddressFinder finder;
  const auto root = parser.ParseAdmitted(data);
  if (!root.ok()) return {};
  finder.Look(*root, "", 0);
  return std::move(finder).found();
}

}  // namespace cdgate::api
