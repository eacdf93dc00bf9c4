// What the ingress answers: which status for which reason, and the bodies.
//
//   HttpAnswer answer = ProblemAnswer(status);
//   HttpAnswer answer = ResultsAnswer(events, results, epoch);
//   Send(Serialise(answer));
//
// All events are on disk: 202 and application/json,
//   {"results":[{"id":"…","source":"…","sequence":42,"duplicate":false}],"epoch":"…"}
// in the order of the request. Otherwise a problem document (RFC 9457). Of a single event,
// or of the request, its members are type, title, status, detail, reason, faults (where
// there are any) and, of an event, id and source. Of a batch, the document has `results`
// too, one member for each event: what became of it, or its own problem. So the sender
// sends again only those that were refused; to send all of them again does no harm, as
// those on disk are answered as duplicates. Once the problems take 256 KiB, those that follow have
// status, reason and id alone, and a detail of at most 80 bytes: an answer is not many times
// larger than its request.
//
// The status of a batch is the greatest of its problems': so long as one of them is worth a
// retry (429, 503), the whole is.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/admission/admission.h"
#include "gateway/base/errors.h"
#include "gateway/base/types.h"
#include "gateway/http/ingress_request.h"

namespace cdgate::http {

struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // names as they are sent
  std::string body;
  bool close = false;  // the connection ends with this answer
};

// The one mapping of reasons to statuses; docs/http.md has it as a table. A reason that is
// not in it goes by its code.
int StatusOf(base::Reason reason);

// Of a request that was refused as a whole. 401 says how to authenticate; 429 and 503 say
// when to try again.
HttpAnswer ProblemAnswer(const absl::Status& status);

// `results` are those of the events whose status is OK, in order.
HttpAnswer ResultsAnswer(const IngressEvents& events, const std::vector<admission::Result>& results,
                         const base::Epoch& epoch);

// Status line, fields, Date (RFC 9110, section 6.6.1), Content-Length, body. `head_only`: without
// the body, as HEAD wants it.
std::string Serialise(const HttpAnswer& answer, absl::Time now, bool head_only = false);

// A JSON string with its quotation marks; what is not UTF-8 becomes U+FFFD.
std::string JsonQuote(absl::string_view text);

}  // namespace cdgate::http
