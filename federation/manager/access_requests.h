// Requests for events that a domain does not get: ours to peers, and theirs to us. Both are
// resources; what both sides hold of each other's is brought in step by Catalogue frames, each of
// which has all of them, so that nothing is lost that a link loses. Pure: edits for a snapshot.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/catalogue.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "gateway/state/proposal.h"
#include "gateway/state/resources.h"

namespace cdgate::manager {

// An admin.v1.AccessRequest named "PEER/ID": a peer asks us, we ask a peer.
inline constexpr char kAccessRequestKind[] = "access-request";
inline constexpr char kOwnAccessRequestKind[] = "own-access-request";
// How long an answered request is kept by who asked, and an open one.
inline constexpr absl::Duration kAnsweredKept = absl::Hours(24 * 30);
inline constexpr absl::Duration kOpenKept = absl::Hours(24 * 90);
inline constexpr size_t kMaxAccessTypeBytes = 255;
inline constexpr size_t kMaxAccessTextBytes = 500;
// Who changed a request where nobody did.
inline constexpr char kAccessAuthor[] = "gateway";

std::string AccessName(absl::string_view peer, absl::string_view id);

// No control characters and nothing that changes the direction of text: it is shown to people.
bool IsPlainText(absl::string_view text);

// INVALID_ARGUMENT naming the field that is missing, too long or not plain.
absl::Status CheckAccessRequest(const federation::v1::AccessRequest& request);
// The same of the words of an answer.
absl::Status CheckAnswer(absl::string_view answer);

// Those of one kind and peer, oldest first.
std::vector<admin::v1::AccessRequest> AccessRequestsOf(const state::ResourceSnapshot& resources,
                                                       absl::string_view kind,
                                                       absl::string_view peer);

// Adds what we ask `peer` for, and our answers to what it asked for.
void AddAccessRequests(const state::ResourceSnapshot& resources, absl::string_view peer,
                       federation::v1::Catalogue* catalogue);

// What to change by what `peer` told: requests that are new, at most *may_add, which is counted
// down; those it took back; and its answers to ours. What is not valid is left out. An approval
// is final; a denial may become one.
std::vector<state::ResourceEdit> EditsOfTold(const state::ResourceSnapshot& resources,
                                             absl::string_view peer,
                                             const federation::v1::Catalogue& told, absl::Time now,
                                             size_t* may_add);

// What to forget: requests of and to domains that are no peers any more, and our own that are old.
std::vector<state::ResourceEdit> EditsOfAge(const state::ResourceSnapshot& resources,
                                            absl::Time now);

}  // namespace cdgate::manager
