// The official events of CDEvents, as tests read them.
//
//   for (const OfficialEvent& event : OfficialEvents()) Use(event.release, event.json);
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "gateway/base/file.h"
#include "tests/support/test_data.h"

namespace cdgate::test {

struct OfficialEvent {
  std::string release;  // "v0.5.1"
  std::string name;     // "pipelinerun_finished"; "custom"
  std::string json;
};

// All of the releases 0.3.0, 0.4.1 and 0.5.1, by release and name; none where there is no
// test data.
inline std::vector<OfficialEvent> OfficialEvents() {
  std::vector<OfficialEvent> events;
  const std::string root = TestData("cdevents");
  if (root.empty()) return events;
  for (const char* const release : {"v0.3.0", "v0.4.1", "v0.5.1"}) {
    for (const char* const folder : {"examples", "conformance", "custom"}) {
      const std::string path = root + "/" + release + "/" + folder;
      if (!std::filesystem::exists(path)) continue;
      for (const auto& entry : std::filesystem::directory_iterator(path)) {
        const bool custom = std::string(folder) == "custom";
        if (custom && entry.path().filename() != "conformance.json") continue;
        events.push_back({release, custom ? "custom" : entry.path().stem().string(),
                          *base::ReadFile(entry.path().string())});
      }
    }
  }
  std::sort(events.begin(), events.end(), [](const OfficialEvent& a, const OfficialEvent& b) {
    return std::tie(a.release, a.name) < std::tie(b.release, b.name);
  });
  return events;
}

}  // namespace cdgate::test
