// What a conversion gives is a valid event of the release that was asked for, and stays
// what it is when it is converted there again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/base/errors.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/bridge.h"
#include "gateway/event/json_parser.h"

namespace {

using cdgate::cdevents::Envelope;
using cdgate::cdevents::Family;
using cdgate::event::Bridge;
using cdgate::event::Converted;
using cdgate::event::JsonParser;

void Check(bool condition) {
  if (!condition) abort();
}

void CheckConverted(const Converted& converted, Family to, Bridge* bridge) {
  JsonParser parser;
  Envelope envelope;
  Check(parser.ParseIJson(converted.json).ok());
  Check(cdgate::cdevents::Judge(parser.document(), &envelope) == cdgate::cdevents::Verdict::kValid);
  Check(envelope.form->family == to && envelope.type == converted.type);
  Check((to < Family::k05 ? envelope.version : envelope.specversion) ==
        cdgate::cdevents::ReleaseOf(to));
  const auto again = bridge->Convert(converted.json, to);
  Check(again.ok() && !again->has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  static JsonParser parser;  // reused, as a worker does
  static Bridge bridge;
  if (!parser.ParseIJson(bytes).ok()) return 0;  // only what was admitted is converted
  for (const Family to : {Family::k041, Family::k05}) {
    const auto converted = bridge.Convert(bytes, to);
    if (!converted.ok()) {
      Check(cdgate::base::ReasonOf(converted.status()).has_value());
    } else if (converted->has_value()) {
      CheckConverted(**converted, to, &bridge);
    }
  }
  return 0;
}
