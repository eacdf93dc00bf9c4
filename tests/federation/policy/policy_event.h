// Stored events for tests of policies: a CDEvent as it was admitted, with what gateways
// know of it.
//
//   PolicyEvent event(R"({"context":{...},"subject":{"id":"s",...}})");
//   event.attributes()["causationid"].set_ce_string("1");
//   context.Reset(event.record());
#pragma once

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <memory>
#include <string>

#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/stored_events.h"

namespace cdgate::test {

class PolicyEvent {
 public:
  explicit PolicyEvent(std::string data, std::string type = "dev.cdevents.build.finished.0.3.0") {
    cloud_event_.set_id("event-1");
    cloud_event_.set_source("/alpha/ci");
    cloud_event_.set_spec_version("1.0");
    cloud_event_.set_type(std::move(type));
    cloud_event_.set_binary_data(std::move(data));
    stored_.set_origin("alpha.example");
    stored_.set_accepted_time_nanos(1000);
  }

  io::cloudevents::v1::CloudEvent& cloud_event() { return cloud_event_; }
  auto& attributes() { return *cloud_event_.mutable_attributes(); }
  storage::v1::StoredEvent& stored() { return stored_; }

  // Good until the next call.
  const event::Record& record() {
    std::string bytes;
    google::protobuf::io::StringOutputStream out(&bytes);
    google::protobuf::io::CodedOutputStream coded(&out);
    coded.SetSerializationDeterministic(true);
    cloud_event_.SerializeToCodedStream(&coded);
    coded.Trim();
    stored_.set_cloud_event(bytes);
    owner_ = std::make_unique<StoredRecord>(stored_);
    return owner_->record;
  }

 private:
  io::cloudevents::v1::CloudEvent cloud_event_;
  storage::v1::StoredEvent stored_;
  std::unique_ptr<StoredRecord> owner_;
};

}  // namespace cdgate::test
