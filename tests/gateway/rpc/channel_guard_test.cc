#include "gateway/rpc/channel_guard.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "gateway/base/errors.h"
#include "gateway/rpc/address.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(50);

// Shows the guard sockets as gRPC would, and is the server, too.
class ChannelGuardTest : public testing::Test {
 protected:
  ChannelGuardTest()
      : guard_(ChannelGuard::Create({.target = "beta.example:8443",
                                     .clock = clock_,
                                     .timers = timers_,
                                     .limits = {.slack_bytes = 64 << 10,
                                                .max_message_bytes = 64 << 10,
                                                .window_bytes = 64 << 10,
                                                .max_streams = 1000}})) {}

  void Dial() {
    const BoundSocket listening = ListenTcp("127.0.0.1:0").value();
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    getsockname(listening.fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    client_ = OwnedFd(socket(AF_INET, SOCK_STREAM, 0));
    guard_->Watch(client_.get());
    ASSERT_EQ(connect(client_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    server_ = OwnedFd(accept(listening.fd.get(), nullptr, nullptr));
  }

  // The server sends `size` bytes, and all have come.
  void Receive(size_t size) {
    const std::string bytes(size, 'x');
    ASSERT_EQ(send(server_.get(), bytes.data(), size, 0), static_cast<ssize_t>(size));
    std::string received(size, 0);
    ASSERT_EQ(recv(client_.get(), received.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
  }

  test::FakeClock clock_;
  test::FakeTimerQueue timers_{clock_};
  const std::shared_ptr<ChannelGuard> guard_;
  OwnedFd client_;
  OwnedFd server_;
};

TEST_F(ChannelGuardTest, ServerThatSendsWhatNoCallExplainsIsCut) {
  Dial();
  const absl::Duration begun = clock_.Monotonic();
  guard_->BeginCall();
  Receive(100 << 10);  // a part of a message, within what is allowed
  timers_.Advance(kTick);
  CDGATE_EXPECT_OK(guard_->CutSince(begun));
  Receive(100 << 10);
  timers_.Advance(kTick);
  EXPECT_THAT(guard_->CutSince(begun), test::HasReason(base::Reason::kConnectionAbuse));
  char byte;
  EXPECT_LE(recv(server_.get(), &byte, 1, 0), 0);  // and the server is told
  clock_.Advance(kTick);
  CDGATE_EXPECT_OK(guard_->CutSince(clock_.Monotonic()));  // calls that begin later
}

TEST_F(ChannelGuardTest, MessagesExplainWhatCame) {
  Dial();
  guard_->BeginCall();
  for (int i = 0; i < 50; ++i) {
    Receive(64 << 10);
    guard_->counters.CountMessage(64 << 10);
    timers_.Advance(kTick);
  }
  CDGATE_EXPECT_OK(guard_->CutSince(absl::ZeroDuration()));
}

TEST_F(ChannelGuardTest, WatchesTheConnectionWhetherOrNotThereAreCalls) {
  Dial();
  guard_->BeginCall();
  guard_->EndCall();
  timers_.Advance(absl::Seconds(10));
  EXPECT_EQ(timers_.pending(), 1U);
  server_ = OwnedFd();
  for (int i = 0; i < 100 && timers_.pending() > 0; ++i) {
    usleep(1000);  // the kernel hands the FIN over in its own time
    timers_.Advance(kTick);
  }
  EXPECT_EQ(timers_.pending(), 0U);
}

TEST_F(ChannelGuardTest, SocketThatNeverConnectsIsLetGo) {
  client_ = OwnedFd(socket(AF_INET, SOCK_STREAM, 0));
  guard_->Watch(client_.get());
  guard_->BeginCall();
  guard_->EndCall();
  timers_.Advance(absl::Seconds(1));
  EXPECT_EQ(timers_.pending(), 1U);
  timers_.Advance(absl::Seconds(10));
  EXPECT_EQ(timers_.pending(), 0U);
}

}  // namespace
}  // namespace cdgate::rpc
