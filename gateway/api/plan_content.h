// What an event shows when it leaves: whether one way of leaving shows more than another, and
// what it shows of the organisation that it leaves.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "federation/policy/classification.h"
#include "federation/policy/policy.h"
#include "gateway/event/record.h"

namespace cdgate::api {

// Whether `record` shows the peer anything by `after` that it does not by `before`, or leaves
// under looser terms. Both let it leave.
bool HasMore(const event::Record& record, const policy::Decision& before,
             const policy::Decision& after, const policy::Classifications& known);

// RFC 6901 pointers to texts of `data` that hold an address within an organisation: a mail
// address, a private network address, or a host of a domain that nobody has outside (.internal,
// .local, .lan, .corp, .intranet, .home.arpa). At most 20.
std::vector<std::string> AddressesWithin(absl::string_view data);

}  // namespace cdgate::api
