// What an export rule takes away from an event, compared with what another one does.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/policy/widening_rules.h"
#include "gateway/filter/data_path.h"

namespace cdgate::policy {
namespace {

using Paths = google::protobuf::RepeatedPtrField<std::string>;
using Steps = std::vector<filter::DataPath::Step>;

Steps StepsOf(const std::string& path) {
  const auto parsed = filter::DataPath::Parse(path);
  return parsed.ok() ? parsed->steps() : Steps();
}

// Whether `above` is `below`, or leads to it.
bool LeadsTo(const Steps& above, const Steps& below) {
  return !above.empty() && above.size() <= below.size() &&
         std::equal(above.begin(), above.end(), below.begin(),
                    [](const auto& a, const auto& b) { return a.name == b.name; });
}

bool AnyLeadsTo(const Paths& paths, const Steps& below, bool strictly = false) {
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    const Steps above = StepsOf(path);
    return LeadsTo(above, below) && !(strictly && above.size() == below.size());
  });
}

// Below a value that is replaced nothing is left: a text or number has no members, and
// anything else is removed in its place.
bool Removes(const admin::v1::ExportRule& rule, const Steps& path) {
  return AnyLeadsTo(rule.redact(), path) || AnyLeadsTo(rule.pseudonymise(), path, true);
}
bool RemovesOrReplaces(const admin::v1::ExportRule& rule, const Steps& path) {
  return AnyLeadsTo(rule.redact(), path) || AnyLeadsTo(rule.pseudonymise(), path);
}

admin::v1::LinkHandling LinksOf(const admin::v1::ExportRule& rule) {
  return rule.links() == admin::v1::LINK_HANDLING_UNSPECIFIED
             ? admin::v1::LINK_HANDLING_PSEUDONYMISE
             : rule.links();
}

// How much is taken away: nothing, the names, all.
int RankOf(admin::v1::LinkHandling links) {
  if (links == admin::v1::LINK_HANDLING_KEEP) return 0;
  return links == admin::v1::LINK_HANDLING_DROP ? 2 : 1;
}

const char* NameOf(admin::v1::LinkHandling links) {
  constexpr const char* kNames[] = {"KEEP", "PSEUDONYMISE", "DROP"};
  return kNames[RankOf(links)];
}

// Single members of links are seen to only where links as a whole are kept.
bool ReachesIntoLinks(const admin::v1::ExportRule& rule) {
  static const auto* const links = new Steps(StepsOf("context.links"));
  const auto below = [&](const std::string& path) {
    const Steps steps = StepsOf(path);
    return steps.size() > links->size() && LeadsTo(*links, steps);
  };
  return std::any_of(rule.redact().begin(), rule.redact().end(), below) ||
         std::any_of(rule.pseudonymise().begin(), rule.pseudonymise().end(), below);
}

void CompareLinks(const admin::v1::ExportRule& before, const admin::v1::ExportRule& after,
                  std::vector<std::string>* out) {
  const auto from = LinksOf(before);
  const auto to = LinksOf(after);
  if (RankOf(to) < RankOf(from)) {
    out->push_back(absl::StrCat("links: ", NameOf(to), " in place of ", NameOf(from)));
  } else if (from == admin::v1::LINK_HANDLING_KEEP && RankOf(to) == 1 && ReachesIntoLinks(before)) {
    out->push_back("links: what was removed or replaced within context.links no longer is so");
  }
}

void CompareGroups(const storage::v1::Terms& before, const storage::v1::Terms& after,
                   std::vector<std::string>* out) {
  if (before.groups_size() == 0) return;
  if (after.groups_size() == 0) {
    return out->push_back("terms.groups: there are none any more, so everybody may receive it");
  }
  for (const std::string& group : after.groups()) {
    if (std::find(before.groups().begin(), before.groups().end(), group) == before.groups().end()) {
      out->push_back(absl::StrCat("terms.groups: ", group, " is added"));
    }
  }
}

void CompareTerms(const storage::v1::Terms& before, const storage::v1::Terms& after,
                  const Classifications& known, std::vector<std::string>* out) {
  if (after.onward() > before.onward()) {
    out->push_back(
        absl::StrCat("terms.onward: ", after.onward(), " in place of ", before.onward()));
  }
  CompareGroups(before, after, out);
  if (before.classification() == after.classification()) return;
  const auto stricter = known.Stricter(before.classification(), after.classification());
  if (!stricter || *stricter != after.classification()) {
    const auto text = [](const std::string& label) { return label.empty() ? "no label" : label; };
    out->push_back(absl::StrCat("terms.classification: ", text(after.classification()),
                                " in place of ", text(before.classification())));
  }
}

}  // namespace

std::vector<std::string> LessReduced(const admin::v1::ExportRule& before,
                                     const admin::v1::ExportRule& after,
                                     const Classifications& known) {
  std::vector<std::string> out;
  for (const std::string& path : before.redact()) {
    if (!Removes(after, StepsOf(path))) {
      out.push_back(absl::StrCat("redact: ", path, " is no longer removed"));
    }
  }
  for (const std::string& path : before.pseudonymise()) {
    if (!RemovesOrReplaces(after, StepsOf(path))) {
      out.push_back(absl::StrCat("pseudonymise: ", path, " is no longer replaced"));
    }
  }
  CompareLinks(before, after, &out);
  CompareTerms(before.terms(), after.terms(), known, &out);
  return out;
}

}  // namespace cdgate::policy
