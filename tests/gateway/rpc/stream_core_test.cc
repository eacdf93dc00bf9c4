#include "gateway/rpc/stream_core.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gateway/rpc/bytes.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using base::Reason;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr absl::Duration kStall = absl::Seconds(30);
constexpr absl::Duration kFirst = absl::Seconds(10);

// A transport that records what it is asked, and whose completions the test forwards.
class StreamCoreTest : public testing::Test, public StreamCore::Transport {
 protected:
  void Make(StreamCore::Side side) {
    core_ = std::make_shared<StreamCore>(StreamCore::Options{.side = side,
                                                             .clock = clock_,
                                                             .timers = timers_,
                                                             .stall_limit = kStall,
                                                             .first_message_limit = kFirst},
                                         *this);
    core_->Bind(core_);
  }

  void Start() {
    core_->Start({.on_message = [this](const grpc::ByteBuffer& m) { Note("message ", m); },
                  .on_end = [this] { log_.push_back("end"); },
                  .on_closed =
                      [this](const absl::Status& status) {
                        log_.push_back("closed");
                        closed_ = status;
                      }});
  }

  void Send(const std::string& text) {
    core_->Send(ToBytes(text), SendHint::kNow,
                [this](bool ok) { log_.push_back(ok ? "written" : "unwritten"); });
  }

  void Arrive(const std::string& text) {
    *reading_ = ToBytes(text);
    core_->OnReadDone(true);
  }

  void FailWriteOfClientThatDoesNotRead() {
    Make(StreamCore::Side::kClient);
    Start();
    Arrive("a");
    Send("x");
    Log();
    core_->OnWriteDone(false);
    EXPECT_THAT(Log(), testing::ElementsAre("unwritten"));
  }

  std::vector<std::string> Log() { return std::exchange(log_, {}); }

  void StartRead(grpc::ByteBuffer* into) override {
    reading_ = into;
    log_.push_back("read");
  }
  void StartWrite(const grpc::ByteBuffer& message, SendHint) override { Note("write ", message); }
  void StartEnd(const absl::Status& status, const grpc::ByteBuffer* last) override {
    if (last != nullptr) Note("last ", *last);
    log_.push_back("finish " + std::string(absl::StatusCodeToString(status.code())));
  }
  void Release() override { log_.push_back("release"); }
  void Abort() override { log_.push_back("abort"); }

  void Note(const std::string& what, const grpc::ByteBuffer& bytes) {
    log_.push_back(what + std::string(FlatBytes(bytes).view()));
  }

  test::FakeClock clock_;
  test::FakeTimerQueue timers_{clock_};
  std::shared_ptr<StreamCore> core_;
  grpc::ByteBuffer* reading_ = nullptr;
  std::vector<std::string> log_;
  absl::Status closed_;
};

TEST_F(StreamCoreTest, MessagesComeOneForEachRead) {
  Make(StreamCore::Side::kServer);
  Start();
  EXPECT_THAT(Log(), ElementsAre("read"));
  Arrive("a");
  EXPECT_THAT(Log(), ElementsAre("message a"));
  core_->Read();
  EXPECT_THAT(Log(), ElementsAre("read"));
  Arrive("b");
  EXPECT_THAT(Log(), ElementsAre("message b"));
}

TEST_F(StreamCoreTest, ServerFinishesOnceWritesAreDone) {
  Make(StreamCore::Side::kServer);
  Start();
  Send("x");
  core_->Close(absl::OkStatus());
  EXPECT_THAT(Log(), ElementsAre("read", "write x"));
  core_->OnWriteDone(true);
  EXPECT_THAT(Log(), ElementsAre("written", "finish OK"));
  core_->OnReadDone(false);  // the read under way ends with the call
  core_->OnDone(absl::OkStatus());
  EXPECT_THAT(Log(), ElementsAre("closed"));
  CDGATE_EXPECT_OK(closed_);
  EXPECT_EQ(timers_.pending(), 0U);
}

TEST_F(StreamCoreTest, NothingStartsAfterClose) {
  Make(StreamCore::Side::kServer);
  Start();
  core_->Close(base::MakeError(Reason::kDraining, "bye"));
  EXPECT_THAT(Log(), ElementsAre("read", "finish UNAVAILABLE"));
  core_->Read();
  Send("late");
  core_->Close(absl::OkStatus());
  EXPECT_THAT(Log(), ElementsAre("unwritten"));
  core_->OnReadDone(false);
  core_->OnDone(absl::OkStatus());
  EXPECT_THAT(closed_, test::HasReason(Reason::kDraining));
}

TEST_F(StreamCoreTest, MessagesThatComeWhileClosingAreDropped) {
  Make(StreamCore::Side::kServer);
  Start();
  core_->Close(absl::OkStatus());
  Arrive("late");
  EXPECT_THAT(Log(), ElementsAre("read", "finish OK"));
}

