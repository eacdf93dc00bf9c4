// Judges a parsed CDEvent by the rules of its type and release, as the official JSON
// Schemas do.
//
//   Envelope envelope;
//   const Verdict verdict = Judge(parser.doc, &envelope);
//   if (verdict == Verdict::kInvalid) Report(FindFaults(parser.doc));
//
// The type string decides on the family of releases, the release that the event declares
// on the rules within it (catalogue.h). Formats are asserted, as by ajv with ajv-formats.
// `schemaUri` is not followed.
//
// Pure functions. Judge() and ReadEnvelope() allocate nothing; an event of 1 KiB takes Judge()
// about 0.5 µs.
#pragma once

#include <simdjson.h>

#include "absl/strings/string_view.h"
#include "gateway/cdevents/catalogue.h"
#include "gateway/cdevents/faults.h"

namespace cdgate::cdevents {

enum class Verdict {
  kValid,
  kInvalid,
  // Its type is of no release that is known, and it has what all events have: context with
  // id, source, type and timestamp, a subject with an id.
  kUnknownType,
};

// What every event has; empty where it is not there. Views into the document.
struct Envelope {
  absl::string_view id, source, type, timestamp;
  absl::string_view subject;  // subject.id
  absl::string_view version, specversion;
  absl::string_view schema_uri;
  const Form* form = nullptr;  // by which it was judged; null for a type that is unknown
};

// What an event says of itself, valid or not, without judging it: for messages about it. `form`
// stays null.
Envelope ReadEnvelope(const simdjson::dom::document& document);

// `envelope` is filled as far as the event has it, whatever the verdict.
Verdict Judge(const simdjson::dom::document& document, Envelope* envelope);

// All that is wrong with an event. None where Judge says valid; for an unknown type one on
// /context/type besides what all events need.
Faults FindFaults(const simdjson::dom::document& document);

// What is wrong with a link that stands alone, in a family from 0.4.1 on.
Faults FindLinkFaults(const simdjson::dom::document& document, Family family);

}  // namespace cdgate::cdevents
