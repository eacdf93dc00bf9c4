// Tables and paragraphs of what the admin API answers, for people.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <iosfwd>
#include <string>

#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/cli/format.h"

namespace cdgate::cli {

// "up", "down", "frozen", "expired", "pending", …: how things stand with a peer, in one word.
std::string PeerStateText(const admin::v1::PeerStatus& peer);

Table PeerTable(const google::protobuf::RepeatedPtrField<admin::v1::PeerStatus>& peers);
void PrintPeer(const admin::v1::PeerStatus& peer, std::ostream& out);

// One line for each finding: "error export.rules[2].when (releases) 1:14: …".
void PrintFindings(const google::protobuf::RepeatedPtrField<admin::v1::PolicyFinding>& findings,
                   std::ostream& out);

// The lines that identify an event.
void PrintEvent(const admin::v1::EventSummary& event, std::ostream& out);

}  // namespace cdgate::cli