TEST_F(StreamCoreTest, CancelledCallEndsByItself) {
  Make(StreamCore::Side::kServer);
  Start();
  Send("x");
  Log();
  core_->OnCancelled(base::MakeError(Reason::kCancelled, "gone"));
  EXPECT_THAT(Log(), IsEmpty());
  core_->OnWriteDone(false);
  EXPECT_THAT(Log(), ElementsAre("unwritten", "finish CANCELLED"));
  core_->OnReadDone(false);
  core_->OnDone(absl::OkStatus());
  EXPECT_THAT(closed_, test::HasReason(Reason::kCancelled));
}

TEST_F(StreamCoreTest, HalfCloseIsToldAndWritingGoesOn) {
  Make(StreamCore::Side::kServer);
  Start();
  core_->OnReadDone(false);
  EXPECT_THAT(Log(), ElementsAre("read", "end"));
  core_->Read();
  Send("answer");
  EXPECT_THAT(Log(), ElementsAre("write answer"));
}

TEST_F(StreamCoreTest, SecondSendBeforeTheFirstIsWrittenEndsTheStream) {
  Make(StreamCore::Side::kServer);
  Start();
  Send("one");
  Send("two");
  EXPECT_THAT(Log(), ElementsAre("read", "write one", "abort", "unwritten"));
  core_->OnWriteDone(false);
  core_->OnReadDone(false);
  core_->OnDone(absl::OkStatus());
  EXPECT_THAT(closed_, test::HasReason(Reason::kInternal));
}

TEST_F(StreamCoreTest, SecondReadEndsTheStream) {
  Make(StreamCore::Side::kServer);
  Start();
  core_->Read();
  EXPECT_THAT(Log(), ElementsAre("read", "abort", "finish INTERNAL"));
}

TEST_F(StreamCoreTest, WriteThatStallsEndsTheStream) {
  Make(StreamCore::Side::kServer);
  Start();
  Arrive("hello");
  Send("x");
  Log();
  timers_.Advance(kStall - absl::Milliseconds(1));
  EXPECT_THAT(Log(), IsEmpty());
  timers_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(Log(), ElementsAre("abort"));
  core_->OnWriteDone(false);
  core_->OnDone(absl::OkStatus());
  EXPECT_THAT(closed_, test::HasReason(Reason::kSlowConsumer));
}

TEST_F(StreamCoreTest, WritesThatGoOnAreNotStalled) {
  Make(StreamCore::Side::kServer);
  Start();
  Arrive("hello");
  Log();
  for (int i = 0; i < 10; ++i) {
    Send("x");
    timers_.Advance(kStall / 2);
    core_->OnWriteDone(true);
  }
  timers_.Advance(10 * kStall);  // nothing is being written
  for (const std::string& entry : Log()) EXPECT_NE(entry, "abort");
  EXPECT_LE(timers_.pending(), 1U);
}

TEST_F(StreamCoreTest, EndThatStallsIsAborted) {
  Make(StreamCore::Side::kServer);
  Start();
  core_->CloseWith(ToBytes("large"));
  EXPECT_THAT(Log(), ElementsAre("read", "last large", "finish OK"));
  timers_.Advance(kStall);
  EXPECT_THAT(Log(), ElementsAre("abort"));
  core_->OnReadDone(false);
  core_->OnDone(absl::OkStatus());
  EXPECT_THAT(closed_, test::HasReason(Reason::kSlowConsumer));
}

TEST_F(StreamCoreTest, CallWithoutAFirstMessageEnds) {
  Make(StreamCore::Side::kServer);
  Start();
  timers_.Advance(kFirst);
  EXPECT_THAT(Log(), ElementsAre("read", "abort", "finish DEADLINE_EXCEEDED"));
  core_->OnReadDone(false);
  core_->OnDone(absl::OkStatus());
  EXPECT_THAT(closed_, test::HasReason(Reason::kDeadlineExceeded));
}

TEST_F(StreamCoreTest, LaterMessagesMayTakeTheirTime) {
  Make(StreamCore::Side::kServer);
  Start();
  Arrive("first");
  core_->Read();
  timers_.Advance(100 * kFirst);
  EXPECT_THAT(Log(), ElementsAre("read", "message first", "read"));
}

TEST_F(StreamCoreTest, FirstMessageComesBeforeStart) {
  Make(StreamCore::Side::kServer);
  core_->ReadFirst([this](grpc::ByteBuffer* message) { Note("first ", *message); });
  Arrive("request");
  EXPECT_THAT(Log(), ElementsAre("read", "first request"));
  Start();
  EXPECT_THAT(Log(), ElementsAre("read"));
  Send("response");
  EXPECT_THAT(Log(), ElementsAre("write response"));
}

