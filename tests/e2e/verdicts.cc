#include "tests/e2e/verdicts.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cdgate/admin/v1/admin.grpc.pb.h"
#include "tests/e2e/dial.h"

namespace cdgate::e2e {
namespace {

constexpr size_t kThreads = 8;
constexpr uint64_t kAtOnce = 4096;

class Reader {
 public:
  Reader(const std::shared_ptr<grpc::Channel>& channel, const std::string& peer, bool explain)
      : stub_(admin::v1::AdminService::NewStub(channel)), peer_(peer), explain_(explain) {}

  Verdict Read(uint64_t sequence) const {
    Verdict verdict;
    verdict.sequence = sequence;
    admin::v1::WhoGotRequest asked;
    asked.mutable_event()->set_sequence(sequence);
    admin::v1::WhoGotResponse got;
    if (!Call(&verdict, [&](auto* context) { return stub_->WhoGot(context, asked, &got); })) {
      return verdict;
    }
    verdict.event = got.event();
    for (const auto& outcome : got.outcomes()) {
      if (outcome.peer() == peer_) verdict.outcome = outcome;
    }
    if (!explain_) return verdict;
    admin::v1::ExplainEventRequest why;
    why.mutable_event()->set_sequence(sequence);
    why.set_peer(peer_);
    Call(&verdict,
         [&](auto* context) { return stub_->ExplainEvent(context, why, &verdict.explained); });
    return verdict;
  }

 private:
  template <typename Ask>
  static bool Call(Verdict* verdict, const Ask& ask) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    const grpc::Status status = ask(&context);
    if (!status.ok()) verdict->error = absl::StrCat(ReasonOf(status), " ", status.error_message());
    return status.ok();
  }

  const std::unique_ptr<admin::v1::AdminService::Stub> stub_;
  const std::string peer_;
  const bool explain_;
};

}  // namespace

void ReadVerdicts(const std::shared_ptr<grpc::Channel>& channel, const std::string& peer,
                  uint64_t first, uint64_t last, bool explain,
                  const std::function<void(const Verdict&)>& take) {
  const Reader reader(channel, peer, explain);
  for (uint64_t from = first; from <= last; from += kAtOnce) {
    std::vector<Verdict> verdicts(std::min(kAtOnce, last - from + 1));
    std::atomic<size_t> next{0};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (size_t at = next++; at < verdicts.size(); at = next++) {
          verdicts[at] = reader.Read(from + at);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Verdict& verdict : verdicts) take(verdict);
  }
}

std::string LineOf(const Verdict& v) {
  const auto plain = [](const std::string& text) {
    return absl::StrReplaceAll(text, {{"\t", " "}, {"\n", " "}});
  };
  if (!v.error.empty()) return absl::StrCat(v.sequence, "\t!\t", plain(v.error));
  return absl::StrJoin(
      {absl::StrCat(v.sequence), plain(v.event.id()), v.outcome.state(), v.outcome.reason(),
       plain(v.outcome.rule()), absl::StrCat(v.outcome.replayed() ? 1 : 0),
       absl::StrCat(v.explained.allowed() ? 1 : 0), v.explained.reason(), plain(v.explained.rule()),
       v.explained.state(), absl::StrCat(v.explained.policy_epoch().policy_version()),
       absl::StrCat(v.explained.policy_epoch().interest_version()),
       absl::StrCat(v.explained.trimmed() ? 1 : 0), v.explained.direction()},
      "\t");
}

}  // namespace cdgate::e2e
