// The events of the chaos test: number `index` of the run `seed` is the same bytes
// wherever and whenever it is made, so that a subscriber can tell what it should have got
// and whether it got that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include "absl/strings/string_view.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::e2e {

// Events have ten types in an order that depends on the seed. harness.py knows the
// same table: the first six subjects cross by the quickstart's policies, the others not.
int TypeOf(uint64_t seed, uint64_t index);

io::cloudevents::v1::CloudEvent MakeEvent(uint64_t seed, uint64_t index);

// The index in an id made by MakeEvent with this seed.
std::optional<uint64_t> IndexOf(uint64_t seed, absl::string_view id);

}  // namespace cdgate::e2e
