#include "gateway/event/event_remarks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/event/json_parser.h"
#include "tests/support/status_matchers.h"

namespace cdgate::event {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<std::string> Remarks(absl::string_view type, absl::string_view subject,
                                 absl::string_view content, absl::string_view links) {
  JsonParser parser;
  const auto root = parser.ParseIJson(
      absl::StrCat(R"({"context": {"type": "dev.cdevents.)", type, R"(", "links": )", links,
                   R"(}, "subject": {"id": ")", subject, R"(", "content": )", content, "}}"));
  CDGATE_EXPECT_OK(root);
  std::vector<std::string> out;
  for (const Remark& remark : RemarksOn(*root)) {
    out.push_back(absl::StrCat(remark.path, ": ", remark.text));
  }
  return out;
}

TEST(EventRemarksTest, SaysNothingOfWhatIsAsTheProseAsks) {
  EXPECT_THAT(Remarks("artifact.published.0.3.0", "pkg:oci/app@sha256%3Aab", "{}",
                      R"([{"target": {"domainId": "cdevents:v0:github::o:r:pr:4"}}])"),
              IsEmpty());
  EXPECT_THAT(Remarks("build.queued.0.3.0", "build 7", "{}", "[]"), IsEmpty());
}

TEST(EventRemarksTest, NamesThePlaceAndTheFault) {
  EXPECT_THAT(Remarks("artifact.published.0.3.0", "banana", "{}", "[]"),
              ElementsAre(StartsWith("/subject/id: no package URL: ")));
  EXPECT_THAT(Remarks("service.deployed.0.3.0", "s", R"({"artifactId": "app-1.0.whl"})", "[]"),
              ElementsAre(StartsWith("/subject/content/artifactId: no package URL: ")));
  EXPECT_THAT(Remarks("build.queued.0.3.0", "b", "{}",
                      R"([{}, {"from": {"domainId": "x"}},
                          {"target": {"domainId": "cdevents:v0:other::o:r:pr:4"}}])"),
              ElementsAre(StartsWith("/context/links/1/from/domainId: no domainId: "),
                          StartsWith("/context/links/2/target/domainId: ")));
}

}  // namespace
}  // namespace cdgate::event
