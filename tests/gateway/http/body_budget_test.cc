#include "gateway/http/body_budget.h"

#include <gtest/gtest.h>

namespace cdgate::http {
namespace {

TEST(BodyBudgetTest, OneAddressHasAQuarter) {
  BodyBudget budget(1000);
  EXPECT_TRUE(budget.Take("a", 200));
  EXPECT_FALSE(budget.Take("a", 51));
  EXPECT_TRUE(budget.Take("a", 50));
  EXPECT_TRUE(budget.Take("b", 250));
  budget.Return("a", 250);
  EXPECT_TRUE(budget.Take("a", 250));
  EXPECT_FALSE(budget.Take("c", 251));
}

TEST(BodyBudgetTest, AllTogetherHaveTheWhole) {
  BodyBudget budget(1000);
  for (const char* address : {"a", "b", "c", "d"}) EXPECT_TRUE(budget.Take(address, 250));
  EXPECT_FALSE(budget.Take("e", 1));
  EXPECT_TRUE(budget.Take("e", 0));
  budget.Return("b", 1);
  EXPECT_TRUE(budget.Take("e", 1));
}

TEST(BodyBudgetTest, ClientsWithoutAnAddressAreBoundedByTheWholeAlone) {
  BodyBudget budget(1000);
  EXPECT_TRUE(budget.Take("", 900));
  EXPECT_FALSE(budget.Take("", 101));
  EXPECT_TRUE(budget.Take("a", 100));
}

TEST(BodyBudgetTest, WhatIsChargedCountsAlsoBeyondTheWhole) {
  BodyBudget budget(1000);
  budget.Charge("a", 2000);
  EXPECT_FALSE(budget.Take("b", 1));
  budget.Return("a", 1900);
  EXPECT_TRUE(budget.Take("b", 1));
  EXPECT_TRUE(budget.Take("a", 150));
  EXPECT_FALSE(budget.Take("a", 1));
}

}  // namespace
}  // namespace cdgate::http
