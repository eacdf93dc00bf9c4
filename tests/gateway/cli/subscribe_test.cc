// subscribe, against a gateway whose answers the test decides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/cli/cli.h"
#include "gateway/rpc/status.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"

namespace cdgate::cli {
namespace {

using base::MakeError;
using base::Reason;
using events::v1::SubscribeRequest;
using events::v1::SubscribeResponse;
using testing::AllOf;
using testing::HasSubstr;

// A log of ten events whose subscriptions behave as a gateway's.
class SubscribeVerbTest : public testing::Test {
 protected:
  static constexpr uint64_t kHead = 10;

  SubscribeVerbTest() {
    gateway_.subscribe = [this](FakeGateway::SubscribeStream* stream) {
      SubscribeRequest request;
      if (!stream->Read(&request)) return grpc::Status::OK;
      {
        base::MutexLock lock(mu_);
        starts_.push_back(request.start());
      }
      return Serve(stream, request.start());
    };
  }

  // Ends with DRAINING after every `break_after` events, where that is not 0.
  grpc::Status Serve(FakeGateway::SubscribeStream* stream,
                     const events::v1::SubscribeStart& start) {
    uint64_t at = 0;
    if (start.from().has_after()) at = start.from().after().sequence();
    if (start.from().has_latest()) at = kHead;
    if (!start.subscription().empty()) at = acknowledged_;
    SubscribeResponse response;
    response.mutable_started()->mutable_position()->set_epoch("life");
    response.mutable_started()->mutable_position()->set_sequence(at);
    stream->Write(response);
    uint64_t sent = 0;
    while (at < kHead && (start.max_events() == 0 || sent < start.max_events())) {
      if (break_after != 0 && sent == break_after) {
        if (!start.subscription().empty()) TakeAck(stream);
        return rpc::ToGrpcStatus(MakeError(Reason::kDraining, "restart"));
      }
      ++sent;
      stream->Write(EventAt(++at));
    }
    if (!start.subscription().empty()) {
      while (acknowledged_ < at && TakeAck(stream)) {
      }
    }
    return grpc::Status::OK;
  }

  bool TakeAck(FakeGateway::SubscribeStream* stream) {
    SubscribeRequest request;
    if (!stream->Read(&request)) return false;
    acknowledged_ = request.ack().sequence();
    return true;
  }

  static SubscribeResponse EventAt(uint64_t sequence) {
    SubscribeResponse response;
    auto& delivered = *response.mutable_events()->add_events();
    delivered.set_sequence(sequence);
    delivered.set_origin("alpha.example");
    delivered.set_attempt(1);
    delivered.mutable_event()->set_binary_data(absl::StrCat("{\"n\":", sequence, "}"));
    return response;
  }

  CliRun Run(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"subscribe", "--gateway", gateway_.address(), "-o",
                                          "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCli(arguments);
  }
  // The lines of events `first` to `last`.
  static std::string Lines(uint64_t first, uint64_t last) {
    std::string text;
    for (uint64_t n = first; n <= last; ++n) {
      absl::StrAppend(&text, "{\"sequence\":", n,
                      ",\"origin\":\"alpha.example\",\"attempt\":1,\"event\":{\"n\":", n, "}}\n");
    }
    return text;
  }
  std::vector<events::v1::SubscribeStart> starts() {
    base::MutexLock lock(mu_);
    return starts_;
  }

