#include "federation/manager/offers.h"

#include <algorithm>
#include <map>
#include <utility>

#include "federation/link/config.h"

namespace cdgate::manager {
namespace {

using filter::NamedKind;

// Whether events of `kind` can get past the rules before.
bool IsDenied(const std::vector<NamedKind>& denied, const NamedKind& kind) {
  return std::any_of(denied.begin(), denied.end(),
                     [&](const NamedKind& other) { return other.Covers(kind); });
}

}  // namespace

std::vector<NamedOffer> OffersNamedBy(const admin::v1::Policy& policy) {
  std::map<NamedKind, NamedOffer> found;
  std::vector<NamedKind> denied;
  for (const admin::v1::ExportRule& rule : policy.export_().rules()) {
    if (rule.when().empty()) break;  // it decides whatever comes to it, and names nothing
    const auto named = filter::LiteralsOf(rule.when());
    if (!named) continue;
    if (rule.action() != admin::v1::ACTION_ALLOW) {
      if (named->exact) denied.insert(denied.end(), named->kinds.begin(), named->kinds.end());
      continue;
    }
    for (const NamedKind& kind : named->kinds) {
      if (kind.any() || IsDenied(denied, kind)) continue;
      const auto [it, fresh] = found.try_emplace(kind, NamedOffer{kind, rule.name(), named->exact});
      it->second.exact = it->second.exact || named->exact;
    }
  }
  std::vector<NamedOffer> out;
  out.reserve(found.size());
  for (auto& [kind, offer] : found) out.push_back(std::move(offer));
  return out;
}

bool IsNamed(const std::vector<NamedOffer>& offers, const std::string& type,
             const std::string& source) {
  const NamedKind asked{.type = type, .source = source, .plane = ""};
  return std::any_of(offers.begin(), offers.end(), [&](const NamedOffer& offer) {
    return offer.exact && offer.kind.Covers(asked);
  });
}

federation::v1::Catalogue OffersTo(const storage::v1::GivenEvents& given,
                                   const std::vector<NamedOffer>& named) {
  std::map<NamedKind, uint32_t> kinds;  // and when one was given last
  for (const NamedOffer& offer : named) kinds[offer.kind] = 0;
  for (const auto& row : given.rows()) {
    kinds[{row.type(), row.source(), row.plane()}] = row.last_day();
  }
  federation::v1::Catalogue out;
  out.set_truncated(given.truncated() || kinds.size() > size_t{link::kMaxOffers});
  for (const auto& [kind, day] : kinds) {
    if (out.offers_size() == link::kMaxOffers) break;
    federation::v1::Offer& offer = *out.add_offers();
    offer.set_type(kind.type);
    offer.set_source(kind.source);
    offer.set_plane(kind.plane);
    offer.set_last_given_day(day);
  }
  return out;
}

}  // namespace cdgate::manager
