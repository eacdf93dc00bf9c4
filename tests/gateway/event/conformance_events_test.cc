// The official events of CDEvents, all releases that we have, enter by every door.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "gateway/base/file.h"
#include "gateway/event/digests.h"
#include "gateway/event/valid_event.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace cdgate::event {
namespace {

std::vector<std::string> OfficialEvents(const std::string& root) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string folder = entry.path().parent_path().filename();
    const std::string name = entry.path().filename();
    const bool event = folder == "conformance" || folder == "examples" ||
                       (folder == "custom" && name == "conformance.json");
    if (event && entry.path().extension() == ".json") files.push_back(entry.path());
  }
  return files;
}

TEST(ConformanceEventsTest, AllAreAdmittedWithTheirBytes) {
  const std::string root = test::TestData("cdevents");
  if (root.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
  Admitter admitter;
  size_t admitted = 0;
  for (const char* release : {"v0.3.0", "v0.4.1", "v0.5.1"}) {
    for (const std::string& file : OfficialEvents(root + "/" + release)) {
      const std::string json = *base::ReadFile(file);
      const auto event = admitter.AdmitCdEventJson(json);
      CDGATE_ASSERT_OK(event) << file;
      EXPECT_EQ(event->data(), json) << file;
      const auto again = admitter.Admit(event->cloud_event());
      CDGATE_ASSERT_OK(again) << file;
      EXPECT_EQ(again->cloud_event(), event->cloud_event()) << file;
      CDGATE_EXPECT_OK(CanonicalJsonDigest(json)) << file;
      ++admitted;
    }
  }
  EXPECT_EQ(admitted, 39u + 46u + 46u);
}

}  // namespace
}  // namespace cdgate::event
