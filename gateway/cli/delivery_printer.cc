#include "gateway/cli/delivery_printer.h"

#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "gateway/cli/format.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

using Attribute = io::cloudevents::v1::CloudEvent::CloudEventAttributeValue;

Node AttributeNode(const Attribute& value) {
  switch (value.attr_case()) {
    case Attribute::kCeBoolean: return Node::Bool(value.ce_boolean());
    case Attribute::kCeInteger: return Node::Number(int64_t{value.ce_integer()});
    case Attribute::kCeString: return Node::Text(value.ce_string());
    case Attribute::kCeBytes: return Node::Text(absl::Base64Escape(value.ce_bytes()));
    case Attribute::kCeUri: return Node::Text(value.ce_uri());
    case Attribute::kCeUriRef: return Node::Text(value.ce_uri_ref());
    case Attribute::kCeTimestamp:
      return Node::Text(config::FormatTimestamp(ToTime(value.ce_timestamp())));
    case Attribute::ATTR_NOT_SET: break;
  }
  return Node();
}

}  // namespace

Node DeliveryNode(const events::v1::DeliveredEvent& delivered) {
  Node node = Node::Object();
  node.Add("sequence", Node::Number(uint64_t{delivered.sequence()}))
      .Add("origin", Node::Text(delivered.origin()))
      .Add("attempt", Node::Number(uint64_t{delivered.attempt()}));
  if (!delivered.notes().empty()) {
    Node notes = Node::List();
    for (const std::string& note : delivered.notes()) notes.Append(Node::Text(note));
    node.Add("notes", std::move(notes));
  }
  if (!delivered.converted_from().empty()) {
    node.Add("convertedFrom", Node::Text(delivered.converted_from()));
  }
  if (!delivered.not_converted().empty()) {
    node.Add("notConverted", Node::Text(delivered.not_converted()));
  }
  return std::move(node.Add("event", Node::Raw(delivered.event().binary_data())));
}

Node CloudEventNode(const io::cloudevents::v1::CloudEvent& event) {
  Node node = Node::Object();
  node.Add("specversion", Node::Text(event.spec_version()))
      .Add("id", Node::Text(event.id()))
      .Add("source", Node::Text(event.source()))
      .Add("type", Node::Text(event.type()));
  const std::map<std::string, Attribute> sorted(event.attributes().begin(),
                                                event.attributes().end());
  for (const auto& [name, value] : sorted) node.Add(name, AttributeNode(value));
  return std::move(node.Add("data", Node::Raw(event.binary_data())));
}

DeliveryPrinter::DeliveryPrinter(const Streams& streams, std::string format)
    : out_(streams.out),
      format_(std::move(format)),
      table_({.out = streams.out,
              .colours = streams.out_is_terminal,
              .width = streams.out_width,
              .now = [] { return absl::Now(); }}) {
  if (format_ == "table") table_.Begin();
}

void DeliveryPrinter::Print(const events::v1::DeliveredEvent& delivered) {
  if (format_ == "json") {
    out_ << DeliveryNode(delivered).ToJson() << "\n";
  } else if (format_ == "cloudevent") {
    out_ << CloudEventNode(delivered.event()).ToJson() << "\n";
  } else {
    table_.Print(delivered);
  }
}

}  // namespace cdgate::cli
