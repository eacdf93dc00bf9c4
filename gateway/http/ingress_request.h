// What a POST to the ingress carries: CloudEvents in any mode of the HTTP binding 1.0.2, or
// bare CDEvents, as serialised io.cloudevents.v1.CloudEvents for Admission::Publish.
//
//   http::RequestReader reader;                         // one per worker, reused
//   CDGATE_ASSIGN_OR_RETURN(http::IngressEvents in, reader.Read(head, body));
//   for (const http::IngressEvent& event : in.events) ... event.cloud_event ...
//
// How an event is told:
//  1. Content-Type application/cloudevents-batch+json or +protobuf: a batch;
//  2. Content-Type application/cloudevents+json or +protobuf: one structured event;
//  3. any header field ce-…: binary mode, the body is the CDEvent;
//  4. otherwise the body is JSON, and its shape says it: an array is a batch, an object
//     with `specversion` and without `context` is a structured event, any other object is a
//     CDEvent, which gets the envelope that the CDEvents binding prescribes. The shape also
//     decides for each member of a batch of JSON.
//
// Nothing is judged here but what has no place in the protobuf form; the rest is event::
// Admitter's to judge. In particular a missing time or subject, and an id of its own, are
// taken: admission puts the CDEvent's own in their places and notes it.
//
// specversion 0.3 (sdk-java) is read as 1.0: the two differ for CDEvents in the name of
// one attribute, schemaurl, which becomes dataschema. Not with dssematerial, whose signature
// covers the version.
#pragma once

#include <simdjson.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/event/json_parser.h"
#include "gateway/event/structured_json.h"
#include "gateway/http/http_reader.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::http {

inline constexpr size_t kMaxBatchEvents = 1000;

enum class IngressMode { kBinary, kStructured, kBatch, kRaw };
// "binary", "structured", "batch", "raw": a metric label.
absl::string_view ModeName(IngressMode mode);

struct IngressEvent {
  // The CDEvent's own, where it has them; else those of the envelope; else empty. For the
  // answer only.
  std::string id;
  std::string source;
  std::string cloud_event;  // where `status` is OK
  absl::Status status;
};

struct IngressEvents {
  IngressMode mode = IngressMode::kRaw;
  std::vector<IngressEvent> events;
};

// Not thread-safe; reuses its memory from request to request.
class RequestReader {
 public:
  // Errors are of the request as a whole: MEDIA_TYPE_UNSUPPORTED, INVALID_JSON,
  // AMBIGUOUS_JSON, INVALID_CLOUD_EVENT, TOO_LARGE for a batch of more than
  // kMaxBatchEvents. What is wrong with one event is its status.
  absl::StatusOr<IngressEvents> Read(const HttpHead& head, absl::string_view body);

 private:
  using CloudEvent = io::cloudevents::v1::CloudEvent;

  IngressEvent ReadBinary(const HttpHead& head, absl::string_view body);
  IngressEvent ReadStructured(absl::string_view json);
  IngressEvent ReadProtobuf(absl::string_view bytes);
  // `json` is what parser_ read last.
  IngressEvent ReadRaw(absl::string_view json);
  IngressEvent ReadByShape(absl::string_view json);
  absl::StatusOr<std::vector<IngressEvent>> ReadJsonBatch(absl::string_view json);
  absl::StatusOr<std::vector<IngressEvent>> ReadProtobufBatch(absl::string_view bytes);
  absl::StatusOr<IngressEvents> ReadShaped(absl::string_view body);
  IngressEvent Finish(absl::Status status, CloudEvent* event);
  absl::Status CheckJsonArray(absl::string_view json);

  event::StructuredReader structured_;
  event::JsonParser parser_;
  simdjson::ondemand::parser scanner_;
};

}  // namespace cdgate::http