TEST_F(StreamCoreTest, StartAfterTheEndTellsTheEnd) {
  Make(StreamCore::Side::kServer);
  core_->ReadFirst([](grpc::ByteBuffer*) {});
  Arrive("request");
  core_->OnCancelled(base::MakeError(Reason::kCancelled, "gone"));
  core_->OnDone(absl::OkStatus());
  Log();
  Start();
  EXPECT_THAT(Log(), ElementsAre("closed"));
  EXPECT_THAT(closed_, test::HasReason(Reason::kCancelled));
}

TEST_F(StreamCoreTest, ClientHalfClosesAndReadsToTheEnd) {
  Make(StreamCore::Side::kClient);
  Start();
  Arrive("a");
  core_->Close(absl::OkStatus());
  // It was not reading: what still comes is drained, or the server's end would not be seen.
  EXPECT_THAT(Log(), ElementsAre("read", "message a", "finish OK", "read"));
  core_->OnEndDone();
  Arrive("b");
  EXPECT_THAT(Log(), ElementsAre("read"));
  core_->OnReadDone(false);
  EXPECT_THAT(Log(), ElementsAre("release"));
  core_->OnDone(base::MakeError(Reason::kDraining, "server went"));
  EXPECT_THAT(closed_, test::HasReason(Reason::kDraining));
}

TEST_F(StreamCoreTest, ClientDoesNotWaitForEverForTheServersEnd) {
  Make(StreamCore::Side::kClient);
  Start();
  core_->Close(absl::OkStatus());
  core_->OnEndDone();
  Log();
  timers_.Advance(absl::Seconds(5));
  EXPECT_THAT(Log(), ElementsAre("abort"));
  core_->OnReadDone(false);
  EXPECT_THAT(Log(), ElementsAre("release"));
}

TEST_F(StreamCoreTest, ServersEndReleasesTheClient) {
  Make(StreamCore::Side::kClient);
  Start();
  core_->OnReadDone(false);
  EXPECT_THAT(Log(), ElementsAre("read", "end", "release"));
  core_->OnDone(absl::OkStatus());
  EXPECT_THAT(Log(), ElementsAre("closed"));
  CDGATE_EXPECT_OK(closed_);
}

TEST_F(StreamCoreTest, ClientReadsOnAfterAWriteFailed) {
  Make(StreamCore::Side::kClient);
  Start();
  Send("x");
  Log();
  core_->OnWriteDone(false);
  Send("y");
  EXPECT_THAT(Log(), ElementsAre("unwritten", "unwritten"));
  Arrive("go away");
  core_->Read();
  core_->OnReadDone(false);
  EXPECT_THAT(Log(), ElementsAre("message go away", "read", "end", "release"));
}

// gRPC has it still, and tells of the call's end only behind it.
TEST_F(StreamCoreTest, ClientThatWasNotReadingReadsOnAfterAWriteFailed) {
  FailWriteOfClientThatDoesNotRead();
  core_->Read();
  Arrive("go away");
  core_->Read();
  core_->OnReadDone(false);
  EXPECT_THAT(Log(), ElementsAre("read", "message go away", "read", "end", "release"));
}

TEST_F(StreamCoreTest, ClientWhoseWriteFailedClosesAndIsReadToTheEnd) {
  FailWriteOfClientThatDoesNotRead();
  core_->Close(absl::OkStatus());
  EXPECT_THAT(Log(), ElementsAre("finish OK", "read"));
  core_->OnEndDone();
  Arrive("go away");
  core_->OnReadDone(false);
  EXPECT_THAT(Log(), ElementsAre("read", "release"));
}

TEST_F(StreamCoreTest, ClientWhoseWriteFailedIsCancelled) {
  FailWriteOfClientThatDoesNotRead();
  core_->Cancel(base::MakeError(Reason::kFrozen, "frozen"));
  EXPECT_THAT(Log(), ElementsAre("abort", "release"));
}

TEST_F(StreamCoreTest, CancelledClientReleasesOnceNothingIsUnderWay) {
  Make(StreamCore::Side::kClient);
  Start();
  Send("x");
  core_->Cancel(base::MakeError(Reason::kFrozen, "frozen"));
  EXPECT_THAT(Log(), ElementsAre("read", "write x", "abort"));
  core_->OnWriteDone(false);
  EXPECT_THAT(Log(), ElementsAre("unwritten"));
  core_->OnReadDone(false);
  EXPECT_THAT(Log(), ElementsAre("release"));
  core_->OnDone(absl::CancelledError("x"));
  EXPECT_THAT(closed_, test::HasReason(Reason::kFrozen));
}

TEST_F(StreamCoreTest, ClientClosedBeforeStartNeverReachesTheServer) {
  Make(StreamCore::Side::kClient);
  core_->Cancel(base::MakeError(Reason::kFrozen, "frozen"));
  Log();
  Start();
  EXPECT_THAT(Log(), ElementsAre("closed"));
  EXPECT_THAT(closed_, test::HasReason(Reason::kFrozen));
}

}  // namespace
}  // namespace cdgate::rpc
