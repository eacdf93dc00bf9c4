#include "federation/attestation/copy.h"

#include "gateway/event/wire_reader.h"

namespace cdgate::attestation {
namespace {

// Field numbers of storage.v1.Terms.
constexpr uint32_t kOnward = 1;
constexpr uint32_t kGroups = 2;
constexpr uint32_t kClassification = 3;

template <typename View>
EventClaim Claim(const View& view) {
  return {view.origin(), view.commitment(), view.accepted_time_nanos(), view.plane(),
          view.classification()};
}

}  // namespace

void CopyView::Assign(const event::CloudEventView& of, const event::StoredView& stored) {
  event = of;
  withheld.clear();
  substituted.clear();
  stored.ForEachWithheld([this](absl::string_view pointer) { withheld.push_back(pointer); });
  stored.ForEachSubstituted([this](absl::string_view pointer) { substituted.push_back(pointer); });
}

bool ReadTerms(absl::string_view wire, TermsView* terms) {
  terms->onward = 0;
  terms->classification = {};
  terms->groups.clear();
  event::WireReader reader(wire);
  while (reader.Next()) {
    if (reader.field() == kOnward && reader.is_varint()) {
      terms->onward = static_cast<uint32_t>(reader.varint());
    } else if (reader.field() == kGroups && reader.is_bytes()) {
      terms->groups.push_back(reader.bytes());
    } else if (reader.field() == kClassification && reader.is_bytes()) {
      terms->classification = reader.bytes();
    }
  }
  return reader.ok();
}

TermsView TermsOf(const storage::v1::Terms& terms) {
  return {terms.onward(), terms.classification(), {terms.groups().begin(), terms.groups().end()}};
}

storage::v1::Terms ToProto(const TermsView& terms) {
  storage::v1::Terms out;
  out.set_onward(terms.onward);
  out.set_classification(std::string(terms.classification));
  for (const absl::string_view group : terms.groups) out.add_groups(std::string(group));
  return out;
}

EventClaim ClaimOf(const event::StoredView& stored) { return Claim(stored); }
EventClaim ClaimOf(const event::RelayedView& relayed) { return Claim(relayed); }

}  // namespace cdgate::attestation
