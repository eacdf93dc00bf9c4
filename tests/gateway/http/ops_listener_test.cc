#include "gateway/http/ops_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace cdgate::http {
namespace {

using testing::HasSubstr;

class OpsListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = OpsListener::Start({.address = "127.0.0.1:0",
                                       .metrics = metrics_,
                                       .problems = [this] { return problems_; },
                                       .before_metrics = [this] { gauge_.Set(7); }});
    CDGATE_ASSERT_OK(started.status());
    listener_ = *std::move(started);
  }

  httplib::Result Get(const std::string& path) {
    httplib::Client client("http://" + listener_->bound_address());
    return client.Get(path);
  }

  base::Metrics metrics_;
  base::Gauge& gauge_ = metrics_.AddGauge("cdgate_test_value", "A value.");
  std::vector<std::string> problems_;
  std::unique_ptr<OpsListener> listener_;
};

TEST_F(OpsListenerTest, MetricsAreBroughtUpToDateAndRendered) {
  const auto response = Get("/metrics");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_THAT(response->body, HasSubstr("cdgate_test_value 7"));
}

TEST_F(OpsListenerTest, LivezAnswersWhileTheProcessWorks) {
  problems_ = {"the disk is full"};
  const auto response = Get("/livez");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
}

TEST_F(OpsListenerTest, ReadyzNamesEveryProblem) {
  EXPECT_EQ(Get("/readyz")->status, 200);
  problems_ = {"the disk is full", "draining"};
  const auto response = Get("/readyz");
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->body, "the disk is full\ndraining\n");
}

TEST_F(OpsListenerTest, OtherPathsAndMethodsAreRefused) {
  EXPECT_EQ(Get("/secrets")->status, 404);
  httplib::Client client("http://" + listener_->bound_address());
  EXPECT_EQ(client.Post("/metrics", "", "text/plain")->status, 404);
}

TEST_F(OpsListenerTest, AnAddressInUseIsNamed) {
  const auto second = OpsListener::Start({.address = listener_->bound_address(),
                                          .metrics = metrics_,
                                          .problems = [] { return std::vector<std::string>(); }});
  EXPECT_THAT(second.status(), test::HasReasonAndMessage(base::Reason::kAddressInUse,
                                                         HasSubstr(listener_->bound_address())));
}

TEST_F(OpsListenerTest, AMalformedAddressIsNamed) {
  const auto second =
      OpsListener::Start({.address = "nowhere", .metrics = metrics_, .problems = [] {
                            return std::vector<std::string>();
                          }});
  EXPECT_THAT(second.status(),
              test::HasReasonAndMessage(base::Reason::kInvalidConfig, HasSubstr("nowhere")));
}

}  // namespace
}  // namespace cdgate::http
