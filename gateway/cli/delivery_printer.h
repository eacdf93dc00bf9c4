// Prints delivered events, one line each.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "cdgate/events/v1/events.pb.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/delivery_table.h"
#include "gateway/cli/node.h"

namespace cdgate::cli {

// The line of `-o json`: {sequence, origin, attempt, event}, the event being the CDEvent
// as published but for white space between its tokens.
Node DeliveryNode(const events::v1::DeliveredEvent& delivered);
// The line of `-o cloudevent`: the JSON event format of CloudEvents.
Node CloudEventNode(const io::cloudevents::v1::CloudEvent& event);

// `format` is json, cloudevent or table (delivery_table.h), which begins with its titles. `streams`
// outlives it.
class DeliveryPrinter {
 public:
  DeliveryPrinter(const Streams& streams, std::string format);
  void Print(const events::v1::DeliveredEvent& delivered);

 private:
  std::ostream& out_;
  const std::string format_;
  DeliveryTable table_;
};

}  // namespace cdgate::cli
