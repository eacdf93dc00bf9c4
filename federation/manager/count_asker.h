// Asks origins what they gave away for us, and says what of it never came.
//
//   auto asker = CountAsker::Create(deps);
//   asker->Ask({.origin = "alpha.example", .from = from, .until = until},
//              [](absl::StatusOr<CountReport> report) { ... });
//   asker->OnAnswer("beta.example", answer);
//
// The answer is the origin's own, whoever brought it: it is signed, and the list that comes after
// has the digest that was signed. Whoever brings it can only keep it back, which is reported.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "federation/attestation/origin_count.h"
#include "federation/manager/count_parts.h"
#include "gateway/base/mutex.h"

namespace cdgate::manager {

// How long the answer to one frame is waited for.
inline constexpr absl::Duration kAnswerWait = absl::Seconds(30);
inline constexpr absl::Duration kDefaultCountAge = absl::Minutes(1);
inline constexpr absl::Duration kDefaultCountLength = absl::Hours(1);

// A question.
struct CountAsk {
  std::string origin;
  std::string through = {};                 // empty: see Ask()
  absl::Time from = absl::InfinitePast();   // infinite: kDefaultCountLength before the end
  absl::Time until = absl::InfinitePast();  // infinite: kDefaultCountAge ago
};

// What came of it.
struct CountReport {
  std::string origin;
  std::string through;
  absl::Time from, until;  // as far as was counted
  absl::Time sign_time = absl::InfinitePast();
  uint64_t count = 0;  // in the origin's words
  attestation::CountComparison here;
  std::string unanswered;  // why there is nothing of the above; empty: there is
};

// Thread-safe. Made by Create(): a timer may outlive it.
class CountAsker : public std::enable_shared_from_this<CountAsker> {
 public:
  using Reported = std::function<void(absl::StatusOr<CountReport>)>;

  // `deps` outlives it.
  static std::shared_ptr<CountAsker> Create(const CountDeps& deps);

  // (disk) Asks the origin where it is a peer, else, or where that is said, through a peer.
  // `reported` runs once, maybe before this returns. INVALID_ARGUMENT where the question makes no
  // sense, or it could go through several peers; LINK_DOWN where there is no link to ask over;
  // OVERLOADED where the same origin is being asked; ATTESTATION_INVALID or ATTESTATION_UNPROVEN
  // where what came is not what the origin signed, or nothing shows it; QUOTA and errors of the
  // log.
  void Ask(CountAsk ask, Reported reported);

  // `peer`, authenticated, answers. Does not block.
  void OnAnswer(absl::string_view peer, const federation::v1::CountAnswer& answer);

 private:
  struct Inquiry;
  using InquiryPtr = std::shared_ptr<Inquiry>;

  explicit CountAsker(const CountDeps& deps);
  // Whom to ask, into ask->through; the origin's own is left empty.
  absl::StatusOr<std::string> WayFor(CountAsk* ask) const;
  absl::StatusOr<InquiryPtr> Begin(CountAsk ask, Reported reported);
  absl::Status CompleteTimes(CountAsk* ask) const;

  void Send(const InquiryPtr& inquiry);
  void Arm(const InquiryPtr& inquiry);
  void OnTimeout(const std::string& id, uint64_t turn);
  // Null where none waits for it.
  InquiryPtr TakeWaiting(absl::string_view peer, const std::string& id);
  void Handle(const InquiryPtr& inquiry, const federation::v1::CountAnswer& answer);
  absl::Status TakeCount(Inquiry& inquiry, const federation::v1::CountAnswer& answer);
  absl::Status TakePage(Inquiry& inquiry, const federation::v1::CountAnswer& answer);
  // Off this thread.
  void Post(const InquiryPtr& inquiry, base::Task task);
  void Scan(const InquiryPtr& inquiry);
  void OnScanned(const InquiryPtr& inquiry);
  void FinishBy(const InquiryPtr& inquiry, const std::vector<attestation::Digest>& counted);
  void FinishUnanswered(const InquiryPtr& inquiry, std::string why);
  void Finish(const InquiryPtr& inquiry, absl::StatusOr<CountReport> report);
  void Note(const CountReport& report) const;
  void CountResult(const char* result, double n = 1) const;

  const CountDeps& deps_;
  base::Mutex mu_;
  std::map<std::string, InquiryPtr> inquiries_ CDGATE_GUARDED_BY(mu_);  // by id
};

}  // namespace cdgate::manager
