#include "gateway/cli/delivery_printer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "gateway/cli/format.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

using Attribute = io::cloudevents::v1::CloudEvent::CloudEventAttributeValue;

constexpr size_t kSequenceWidth = 5;
constexpr size_t kTypeWidth = 26;
constexpr size_t kIdWidth = 36;
constexpr size_t kOriginWidth = 13;

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

// A cell that pushes the rest to the right rather than being cut.
std::string Cell(absl::string_view text, size_t width) {
  std::string cell(text);
  cell.append(Width(text) < width ? width - Width(text) : 0, ' ');
  return cell + "  ";
}

std::string Row(absl::string_view sequence, absl::string_view type, absl::string_view id,
                absl::string_view origin, absl::string_view rule) {
  const std::string row =
      absl::StrCat(Cell(sequence, kSequenceWidth), Cell(Fit(type, kTypeWidth), kTypeWidth),
                   Cell(id, kIdWidth), Cell(origin, kOriginWidth));
  const size_t used = Width(row);
  return row + Fit(rule, std::max<size_t>(12, kTableWidth - std::min(used, kTableWidth)));
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

DeliveryPrinter::DeliveryPrinter(std::ostream& out, std::string format, bool terminal)
    : out_(out), format_(std::move(format)) {
  if (format_ != "table") return;
  const std::string titles = Row("SEQ", "TYPE", "ID", "ORIGIN", "RULE");
  out_ << (terminal ? absl::StrCat("\x1b[1m", titles, "\x1b[0m") : titles) << std::endl;
}

void DeliveryPrinter::Print(const events::v1::DeliveredEvent& delivered) {
  if (format_ == "json") {
    out_ << DeliveryNode(delivered).ToJson() << "\n";
  } else if (format_ == "cloudevent") {
    out_ << CloudEventNode(delivered.event()).ToJson() << "\n";
  } else {
    const absl::string_view rule =
        delivered.import_rule().empty() ? "-" : absl::string_view(delivered.import_rule());
    out_ << Row(absl::StrCat(delivered.sequence()),
                absl::StripPrefix(delivered.event().type(), "dev.cdevents."),
                delivered.event().id(), delivered.origin(), rule)
         << "\n";
  }
}

}  // namespace cdgate::cli
