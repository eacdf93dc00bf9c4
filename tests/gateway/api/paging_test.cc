#include "gateway/api/paging.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace cdgate::api {
namespace {

TEST(PagingTest, SizesAreDefaultedAndCapped) {
  EXPECT_EQ(*PageSize(0), 100u);
  EXPECT_EQ(*PageSize(7), 7u);
  EXPECT_EQ(*PageSize(5000), 1000u);
  EXPECT_THAT(PageSize(-1), test::HasReason(base::Reason::kInvalidArgument));
}

TEST(PagingTest, ATokenGivesBackWhatItNames) {
  EXPECT_EQ(*ReadPageToken("list", MakePageToken("list", "beta.example")), "beta.example");
  EXPECT_EQ(*ReadPageToken("list", ""), "");
}

TEST(PagingTest, ATokenOfOtherArgumentsIsRefused) {
  EXPECT_THAT(ReadPageToken("list b", MakePageToken("list a", "x")),
              test::HasReason(base::Reason::kInvalidArgument));
}

TEST(PagingTest, AnAlteredTokenIsRefused) {
  std::string token = MakePageToken("list", "beta.example");
  token[3] = token[3] == 'A' ? 'B' : 'A';
  EXPECT_THAT(ReadPageToken("list", token), test::HasReason(base::Reason::kInvalidArgument));
  EXPECT_THAT(ReadPageToken("list", "!"), test::HasReason(base::Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::api
