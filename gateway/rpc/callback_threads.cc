#include "gateway/rpc/callback_threads.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <utility>

#include "gateway/base/mutex.h"
#include "gateway/base/tsan.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::rpc {
namespace {

using ChannelPtr = std::shared_ptr<grpc::Channel>;

// A call that fails at once, until its completion, which always comes.
struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer request = ToBytes("");
  grpc::ByteBuffer response;
  std::function<void()> done;
};

void Complete(Call* raw) {
  CDGATE_TAKEN_OVER(raw);
  const std::unique_ptr<Call> call(raw);
  call->done();
}

// `done` runs on one of the threads.
void FailOn(const ChannelPtr& channel, std::function<void()> done) {
  Call* const call = std::make_unique<Call>().release();  // Complete() takes it back
  call->done = std::move(done);
  CDGATE_HANDED_OVER(call);
  grpc::GenericStub(channel).UnaryCall(&call->context, "/", grpc::StubOptions(), &call->request,
                                       &call->response,
                                       [call](const grpc::Status&) { Complete(call); });
}

// A channel takes its share in the threads with its first call. Without credentials it is
// one that fails every call: no socket, no name is looked up.
ChannelPtr* TakeShare() {
  auto channel = std::make_unique<ChannelPtr>(grpc::CreateChannel("", nullptr));
  FailOn(*channel, [] {});
  return channel.release();
}

const ChannelPtr& Share() {
  // Never given back: no moment of a process is late enough. Volatile, or the compiler
  // keeps no pointer to it and leak checkers see none.
  static ChannelPtr* volatile const share = TakeShare();
  return *share;
}

}  // namespace

void KeepCallbackThreads() { (void)Share(); }

class CallbackBeat::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(base::Clock& clock, base::TimerQueue& timers) : clock_(clock), timers_(timers) {}

  void Arm() {
    // Held meanwhile, because after Stop() nobody touches the timers, which may be gone.
    base::MutexLock lock(mu_);
    if (stopped_) return;
    timer_ = timers_.At(clock_.Monotonic() + kInterval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Beat();
    });
  }

  void Stop() {
    base::MutexLock lock(mu_);
    stopped_ = true;
    timers_.Cancel(timer_);
  }

 private:
  void Beat() {
    FailOn(Share(), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Arm();
    });
  }

  base::Clock& clock_;
  base::TimerQueue& timers_;
  base::Mutex mu_;
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
  base::TimerQueue::Id timer_ CDGATE_GUARDED_BY(mu_) = 0;
};

CallbackBeat::CallbackBeat(base::Clock& clock, base::TimerQueue& timers)
    : core_(std::make_shared<Core>(clock, timers)) {
  core_->Arm();
}

CallbackBeat::~CallbackBeat() { core_->Stop(); }

}  // namespace cdgate::rpc
