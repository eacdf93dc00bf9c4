#include "gateway/cdevents/faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cdevents {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(FaultsTest, AnErrorCarriesThemAll) {
  const Faults faults{{{"/a", "required", ""},
                       {"/b", "type string", "null"},
                       {"", "type object", "[…]"},
                       {"/c/0", "enum a|b", "\"c\""}},
                      0};
  const absl::Status error = FaultsError(faults, "thing");
  EXPECT_THAT(error, test::HasReasonAndMessage(
                         base::Reason::kInvalidEvent,
                         "not a conforming thing: /a: required; /b: type string, found null; the "
                         "data: type object, found […]; and 1 more"));
  EXPECT_THAT(FaultsOf(error), ElementsAreArray(faults.list));
  EXPECT_THAT(FaultsOf(base::Annotate(error, "event 7")), ElementsAreArray(faults.list));
  for (const auto& [key, value] : base::MetadataOf(error)) {
    if (key == "path") {
      EXPECT_EQ(value, "/a");
    }
    if (key == "faults") {
      EXPECT_EQ(value, "4");
    }
  }
}

TEST(FaultsTest, CarriesAsManyAsFit) {
  Faults faults;
  for (int i = 0; i < 64; ++i) {
    faults.list.push_back({absl::StrCat("/subject/content/", std::string(60, 'x'), i),
                           "additionalProperties", std::string(80, 'v')});
  }
  faults.more = 10;
  const absl::Status error = FaultsError(faults, "thing");
  EXPECT_THAT(error, test::MessageIs(HasSubstr("and 71 more")));
  EXPECT_GT(FaultsOf(error).size(), 5u);
  EXPECT_LT(FaultsOf(error).size(), 64u);
}

TEST(FaultsTest, OtherErrorsHaveNone) {
  EXPECT_THAT(FaultsOf(absl::OkStatus()), IsEmpty());
  EXPECT_THAT(FaultsOf(base::MakeError(base::Reason::kInvalidJson, "x")), IsEmpty());
}

}  // namespace
}  // namespace cdgate::cdevents