  uint64_t break_after = 0;
  std::atomic<uint64_t> acknowledged_{0};
  base::Mutex mu_;
  std::vector<events::v1::SubscribeStart> starts_ CDGATE_GUARDED_BY(mu_);
  FakeGateway gateway_;
};

TEST_F(SubscribeVerbTest, PrintsEventsAndThePositionToGoOnFrom) {
  const CliRun run = Run({"--from", "earliest", "--max", "3", "--filter", "true"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(run.out, Lines(1, 3));
  EXPECT_EQ(run.err, "position life:3; go on with --from life:3\n");
  EXPECT_EQ(starts()[0].filter(), "true");
  EXPECT_TRUE(starts()[0].auto_ack());
}

TEST_F(SubscribeVerbTest, APrintedPositionGoesOnBehindIt) {
  EXPECT_EQ(Run({"--from", "life:3", "--max", "2"}).out, Lines(4, 5));
}

TEST_F(SubscribeVerbTest, ASequenceIsTheFirstEventAndGetsThePresentEpoch) {
  EXPECT_EQ(Run({"--from", "4", "--max", "2"}).out, Lines(4, 5));
  EXPECT_EQ(starts().back().from().after().epoch(), "life");
}

TEST_F(SubscribeVerbTest, ALostConnectionIsMadeAgainWithoutLossOrRepetition) {
  break_after = 4;
  const CliRun run = Run({"--from", "earliest", "--max", "9"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(run.out, Lines(1, 9));
  EXPECT_THAT(run.err, HasSubstr("connection lost: restart; again in "));
  ASSERT_EQ(starts().size(), 3u);
  EXPECT_EQ(starts()[1].max_events(), 5u);
  EXPECT_EQ(starts()[1].from().after().sequence(), 4u);
}

TEST_F(SubscribeVerbTest, NoResumeEndsWithTheConnection) {
  break_after = 4;
  const CliRun run = Run({"--from", "earliest", "--no-resume"});
  EXPECT_EQ(run.code, kExitUnreachable);
  EXPECT_EQ(run.out, Lines(1, 4));
  EXPECT_THAT(run.err, AllOf(HasSubstr("position life:4"), HasSubstr("(draining)")));
}

TEST_F(SubscribeVerbTest, ANamedSubscriptionAcknowledgesWhatWasPrinted) {
  const CliRun run = Run({"--name", "deployer", "--max", "3"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(run.out, Lines(1, 3));
  EXPECT_EQ(acknowledged_, 3u);
  EXPECT_EQ(run.err, "position life:3; go on with --name deployer\n");
  EXPECT_EQ(Run({"--name", "deployer", "--max", "2"}).out, Lines(4, 5));
  EXPECT_FALSE(starts()[0].auto_ack());
}

TEST_F(SubscribeVerbTest, SaysThatItWaitsForItsTurn) {
  gateway_.subscribe = [](FakeGateway::SubscribeStream* stream) {
    SubscribeRequest request;
    stream->Read(&request);
    EXPECT_TRUE(request.start().wait());
    SubscribeResponse response;
    response.mutable_waiting()->set_ahead(2);
    stream->Write(response);
    response.mutable_heartbeat()->set_head(10);  // while it waits
    stream->Write(response);
    response.mutable_started()->mutable_position()->set_epoch("life");
    stream->Write(response);
    stream->Write(EventAt(1));
    stream->Read(&request);
    EXPECT_EQ(request.ack().sequence(), 1u);
    return grpc::Status::OK;
  };
  const CliRun run = Run({"--name", "deployer", "--wait"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(run.out, Lines(1, 1));
  EXPECT_EQ(run.err,
            "waiting: 2 streams read first\nposition life:1; go on with --name deployer\n");
  EXPECT_EQ(Run({"--wait"}).code, kExitUsage) << "for whom?";
}

TEST_F(SubscribeVerbTest, OneThatEndsWhileItWaitsHasNoPosition) {
  gateway_.subscribe = [](FakeGateway::SubscribeStream* stream) {
    SubscribeRequest request;
    stream->Read(&request);
    SubscribeResponse response;
    response.mutable_waiting()->set_ahead(1);
    stream->Write(response);
    return rpc::ToGrpcStatus(MakeError(Reason::kSubscriptionChanged, "deleted"));
  };
  const CliRun run = Run({"--name", "deployer", "--wait"});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("waiting: 1 stream reads first\n"),
                    HasSubstr("(subscription_changed)"), testing::Not(HasSubstr("position"))));
}

TEST_F(SubscribeVerbTest, MaxOfASharedSubscriptionEndsOnceItsAcksAreTaken) {
  gateway_.subscribe = [](FakeGateway::SubscribeStream* stream) {
    SubscribeRequest request;
    stream->Read(&request);
    EXPECT_EQ(request.start().max_events(), 2u);
    SubscribeResponse response;
    response.mutable_started()->set_shared(true);
    response.mutable_started()->mutable_position()->set_epoch("life");
    stream->Write(response);
    stream->Write(EventAt(1));
    stream->Write(EventAt(2));
    std::vector<uint64_t> done;
    while (done.size() < 2 && stream->Read(&request)) {
      for (const uint64_t sequence : request.ack().sequences()) done.push_back(sequence);
    }
    EXPECT_EQ(done, (std::vector<uint64_t>{1, 2}));
    return grpc::Status::OK;
  };
  const CliRun run = Run({"--name", "workers", "--max", "2"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(run.out, Lines(1, 2));
}

TEST_F(SubscribeVerbTest, WhatIsCompleteIsNotAskedForAgain) {
  int streams = 0;
  gateway_.subscribe = [&streams](FakeGateway::SubscribeStream* stream) {
    ++streams;
    SubscribeRequest request;
    stream->Read(&request);
    SubscribeResponse response;
    response.mutable_started()->mutable_position()->set_epoch("life");
    stream->Write(response);
    for (uint64_t sequence = 1; sequence <= 3; ++sequence) stream->Write(EventAt(sequence));
    return rpc::ToGrpcStatus(MakeError(Reason::kDraining, "restart"));
  };
  const CliRun run = Run({"--name", "deployer", "--max", "3"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(run.out, Lines(1, 3));
  EXPECT_EQ(streams, 1);
}

TEST_F(SubscribeVerbTest, WhatTheGatewayRefusesIsNotTriedAgain) {
  gateway_.subscribe = [](FakeGateway::SubscribeStream*) {
    return rpc::ToGrpcStatus(MakeError(Reason::kNotGranted, "no subscriber"));
  };
  const CliRun run = Run({});
  EXPECT_EQ(run.code, kExitNotAllowed);
  EXPECT_THAT(run.err, HasSubstr("(not_granted)"));
}

TEST(SubscribeUnreachableTest, IsNotTriedAgainBeforeItEverStood) {
  const test::TempDir dir;
  EXPECT_EQ(RunCli({"subscribe", "--gateway", "unix:" + dir.File("none")}).code, kExitUnreachable);
}

}  // namespace
}  // namespace cdgate::cli
