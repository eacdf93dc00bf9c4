// One event as an HTTP request (CloudEvents 1.0.2, HTTP protocol binding, section 3).
//
//   CDGATE_ASSIGN_OR_RETURN(PushBody push, BodyOf(delivered, admin::v1::PUSH_FORMAT_BINARY));
//   Post(url, push.fields, push.body);
//
// The data keeps its bytes. Beside the event's own fields there are Cdgate-Sequence and
// Cdgate-Attempt, and Cdgate-Not-Converted where that is so.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/events/v1/events.pb.h"

namespace cdgate::webhook {

struct PushBody {
  std::vector<std::string> fields;  // "ce-id: 42", each a whole header field
  std::string body;
};

PushBody BodyOf(const events::v1::DeliveredEvent& delivered, admin::v1::PushFormat format);

// `text`, UTF-8, as the value of a header field: what is no visible ASCII, '"' and '%' encoded as
// section 3.1.3.2 of the binding has it. DecodeCeHeader() of the ingress reads it.
std::string EncodeCeHeader(absl::string_view text);

}  // namespace cdgate::webhook
