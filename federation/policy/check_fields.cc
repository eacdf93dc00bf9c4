// The part of PolicyChecker that looks at what a rule removes and replaces.
#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "federation/policy/check.h"
#include "federation/policy/field_rules.h"
#include "gateway/base/encoding.h"
#include "gateway/filter/type_reach.h"

namespace cdgate::policy {
namespace {

using cdevents::Catalogue;
using cdevents::Type;

constexpr size_t kMostNames = 3;

template <typename Predicate>
Types Where(const Types& types, Predicate&& predicate) {
  Types out;
  std::copy_if(types.begin(), types.end(), std::back_inserter(out), predicate);
  return out;
}

bool SamePath(const filter::DataPath& a, const filter::DataPath& b) {
  return IsWithin(a, b) && IsWithin(b, a);
}

}  // namespace

Types TypesMet(const std::string& when) {
  const Types& all = Catalogue::Get().types();
  if (when.empty()) return all;
  const absl::StatusOr<filter::TypeReach> reach = filter::TypeReach::Of(when);
  if (!reach.ok()) return all;
  return Where(all, [&](const Type* type) { return reach->MayMatch(type->name); });
}

std::string NamesOf(const Types& types) {
  std::string out;
  for (size_t i = 0; i < types.size() && i < kMostNames; ++i) {
    const bool last = i + 1 == types.size();
    absl::StrAppend(&out,
                    i == 0 ? ""
                    : last ? " and "
                           : ", ",
                    types[i]->name.empty() ? "custom types" : types[i]->name);
  }
  if (types.size() > kMostNames) absl::StrAppend(&out, " and ", types.size() - kMostNames, " more");
  return out;
}

void PolicyChecker::CheckNoEffect(const admin::v1::ExportRule& rule, const Place& place) {
  const auto warn = [&](bool set, absl::string_view field) {
    if (set) Warn(place, field, "has no effect on a DENY rule");
  };
  warn(rule.redact_size() > 0, "redact");
  warn(rule.pseudonymise_size() > 0, "pseudonymise");
  warn(rule.links() != admin::v1::LINK_HANDLING_UNSPECIFIED &&
           admin::v1::LinkHandling_IsValid(rule.links()),
       "links");
  warn(rule.has_terms(), "terms");
}

void PolicyChecker::CheckFields(const admin::v1::ExportRule& rule, const Place& place) {
  const std::vector<Field> redact = ParseFields(rule.redact(), "redact", place);
  const std::vector<Field> pseudonymise = ParseFields(rule.pseudonymise(), "pseudonymise", place);
  if (redact.empty() && pseudonymise.empty()) return;
  // Custom events have what all events have.
  Types met = TypesMet(rule.when());
  met.push_back(&Catalogue::Get().custom());
  for (const Field& field : redact) CheckRedact(field, met, place);
  for (const Field& field : pseudonymise) CheckPseudonymise(field, met, place);
  CheckOverlaps(redact, pseudonymise, place);
}

// Those that may be touched at all.
std::vector<PolicyChecker::Field> PolicyChecker::ParseFields(const Origins& paths,
                                                             absl::string_view list,
                                                             const Place& place) {
  std::vector<Field> out;
  for (int i = 0; i < paths.size(); ++i) {
    const std::string field = absl::StrCat(list, "[", i, "]");
    absl::StatusOr<filter::DataPath> path = filter::DataPath::Parse(paths.Get(i));
    if (!path.ok()) {
      Error(place, field, std::string(path.status().message()));
    } else if (IsIdentity(*path)) {
      Error(place, field,
            absl::StrCat(base::Shorten(path->text()),
                         " is or holds what an event is known by, or "
                         "its type; it crosses as it is or not at all: write a DENY rule"));
    } else if (IsLinkOrChain(*path)) {
      Error(place, field,
            absl::StrCat("what becomes of ", base::Shorten(path->text()),
                         " is said by links: DROP removes links and chain, PSEUDONYMISE replaces "
                         "what they name"));
    } else {
      out.push_back({field, *std::move(path)});
    }
  }
  return out;
}

void PolicyChecker::CheckRedact(const Field& field, const Types& met, const Place& place) {
  const std::string shown = base::Shorten(field.path.text());
  if (field.path.steps().back().index >= 0) {
    return Error(place, field.place,
                 absl::StrCat(shown,
                              " is an element of an array, and removing it would move "
                              "the others; name the array, or a member"));
  }
  const Types needing =
      Where(met, [&](const Type* type) { return FactsOf(*type, field.path).needed; });
  if (!needing.empty()) {
    return Error(place, field.place,
                 absl::StrCat("without ", shown, " events of ", NamesOf(needing),
                              " are invalid; replace it (pseudonymise), remove what it is in, or "
                              "narrow the condition to other types"));
  }
  CheckPossible(field, met, place);
}

void PolicyChecker::CheckPseudonymise(const Field& field, const Types& met, const Place& place) {
  std::string fixed;
  const Types wrong = Where(met, [&](const Type* type) {
    const std::string found = FactsOf(*type, field.path).fixed;
    if (fixed.empty()) fixed = found;
    return !found.empty();
  });
  if (wrong.empty()) return CheckPossible(field, met, place);
  Error(place, field.place,
        absl::StrCat(base::Shorten(field.path.text()), " is ", fixed, " in events of ",
                     NamesOf(wrong),
                     ", and a pseudonym can only stand where any text can; name a text in it, "
                     "remove it (redact), or narrow the condition to other types"));
}

void PolicyChecker::CheckPossible(const Field& field, const Types& met, const Place& place) {
  Types official = Where(met, [](const Type* type) { return !type->name.empty(); });
  if (official.empty()) return;
  const bool possible = std::any_of(official.begin(), official.end(), [&](const Type* type) {
    return FactsOf(*type, field.path).possible;
  });
  if (possible) return;
  Warn(place, field.place,
       absl::StrCat("no event of an official type that the rule can match has ",
                    base::Shorten(field.path.text())));
}

void PolicyChecker::CheckOverlaps(const std::vector<Field>& redact,
                                  const std::vector<Field>& pseudonymise, const Place& place) {
  std::vector<const Field*> fields;
  for (const Field& field : redact) fields.push_back(&field);
  for (const Field& field : pseudonymise) fields.push_back(&field);
  for (size_t i = 0; i < fields.size(); ++i) {
    for (size_t j = 0; j < fields.size(); ++j) {
      if (i == j || !IsWithin(fields[i]->path, fields[j]->path)) continue;
      const bool same = SamePath(fields[i]->path, fields[j]->path);
      if (same && i < j) continue;
      if (same && (i < redact.size()) != (j < redact.size())) {
        Error(place, fields[i]->place,
              absl::StrCat(base::Shorten(fields[i]->path.text()), " is in ", fields[j]->place,
                           " too; it can be removed or replaced, not both"));
      } else {
        Warn(place, fields[i]->place,
             absl::StrCat("has no effect: ", fields[j]->place, " is ",
                          same ? "the same" : "above it"));
      }
      break;
    }
  }
}

}  // namespace cdgate::policy
