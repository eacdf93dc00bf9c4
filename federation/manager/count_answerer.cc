#include "federation/manager/count_answerer.h"

#include <algorithm>
#include <utility>

#include "auth/trust/spiffe_id.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/event/digests.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using federation::v1::CountAnswer;
using federation::v1::CountRequest;
using federation::v1::OriginCount;

}  // namespace

struct CountAnswerer::Job {
  std::string peer;
  attestation::CountQuestion question;
  session::OriginCounter counter;
};

CountAnswerer::CountAnswerer(const CountDeps& deps)
    : deps_(deps),
      counter_deps_{.domain = deps.domain,
                    .store = deps.store,
                    .log = deps.log,
                    .keeper = deps.keeper,
                    .link_facts = deps.link_facts} {}

void CountAnswerer::OnRequest(absl::string_view peer, const CountRequest& request) {
  const std::string asker(peer);
  if (!request.digest().empty()) return GivePage(asker, request);
  const absl::string_view refusal = Refusal(asker, request);
  if (!refusal.empty()) return Refuse(asker, request.id(), refusal);
  Begin(asker, request);
}

absl::string_view CountAnswerer::Refusal(const std::string& peer, const CountRequest& request) {
  const int64_t newest = absl::ToUnixNanos(deps_.clock.Now() - kLeastCountAge);
  const bool valid = request.id().size() == attestation::kCountIdBytes &&
                     trust::ValidTrustDomain(request.destination()) && request.from_nanos() >= 0 &&
                     request.from_nanos() <= request.until_nanos() &&
                     request.until_nanos() <= newest;
  if (!valid) return base::ReasonText(Reason::kInvalidArgument);
  if (deps_.attestor == nullptr) return base::ReasonText(Reason::kAttestationUnproven);
  base::MutexLock lock(mu_);
  DropOldLists();
  Asking& asking = asking_[peer];
  if (asking.counting || counting_ >= kMaxCounting ||
      !asking.counts.Take(deps_.clock.Monotonic())) {
    return base::ReasonText(Reason::kOverloaded);
  }
  asking.counting = true;
  ++counting_;
  return "";
}

void CountAnswerer::Begin(const std::string& peer, const CountRequest& request) {
  const std::string through = request.destination() == peer ? "" : peer;
  auto job = std::shared_ptr<Job>(
      new Job{.peer = peer,
              .question = {.origin = deps_.domain,
                           .destination = request.destination(),
                           .through = through,
                           .id = request.id(),
                           .from_nanos = request.from_nanos(),
                           .until_nanos = request.until_nanos()},
              .counter = {counter_deps_,
                          {.destination = request.destination(),
                           .through = through,
                           .from = absl::FromUnixNanos(request.from_nanos()),
                           .until = absl::FromUnixNanos(request.until_nanos())}}});
  Run(job);
}

// A piece at a time: whatever else waits for the pool has its turn.
void CountAnswerer::Run(const JobPtr& job) {
  const bool queued = deps_.background.TryPost([this, job] {
    const auto done = job->counter.Step();
    if (done.ok() && !*done) return Run(job);
    if (done.ok()) return Finish(job);
    base::LogError(base::LogLevel::kError, "events not counted", done.status(),
                   {{"peer", job->peer}});
    CountAnswer answer;
    answer.set_reason(std::string(base::ReasonText(Reason::kInternal)));
    End(job, std::move(answer));
  });
  if (queued) return;
  CountAnswer answer;
  answer.set_reason(std::string(base::ReasonText(Reason::kOverloaded)));
  End(job, std::move(answer));
}

void CountAnswerer::Finish(const JobPtr& job) {
  attestation::CountedEvents counted = job->counter.Take();
  OriginCount count = attestation::CountOf(job->question, counted);
  count.set_sign_time_nanos(absl::ToUnixNanos(deps_.clock.Now()));
  CountAnswer answer;
  auto signature = deps_.attestor->Sign(attestation::OriginCountText(count));
  auto chain = signature.ok() ? deps_.attestors.ChainOf(signature->key_id) : std::nullopt;
  if (!chain) {
    const absl::Status why =
        signature.ok() ? base::MakeError(Reason::kAttestationUnproven,
                                         "the certificate of the attestor is not known yet")
                       : signature.status();
    base::LogError(base::LogLevel::kError, "a count is not signed", why, {{"peer", job->peer}});
    answer.set_reason(std::string(base::ReasonText(Reason::kAttestationUnproven)));
    return End(job, std::move(answer));
  }
  count.set_key_id(signature->key_id);
  count.set_signature(signature->signature);
  answer.set_count(count.SerializeAsString());
  *answer.mutable_attestor() = *std::move(chain);
  Keep(*job, count.digest(), std::move(counted));
  End(job, std::move(answer));
}

void CountAnswerer::Keep(const Job& job, std::string digest, attestation::CountedEvents counted) {
  auto list = std::make_shared<const List>(List{.destination = job.question.destination,
                                                .digest = std::move(digest),
                                                .counted = std::move(counted),
                                                .until = deps_.clock.Monotonic() + kListLife});
  base::MutexLock lock(mu_);
  asking_[job.peer].list = std::move(list);
  DropOldLists();
}

// Those whose time is over, and of too many the oldest.
void CountAnswerer::DropOldLists() {
  const absl::Duration now = deps_.clock.Monotonic();
  size_t lists = 0;
  auto oldest = asking_.end();
  for (auto it = asking_.begin(); it != asking_.end(); ++it) {
    auto& list = it->second.list;
    if (list != nullptr && list->until < now) list = nullptr;
    if (list == nullptr) continue;
    ++lists;
    if (oldest == asking_.end() || list->until < oldest->second.list->until) oldest = it;
  }
  if (lists > kMaxLists) oldest->second.list = nullptr;
}

void CountAnswerer::End(const JobPtr& job, CountAnswer answer) {
  {
    base::MutexLock lock(mu_);
    --counting_;
    asking_[job->peer].counting = false;
  }
  answer.set_id(job->question.id);
  Answer(job->peer, std::move(answer));
}

void CountAnswerer::GivePage(const std::string& peer, const CountRequest& request) {
  std::shared_ptr<const List> list;
  bool may = false;
  {
    base::MutexLock lock(mu_);
    Asking& asking = asking_[peer];
    list = asking.list;
    may = asking.pages.Take(deps_.clock.Monotonic());
  }
  if (!may) return Refuse(peer, request.id(), base::ReasonText(Reason::kOverloaded));
  const bool same = list != nullptr && list->digest == request.digest() &&
                    list->destination == request.destination();
  CountAnswer answer;
  answer.set_id(request.id());
  if (same) answer.set_commitments(list->counted.Page(request.page()));
  if (answer.commitments().empty()) {
    return Refuse(peer, request.id(), base::ReasonText(Reason::kNotFound));
  }
  Answer(peer, std::move(answer));
}

void CountAnswerer::Refuse(const std::string& peer, const std::string& id,
                           absl::string_view reason) {
  CountAnswer answer;
  answer.set_id(id);
  answer.set_reason(std::string(reason));
  Answer(peer, std::move(answer));
}

// Where the link is gone, whoever asked asks again.
void CountAnswerer::Answer(const std::string& peer, CountAnswer answer) {
  federation::v1::Frame frame;
  *frame.mutable_count_answer() = std::move(answer);
  static_cast<void>(deps_.send(peer, std::move(frame)));
}

}  // namespace cdgate::manager
