// What we offer a peer: what it was given lately, and what a rule for it names in so many words.
// Nothing else shows: what does not exist and what is not for the peer look alike, because
// neither is in what this is made from.
#pragma once

#include <string>
#include <vector>

#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "cdgate/storage/v1/given.pb.h"
#include "gateway/filter/named_literals.h"

namespace cdgate::manager {

struct NamedOffer {
  filter::NamedKind kind;
  std::string rule;  // that names it first
  // The rule allows all events of the kind, and none of another condition is asked for.
  bool exact = false;

  bool operator==(const NamedOffer&) const = default;
};

// Kinds that a rule of `policy` that allows names by literals alone, and that no rule before it
// denies altogether. Sorted by kind, each once. Pure.
std::vector<NamedOffer> OffersNamedBy(const admin::v1::Policy& policy);

// Whether an export rule names events of this type and source (empty: any), whatever their plane,
// and asks for nothing else.
bool IsNamed(const std::vector<NamedOffer>& offers, const std::string& type,
             const std::string& source);

// Both together, sorted, at most link::kMaxOffers; the `offers` and `truncated` of a Catalogue.
federation::v1::Catalogue OffersTo(const storage::v1::GivenEvents& given,
                                   const std::vector<NamedOffer>& named);

}  // namespace cdgate::manager
