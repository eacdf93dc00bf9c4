#include "gateway/webhook/allow_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace cdgate::webhook {
namespace {

using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

constexpr char kAda[] = "spiffe://alpha.example/person/ada";

config::v1::WebhooksConfig Config() {
  config::v1::WebhooksConfig config;
  auto& all = *config.add_targets();
  all.set_name("all");
  all.set_url("https://hooks.example/");
  auto& ci = *config.add_targets();
  ci.set_name("ci");
  ci.set_url("https://hooks.example/ci");
  ci.add_allow_addresses("10.0.0.0/8");
  ci.add_principals("spiffe://alpha.example/service/%");
  return config;
}

TEST(AllowListTest, TheLongestAddressThatFitsCounts) {
  const auto list = AllowList::Make(Config(), "alpha.example");
  CDGATE_ASSERT_OK(list);
  EXPECT_EQ(list->origin(), "alpha.example");
  EXPECT_EQ(list->Find("https://hooks.example/other", kAda)->target->name, "all");
  const auto found = list->Find("https://HOOKS.example/ci/a", "spiffe://alpha.example/service/x");
  CDGATE_ASSERT_OK(found);
  EXPECT_EQ(found->target->name, "ci");
  EXPECT_EQ(found->url.text, "https://hooks.example/ci/a");
}

TEST(AllowListTest, WhatIsNotThereIsRefused) {
  const auto list = AllowList::Make(Config(), "alpha.example");
  CDGATE_ASSERT_OK(list);
  for (const char* url : {"http://hooks.example/ci", "https://hooks.example:8443/",
                          "https://evil.example/", "https://hooks.example.evil.example/"}) {
    EXPECT_THAT(list->Find(url, kAda).status(), HasReason(Reason::kWebhookNotAllowed)) << url;
  }
  EXPECT_THAT(list->Find("https://hooks.example/ci", kAda).status(),
              HasReasonAndMessage(Reason::kWebhookNotAllowed, HasSubstr("target ci is not for")));
  EXPECT_THAT(list->Find("hooks.example", kAda).status(), HasReason(Reason::kInvalidArgument));
}

TEST(AllowListTest, WithoutTargetsWebhooksAreOff) {
  EXPECT_THAT(AllowList().Find("https://hooks.example/", kAda).status(),
              HasReasonAndMessage(Reason::kWebhookNotAllowed, HasSubstr("webhooks are off")));
}

TEST(AllowListTest, SpecialAddressesAreRefusedUnlessAllowed) {
  const auto list = AllowList::Make(Config(), "alpha.example");
  CDGATE_ASSERT_OK(list);
  const auto ci = list->Find("https://hooks.example/ci", "spiffe://alpha.example/service/x");
  CDGATE_ASSERT_OK(ci);
  const auto dial = [&](const char* address) {
    return ci->target->MayDial(*base::ParseIpAddress(address));
  };
  CDGATE_EXPECT_OK(dial("8.8.8.8"));
  CDGATE_EXPECT_OK(dial("10.1.2.3"));
  for (const char* address : {"127.0.0.1", "169.254.169.254", "192.168.0.1", "::1",
                              "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00::1"}) {
    EXPECT_THAT(dial(address), HasReasonAndMessage(Reason::kWebhookAddressRefused,
                                                   HasSubstr("hooks.example resolves to")))
        << address;
  }
}

}  // namespace
}  // namespace cdgate::webhook
