// A publish stream whose principal has a rate, on a clock that stands still.
#include "gateway/api/publish_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cdgate/events/v1/events.pb.h"
#include "gateway/rpc/bytes.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::api {
namespace {

// What a client would see and do.
class ScriptedStream final : public rpc::ServerStream {
 public:
  explicit ScriptedStream(authz::Principal principal) { call_.principal = std::move(principal); }

  void Start(Callbacks callbacks) override {
    callbacks_ = std::move(callbacks);
    ++reads_;
  }
  void Read() override {
    base::MutexLock lock(mu_);
    ++reads_;
    changed_.SignalAll();
  }
  void Send(grpc::ByteBuffer message, rpc::SendHint, Written on_written) override {
    events::v1::PublishStreamResponse response;
    CDGATE_EXPECT_OK(rpc::Parse(message, &response));
    {
      base::MutexLock lock(mu_);
      for (const auto& result : response.results()) answered_ += result.has_error() ? 0 : 1;
      changed_.SignalAll();
    }
    on_written(true);
  }
  void Close(const absl::Status& status) override {
    base::MutexLock lock(mu_);
    closed_ = status;
    changed_.SignalAll();
  }
  void Cancel(const absl::Status&) override {}
  std::string PeerAddress() const override { return "test"; }
  const rpc::Call& call() const override { return call_; }

  void Deliver(const std::vector<std::string>& ids) {
    events::v1::PublishStreamRequest request;
    for (const std::string& id : ids) {
      request.add_events()->ParseFromString(test::SampleCloudEvent(test::SampleJson(id)));
    }
    callbacks_.on_message(rpc::Serialise(request));
  }
  void HalfClose() { callbacks_.on_end(); }
  // The session is held by them.
  void Forget() { callbacks_ = {}; }
  void WaitForAnswers(int count) {
    base::MutexLock lock(mu_);
    while (answered_ < count) changed_.Wait(mu_);
  }
  void WaitForReads(int count) {
    base::MutexLock lock(mu_);
    while (reads_ < count) changed_.Wait(mu_);
  }
  absl::Status WaitClosed() {
    base::MutexLock lock(mu_);
    while (!closed_) changed_.Wait(mu_);
    return *closed_;
  }
  int reads() {
    base::MutexLock lock(mu_);
    return reads_;
  }

 private:
  rpc::Call call_;
  Callbacks callbacks_;
  base::Mutex mu_;
  base::CondVar changed_;
  int reads_ CDGATE_GUARDED_BY(mu_) = 0;
  int answered_ CDGATE_GUARDED_BY(mu_) = 0;
  std::optional<absl::Status> closed_ CDGATE_GUARDED_BY(mu_);
};

class PublishStreamTest : public testing::Test {
 protected:
  ~PublishStreamTest() override {
    if (stream_ != nullptr) stream_->Forget();
    pool_.Shutdown();
  }
  void Start(rpc::RateBound events) {
    rates_ = std::make_unique<rpc::PrincipalRates>(rpc::PrincipalRates::Options{
        .calls = {}, .events = events, .clock = f_.clock, .metrics = f_.metrics});
    stream_ = std::make_shared<ScriptedStream>(f_.Jenkins());
    PublishStream::Run(stream_, {.admission = *f_.admission,
                                 .store = *f_.store,
                                 .pool = pool_,
                                 .rates = *rates_,
                                 .clock = f_.clock,
                                 .timers = timers_});
  }

  test::AdmissionFixture f_;
  test::FakeTimerQueue timers_{f_.clock};
  base::ThreadPool pool_{{.name = "api", .threads = 2}};
  std::unique_ptr<rpc::PrincipalRates> rates_;
  std::shared_ptr<ScriptedStream> stream_;
};

TEST_F(PublishStreamTest, WithoutARateItReadsOn) {
  Start({});
  for (int i = 0; i < 10; ++i) {
    stream_->Deliver({absl::StrCat("e", i)});
    stream_->WaitForReads(i + 2);
  }
  stream_->HalfClose();
  CDGATE_EXPECT_OK(stream_->WaitClosed());
  stream_->WaitForAnswers(10);
}

TEST_F(PublishStreamTest, AboveTheRateItIsReadLaterAndNothingIsRefused) {
  Start({.per_second = 2, .burst = 2});
  stream_->Deliver({"a", "b", "c", "d"});
  stream_->WaitForAnswers(4);  // what came is taken
  const int before = stream_->reads();
  EXPECT_LE(before, 2) << "it had one read in hand at most";
  ASSERT_EQ(timers_.pending(), 1u);
  timers_.Advance(absl::Milliseconds(900));
  EXPECT_EQ(timers_.pending(), 1u) << "two events are owed: a second's";
  timers_.Advance(absl::Milliseconds(200));
  EXPECT_EQ(timers_.pending(), 0u);
  stream_->WaitForReads(2);
  stream_->Deliver({"e"});
  stream_->WaitForAnswers(5);
}

TEST_F(PublishStreamTest, ATimerOfAStreamThatIsGoneDoesNothing) {
  Start({.per_second = 1, .burst = 1});
  stream_->Deliver({"a", "b", "c"});
  stream_->WaitForAnswers(3);
  stream_->Forget();
  stream_.reset();
  timers_.Advance(absl::Minutes(1));
}

}  // namespace
}  // namespace cdgate::api
