// Events for tests of conditions: attributes and data that a test names, defaults for
// the rest.
//
//   test::TestEvent event;
//   event.Set("team", filter::Value::String("core"));
//   EventContext context;
//   context.Reset(event.parts());      // valid as long as `event`
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/filter/event_context.h"

namespace cdgate::test {

class TestEvent {
 public:
  TestEvent() {
    parts_.id = "event-1";
    parts_.source = "/alpha/ci";
    parts_.type = "dev.cdevents.build.finished.0.3.0";
    parts_.origin = "alpha.example";
  }

  // Leaves only what every CloudEvent has, empty.
  void Clear() {
    attributes_.clear();
    parts_ = filter::EventParts();
  }
  absl::string_view Keep(std::string text) {
    texts_.push_back(std::move(text));
    return texts_.back();
  }
  // Sets or replaces an attribute; a string value must be kept by the caller.
  void Set(const std::string& name, const filter::Value& value) {
    if (name == "id") parts_.id = value.string();
    if (name == "source") parts_.source = value.string();
    if (name == "type") parts_.type = value.string();
    if (name == "specversion") parts_.spec_version = value.string();
    for (filter::Attribute& attribute : attributes_) {
      if (attribute.name == name) {
        attribute.value = value;
        return;
      }
    }
    attributes_.push_back({Keep(name), value});
  }
  TestEvent& With(const std::string& name, const std::string& text) {
    Set(name, filter::Value::String(Keep(text)));
    return *this;
  }
  TestEvent& WithData(std::string json) {
    parts_.data = Keep(std::move(json));
    return *this;
  }

  // For fields that have no setter here.
  filter::EventParts& fields() { return parts_; }
  const filter::EventParts& parts() {
    parts_.attributes = attributes_;
    return parts_;
  }

 private:
  filter::EventParts parts_;
  std::vector<filter::Attribute> attributes_;
  std::deque<std::string> texts_;
};

}  // namespace cdgate::test
