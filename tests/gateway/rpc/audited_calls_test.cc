// What whoever records calls is told, and when their callers are answered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cdgate/events/v1/events.pb.h"
#include "gateway/rpc/server.h"
#include "tests/gateway/rpc/test_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using base::Reason;
using events::v1::DeliveredEvent;
using events::v1::GetEventRequest;
using testing::ElementsAre;

// Records GetEvent and Watch, when it is told to.
class FakeAuditor final : public CallAuditor {
 public:
  void OnRefused(const RefusedFacts& call, const absl::Status& why) override {
    Note(absl::StrCat("refused ", call.method, " ", call.principal, " ",
                      authz::ListenerName(call.listener), " ",
                      base::ReasonText(base::ReasonOf(why).value_or(Reason::kInternal))));
  }
  absl::StatusOr<std::unique_ptr<CallRecord>> Begin(const CallPtr& call,
                                                    const grpc::ByteBuffer*) override {
    base::MutexLock lock(mu_);
    if (!begin_.ok()) return begin_;
    if (call->method != kGetEvent && call->method != kWatch) return nullptr;
    return std::make_unique<Record>(*this);
  }
  void RefuseBegin(absl::Status status) {
    base::MutexLock lock(mu_);
    begin_ = std::move(status);
  }
  // The next record that ended and waits.
  CallRecord::Recorded WaitEnded() { return ended_.Wait().value_or(nullptr); }
  std::vector<std::string> notes() {
    base::MutexLock lock(mu_);
    return notes_;
  }

 private:
  class Record final : public CallRecord {
   public:
    explicit Record(FakeAuditor& auditor) : auditor_(auditor) {}
    void End(const absl::Status& outcome, const grpc::ByteBuffer* answer,
             Recorded recorded) override {
      auditor_.Note(absl::StrCat("ended ", absl::StatusCodeToString(outcome.code()),
                                 answer == nullptr ? "" : " with an answer"));
      auditor_.ended_.Set(std::move(recorded));
    }

   private:
    FakeAuditor& auditor_;
  };
  void Note(std::string text) {
    base::MutexLock lock(mu_);
    notes_.push_back(std::move(text));
  }

  base::Mutex mu_;
  absl::Status begin_ CDGATE_GUARDED_BY(mu_);
  std::vector<std::string> notes_ CDGATE_GUARDED_BY(mu_);
  Promise<CallRecord::Recorded> ended_;
};

class AuditedCallsTest : public testing::Test {
 protected:
  // Calls GetEvent of `id`; the answer comes in `answer_`.
  void Get(const std::string& id) {
    GetEventRequest request;
    request.set_id(id);
    channel_->Call<DeliveredEvent>(
        kGetEvent, request, kPatience,
        [this](absl::StatusOr<DeliveredEvent> answer) { answer_.Set(std::move(answer)); });
  }

  FakeAuditor auditor_;
  TestGateway gateway_{[this](ServerOptions& options) { options.auditor = &auditor_; }};
  std::unique_ptr<ClientChannel> channel_ = gateway_.Api("reader");
  Promise<absl::StatusOr<DeliveredEvent>> answer_;
};

TEST_F(AuditedCallsTest, TheAnswerWaitsForTheRecord) {
  Get("e1");
  const CallRecord::Recorded recorded = auditor_.WaitEnded();
  ASSERT_TRUE(recorded);
  EXPECT_FALSE(answer_.Wait(absl::Milliseconds(50)).has_value());
  recorded(absl::OkStatus());
  CDGATE_ASSERT_OK(*answer_.Wait());
  EXPECT_EQ((*answer_.Wait())->origin(), "e1");
  EXPECT_THAT(auditor_.notes(), ElementsAre("ended OK with an answer"));
}

TEST_F(AuditedCallsTest, WhatWasNotRecordedIsNotAcknowledged) {
  Get("e1");
  auditor_.WaitEnded()(base::MakeError(Reason::kDiskFull, "the disk is full"));
  EXPECT_THAT(*answer_.Wait(), test::HasReason(Reason::kDiskFull));
}

TEST_F(AuditedCallsTest, AFailureStaysTheCallersOwn) {
  Get("missing");
  auditor_.WaitEnded()(base::MakeError(Reason::kDiskFull, "the disk is full"));
  EXPECT_THAT(*answer_.Wait(), test::HasReason(Reason::kNotFound));
  EXPECT_THAT(auditor_.notes(), ElementsAre("ended NOT_FOUND"));
}

TEST_F(AuditedCallsTest, AHandlerThatGivesNoAnswerIsRecordedToo) {
  Get("drop");
  auditor_.WaitEnded()(absl::OkStatus());
  EXPECT_THAT(*answer_.Wait(), test::HasReason(Reason::kInternal));
  EXPECT_THAT(auditor_.notes(), ElementsAre("ended INTERNAL"));
}

TEST_F(AuditedCallsTest, WhatCannotBeRecordedIsNotBegun) {
  auditor_.RefuseBegin(base::MakeError(Reason::kDiskFull, "the disk is full"));
  Get("e1");
  EXPECT_THAT(*answer_.Wait(), test::HasReason(Reason::kDiskFull));
  EXPECT_TRUE(gateway_.seen().calls.empty());
}

TEST_F(AuditedCallsTest, RefusedCallsAreTold) {
  const auto stranger = gateway_.Api("stranger");
  GetEventRequest request;
  EXPECT_THAT(CallUnary<DeliveredEvent>(*stranger, kGetEvent, request),
              test::HasReason(Reason::kNotGranted));
  EXPECT_THAT(CallUnary<DeliveredEvent>(*channel_, "/no.such.Service/Method", request),
              test::HasReason(Reason::kMethodUnknown));
  EXPECT_THAT(auditor_.notes(),
              ElementsAre(absl::StrCat("refused ", kGetEvent,
                                       " spiffe://alpha.example/service/stranger api NOT_GRANTED"),
                          "refused /no.such.Service/Method  api METHOD_UNKNOWN"));
}

}  // namespace
}  // namespace cdgate::rpc
