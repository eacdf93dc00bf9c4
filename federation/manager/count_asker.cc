#include "federation/manager/count_asker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "federation/session/held_events.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/digests.h"

namespace cdgate::manager {
namespace {

using attestation::Digest;
using base::Reason;
using event::AsBytes;
using federation::v1::CountAnswer;
using federation::v1::CountRequest;
using federation::v1::OriginCount;

absl::Status Misasked(absl::string_view field, absl::string_view what) {
  return base::MakeError(Reason::kInvalidArgument, what, {{"field", std::string(field)}});
}

absl::Status NoWay(absl::string_view what) { return base::MakeError(Reason::kLinkDown, what); }

// What a peer says instead of an answer.
std::string WordsOf(absl::string_view peer, const std::string& reason) {
  return absl::StrCat(peer, " answered ", base::Shorten(reason, 40));
}

}  // namespace

struct CountAsker::Inquiry {
  attestation::CountQuestion question;
  std::string way;  // the peer that is asked
  std::string through;
  Reported reported;
  // Guarded by CountAsker::mu_.
  bool waiting = false;
  uint64_t turn = 0;  // frames that were sent
  // Of the one task at a time.
  OriginCount count;  // empty: not known yet
  std::string list;   // pages so far
  std::optional<session::HeldEvents> held;
};

CountAsker::CountAsker(const CountDeps& deps) : deps_(deps) {
  for (const char* result : {"complete", "missing", "unanswered", "failed"}) CountResult(result, 0);
}

std::shared_ptr<CountAsker> CountAsker::Create(const CountDeps& deps) {
  return std::shared_ptr<CountAsker>(new CountAsker(deps));
}

void CountAsker::CountResult(const char* result, double n) const {
  deps_.metrics
      .AddCounter("cdgate_origin_counts_total",
                  "Times that an origin was asked what it gave away for us, by result.",
                  {{"result", result}})
      .Add(n);
}

// ----------------------------------------------------------------------- asking

absl::StatusOr<std::string> CountAsker::WayFor(CountAsk* ask) const {
  const auto resources = deps_.store.Resources();
  if (ask->through == ask->origin) ask->through.clear();
  if (!ask->through.empty()) return ask->through;
  if (resources->Find(state::kPeerKind, ask->origin) != nullptr) return ask->origin;
  std::vector<std::string> ways;
  for (const state::ResourcePtr& peer : resources->List(state::kPeerKind)) {
    if (deps_.knows_counts(peer->name)) ways.push_back(peer->name);
  }
  if (ways.empty()) {
    return NoWay(absl::StrCat("no link is up that a question to ", ask->origin, " could go over"));
  }
  if (ways.size() > 1) {
    return Misasked("through", absl::StrCat(ask->origin, " could be asked through ",
                                            absl::StrJoin(ways, ", "), "; say which"));
  }
  ask->through = ways.front();
  return ways.front();
}

absl::Status CountAsker::CompleteTimes(CountAsk* ask) const {
  const absl::Time now = deps_.clock.Now();
  if (ask->until == absl::InfinitePast()) ask->until = now - kDefaultCountAge;
  if (ask->from == absl::InfinitePast()) ask->from = ask->until - kDefaultCountLength;
  if (ask->until > now - kLeastCountAge) {
    return Misasked("until_time",
                    absl::StrCat("events of the last ", absl::FormatDuration(kLeastCountAge),
                                 " may be on their way; ask about earlier ones"));
  }
  if (ask->from > ask->until || ask->from < absl::UnixEpoch()) {
    return Misasked("from_time", "the while ends before it begins");
  }
  // What retention removed here cannot be told from what never came.
  CDGATE_ASSIGN_OR_RETURN(const absl::Time kept_since, session::KeptSince(deps_.log));
  ask->from = std::max(ask->from, kept_since + session::kClockSkew);
  if (ask->from <= ask->until) return absl::OkStatus();
  return Misasked("until_time", "our log has nothing any more of that while");
}

absl::StatusOr<CountAsker::InquiryPtr> CountAsker::Begin(CountAsk ask, Reported reported) {
  if (ask.origin.empty() || ask.origin == deps_.domain) {
    return Misasked("origin", "the origin is another domain than ours");
  }
  CDGATE_RETURN_IF_ERROR(CompleteTimes(&ask));
  CDGATE_ASSIGN_OR_RETURN(const std::string way, WayFor(&ask));
  if (!deps_.knows_counts(way)) {
    return NoWay(absl::StrCat("no link with ", way, " is up that knows of counts"));
  }
  auto inquiry = std::make_shared<Inquiry>();
  inquiry->question = {.origin = ask.origin,
                       .destination = deps_.domain,
                       .through = ask.through,
                       .id = deps_.random.Bytes(attestation::kCountIdBytes),
                       .from_nanos = absl::ToUnixNanos(ask.from),
                       .until_nanos = absl::ToUnixNanos(ask.until)};
  inquiry->way = way;
  inquiry->reported = std::move(reported);
  return inquiry;
}

void CountAsker::Ask(CountAsk ask, Reported reported) {
  const std::string origin = ask.origin;
  auto inquiry = Begin(std::move(ask), reported);
  if (!inquiry.ok()) return reported(inquiry.status());
  bool asked = false;
  {
    base::MutexLock lock(mu_);
    asked = std::any_of(inquiries_.begin(), inquiries_.end(), [&origin](const auto& other) {
      return other.second->question.origin == origin;
    });
    if (!asked) inquiries_[(*inquiry)->question.id] = *inquiry;
  }
  if (!asked) return Send(*inquiry);
  reported(base::MakeError(Reason::kOverloaded,
                           absl::StrCat(origin,
                                        " is being asked already; try again when that is "
                                        "answered")));
}

// The question, or for the next page.
void CountAsker::Send(const InquiryPtr& inquiry) {
  federation::v1::Frame frame;
  CountRequest& request = *frame.mutable_count_request();
  request.set_id(inquiry->question.id);
  request.set_origin(inquiry->question.origin);
  request.set_destination(inquiry->question.destination);
  request.set_from_nanos(inquiry->question.from_nanos);
  request.set_until_nanos(inquiry->question.until_nanos);
  request.set_digest(inquiry->count.digest());
  request.set_page(static_cast<uint32_t>(inquiry->list.size() /
                                         (attestation::kCommitmentsOfPage * crypto::kSha256Bytes)));
  Arm(inquiry);
  if (deps_.send(inquiry->way, std::move(frame))) return;
  if (TakeWaiting(inquiry->way, inquiry->question.id) == nullptr) return;
  FinishUnanswered(inquiry, absl::StrCat("the link with ", inquiry->way, " went down"));
}

void CountAsker::Arm(const InquiryPtr& inquiry) {
  uint64_t turn = 0;
  {
    base::MutexLock lock(mu_);
    inquiry->waiting = true;
    turn = ++inquiry->turn;
  }
  // One that is too late finds another turn, or nobody waiting.
  deps_.timers.At(deps_.clock.Monotonic() + kAnswerWait,
                  [weak = weak_from_this(), id = inquiry->question.id, turn] {
                    if (const auto self = weak.lock()) self->OnTimeout(id, turn);
                  });
}

CountAsker::InquiryPtr CountAsker::TakeWaiting(absl::string_view peer, const std::string& id) {
  base::MutexLock lock(mu_);
  const auto it = inquiries_.find(id);
  if (it == inquiries_.end() || it->second->way != peer || !it->second->waiting) return nullptr;
  it->second->waiting = false;
  return it->second;
}

void CountAsker::OnTimeout(const std::string& id, uint64_t turn) {
  InquiryPtr inquiry;
  {
    base::MutexLock lock(mu_);
    const auto it = inquiries_.find(id);
    if (it == inquiries_.end() || it->second->turn != turn || !it->second->waiting) return;
    it->second->waiting = false;
    inquiry = it->second;
  }
  Post(inquiry, [this, inquiry] {
    FinishUnanswered(inquiry, absl::StrCat(inquiry->way, " did not answer within ",
                                           absl::FormatDuration(kAnswerWait)));
  });
}

// --------------------------------------------------------------------- answers

void CountAsker::OnAnswer(absl::string_view peer, const CountAnswer& answer) {
  InquiryPtr inquiry = TakeWaiting(peer, answer.id());
  if (inquiry == nullptr) return;
  Post(inquiry, [this, inquiry, answer] { Handle(inquiry, answer); });
}

void CountAsker::Post(const InquiryPtr& inquiry, base::Task task) {
  if (deps_.background.TryPost(std::move(task))) return;
  Finish(inquiry, base::MakeError(Reason::kOverloaded, "the gateway is busy; try again"));
}

void CountAsker::Handle(const InquiryPtr& inquiry, const CountAnswer& answer) {
  if (!answer.reason().empty()) {
    return FinishUnanswered(inquiry, WordsOf(inquiry->way, answer.reason()));
  }
  if (inquiry->held) {
    const absl::Status taken = TakePage(*inquiry, answer);
    if (!taken.ok()) return Finish(inquiry, taken);
    if (inquiry->list.size() < inquiry->count.count() * crypto::kSha256Bytes) return Send(inquiry);
    auto counted = attestation::ReadCommitments(inquiry->list);
    if (!counted.ok()) return Finish(inquiry, counted.status());
    if (AsBytes(attestation::CommitmentsDigest(*counted)) != inquiry->count.digest()) {
      return Finish(inquiry, base::MakeError(Reason::kAttestationInvalid,
                                             absl::StrCat("the list that came is not the one that ",
                                                          inquiry->question.origin, " signed")));
    }
    return FinishBy(inquiry, *counted);
  }
  const absl::Status taken = TakeCount(*inquiry, answer);
  if (!taken.ok()) return Finish(inquiry, taken);
  // What came until now: later than what the origin counted.
  inquiry->held.emplace(deps_.log, inquiry->question.origin,
                        absl::FromUnixNanos(inquiry->count.from_nanos()),
                        absl::FromUnixNanos(inquiry->count.until_nanos()));
  Scan(inquiry);
}

absl::Status CountAsker::TakeCount(Inquiry& inquiry, const CountAnswer& answer) {
  OriginCount count;
  if (!count.ParseFromString(answer.count())) {
    return base::MakeError(Reason::kAttestationInvalid, "a count is malformed");
  }
  CDGATE_RETURN_IF_ERROR(attestation::CheckOriginCount(count, inquiry.question));
  if (answer.has_attestor() && deps_.take_attestors) {
    federation::v1::Attestors sent;
    *sent.add_attestors() = answer.attestor();
    deps_.take_attestors(inquiry.way, sent);
  }
  CDGATE_ASSIGN_OR_RETURN(const attestation::AttestorKey key,
                          deps_.attestors.Find(count.origin(), count.key_id(),
                                               absl::FromUnixNanos(count.sign_time_nanos())));
  if (!key.Fits(attestation::OriginCountText(count), count.signature())) {
    return base::MakeError(
        Reason::kAttestationInvalid,
        absl::StrCat("the count that came is not what ", count.origin(), " signed"));
  }
  inquiry.count = std::move(count);
  return absl::OkStatus();
}

absl::Status CountAsker::TakePage(Inquiry& inquiry, const CountAnswer& answer) {
  const size_t missing = inquiry.count.count() * crypto::kSha256Bytes - inquiry.list.size();
  const size_t page = attestation::kCommitmentsOfPage * crypto::kSha256Bytes;
  if (answer.commitments().size() != std::min(missing, page)) {
    return base::MakeError(
        Reason::kAttestationInvalid,
        absl::StrCat("a part of the list of ", inquiry.question.origin, " has ",
                     answer.commitments().size(), " bytes, not ", std::min(missing, page)));
  }
  inquiry.list.append(answer.commitments());
  return absl::OkStatus();
}

// ------------------------------------------------------------------- comparing

// A piece at a time: whatever else waits for the pool has its turn.
void CountAsker::Scan(const InquiryPtr& inquiry) {
  Post(inquiry, [this, inquiry] {
    const auto done = inquiry->held->Step();
    if (!done.ok()) return Finish(inquiry, done.status());
    if (!*done) return Scan(inquiry);
    inquiry->held->Sort();
    OnScanned(inquiry);
  });
}

// Where all of it is here, the list need not be asked for.
void CountAsker::OnScanned(const InquiryPtr& inquiry) {
  const std::vector<Digest>& here = inquiry->held->here();
  if (AsBytes(attestation::CommitmentsDigest(here)) == inquiry->count.digest()) {
    return FinishBy(inquiry, here);
  }
  if (inquiry->count.count() == 0) return FinishBy(inquiry, {});
  Send(inquiry);
}

void CountAsker::FinishBy(const InquiryPtr& inquiry, const std::vector<Digest>& counted) {
  const OriginCount& count = inquiry->count;
  CountReport report{
      .origin = count.origin(),
      .through = count.through(),
      .from = absl::FromUnixNanos(count.from_nanos()),
      .until = absl::FromUnixNanos(count.until_nanos()),
      .sign_time = absl::FromUnixNanos(count.sign_time_nanos()),
      .count = count.count(),
      .here = attestation::Compare(counted, inquiry->held->here(), inquiry->held->refused()),
      .unanswered = ""};
  Note(report);
  CountResult(report.here.missing.empty() ? "complete" : "missing");
  Finish(inquiry, std::move(report));
}

void CountAsker::Note(const CountReport& report) const {
  deps_.metrics
      .AddGauge("cdgate_origin_events_missing",
                "Events that the origin says it gave away for us and that never came, as of the "
                "last time it was asked.",
                {{"origin", report.origin}})
      .Set(static_cast<double>(report.here.missing.size()));
  base::Log(report.here.missing.empty() ? base::LogLevel::kInfo : base::LogLevel::kWarning,
            report.here.missing.empty() ? "nothing of an origin is missing"
                                        : "events of an origin never came",
            {{"origin", report.origin},
             {"through", report.through},
             {"from", absl::FormatTime(report.from, absl::UTCTimeZone())},
             {"until", absl::FormatTime(report.until, absl::UTCTimeZone())},
             {"count", absl::StrCat(report.count)},
             {"held", absl::StrCat(report.here.held)},
             {"refused", absl::StrCat(report.here.refused)},
             {"missing", absl::StrCat(report.here.missing.size())}});
}

void CountAsker::FinishUnanswered(const InquiryPtr& inquiry, std::string why) {
  base::Log(base::LogLevel::kWarning, "an origin did not say what it gave away for us",
            {{"origin", inquiry->question.origin},
             {"through", inquiry->question.through},
             {"message", why}});
  CountResult("unanswered");
  CountReport report{.origin = inquiry->question.origin,
                     .through = inquiry->question.through,
                     .from = absl::FromUnixNanos(inquiry->question.from_nanos),
                     .until = absl::FromUnixNanos(inquiry->question.until_nanos),
                     .here = {},
                     .unanswered = std::move(why)};
  Finish(inquiry, std::move(report));
}

void CountAsker::Finish(const InquiryPtr& inquiry, absl::StatusOr<CountReport> report) {
  if (!report.ok()) {
    CountResult("failed");
    base::LogError(base::LogLevel::kWarning, "events of an origin not counted", report.status(),
                   {{"origin", inquiry->question.origin}, {"through", inquiry->question.through}});
  }
  {
    base::MutexLock lock(mu_);
    inquiries_.erase(inquiry->question.id);
  }
  inquiry->reported(std::move(report));
}

}  // namespace cdgate::manager
