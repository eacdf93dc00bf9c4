// Who asks, who passes on and who answers a count, each alone: the others are played by the test.
#include "federation/manager/count_asker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "federation/manager/count_exchange.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "gateway/event/digests.h"
#include "tests/federation/session/test_node.h"
#include "tests/support/status_matchers.h"

namespace cdgate {
namespace {

using attestation::Digest;
using base::Reason;
using federation::v1::CountAnswer;
using federation::v1::CountRequest;
using federation::v1::Frame;
using federation::v1::OriginCount;
using manager::CountExchange;
using manager::CountReport;
using test::HasReason;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kAlpha[] = "a.example", kBeta[] = "b.example", kGamma[] = "c.example";

// Work runs when it is posted: one piece behind the other.
class Inline final : public base::Executor {
 public:
  bool TryPost(base::Task task) override {
    tasks_.push_back(std::move(task));
    if (std::exchange(running_, true)) return true;
    while (!tasks_.empty()) {
      base::Task next = std::move(tasks_.front());
      tasks_.erase(tasks_.begin());
      next();
    }
    running_ = false;
    return true;
  }

 private:
  std::vector<base::Task> tasks_;
  bool running_ = false;
};

class Timers final : public base::TimerQueue {
 public:
  Id At(absl::Duration, Callback callback) override {
    callbacks_.push_back(std::move(callback));
    return callbacks_.size();
  }
  bool Cancel(Id) override { return false; }  // as where it runs right now
  void FireAll() {
    for (const Callback& callback : std::exchange(callbacks_, {})) callback();
  }

 private:
  std::vector<Callback> callbacks_;
};

class CountPartiesTest : public testing::Test {
 protected:
  struct Sent {
    std::string peer;
    Frame frame;
  };

  CountExchange Make(const std::string& domain) {
    return CountExchange({.domain = domain,
                          .store = node_.store(),
                          .log = node_.log(),
                          .keeper = keeper_,
                          .link_facts = [](absl::string_view) { return session::LinkFacts(); },
                          .attestor = &network_.attestors().Of(domain),
                          .attestors = network_.attestors(),
                          .send =
                              [this](absl::string_view peer, Frame frame) {
                                if (peer == down_) return false;
                                sent_.push_back({std::string(peer), std::move(frame)});
                                return true;
                              },
                          .knows_counts = [this](absl::string_view peer) { return peer != down_; },
                          .background = inline_,
                          .timers = timers_,
                          .clock = base::SystemClock(),
                          .random = base::SystemRandom(),
                          .metrics = metrics_});
  }
  void Ask(CountExchange& exchange) {
    const absl::Time now = base::SystemClock().Now();
    exchange.Ask({.origin = kAlpha,
                  .through = kBeta,
                  .from = now - absl::Hours(1),
                  .until = now - absl::Minutes(1)},
                 [this](absl::StatusOr<CountReport> report) { reports_.push_back(report); });
  }
  // What alpha would say to `request`.
  CountAnswer Signed(const CountRequest& request, const std::vector<Digest>& events,
                     const std::function<void(OriginCount*)>& change = {}) {
    OriginCount count = attestation::CountOf(
        {.origin = kAlpha, .destination = kGamma, .through = kBeta, .id = request.id()},
        {request.from_nanos(), request.until_nanos(), events});
    count.set_sign_time_nanos(absl::ToUnixNanos(base::SystemClock().Now()));
    const auto signature =
        network_.attestors().Of(kAlpha).Sign(attestation::OriginCountText(count));
    count.set_key_id(signature->key_id);
    count.set_signature(signature->signature);
    if (change) change(&count);
    CountAnswer answer;
    answer.set_id(request.id());
    answer.set_count(count.SerializeAsString());
    return answer;
  }
  static std::vector<Digest> Events(int n) {
    std::vector<Digest> out;
    for (int i = 0; i < n; ++i) {
      out.push_back(*attestation::ReadDigest(crypto::Sha256(std::to_string(i))));
    }
    attestation::SortCommitments(&out);
    return out;
  }
  CountRequest LastRequest() const { return sent_.back().frame.count_request(); }
  CountAnswer LastAnswer() const { return sent_.back().frame.count_answer(); }

  test::TestNetwork network_;
  test::TestNode& node_ = network_.Add(kGamma);
  session::PseudonymKeeper keeper_ = *session::PseudonymKeeper::Create(
      std::string(crypto::SivSealer::kKeyBytes, 'k'), base::SystemRandom());
  Inline inline_;
  Timers timers_;
  base::Metrics metrics_;
  std::string down_;
  std::vector<Sent> sent_;
  std::vector<absl::StatusOr<CountReport>> reports_;
};

// ------------------------------------------------------------------- who asks

TEST_F(CountPartiesTest, WhatIsMissingIsNamedByTheList) {
  CountExchange gamma = Make(kGamma);
  Ask(gamma);
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].peer, kBeta);
  EXPECT_EQ(LastRequest().destination(), kGamma);
  const auto events = Events(2000);
  gamma.OnAnswer(kBeta, Signed(LastRequest(), events));
  const attestation::CountedEvents list{0, 1, events};
  for (uint32_t page = 0; page < 2; ++page) {
    EXPECT_EQ(LastRequest().page(), page);
    CountAnswer answer;
    answer.set_id(LastRequest().id());
    answer.set_commitments(list.Page(page));
    gamma.OnAnswer(kBeta, answer);
  }
  ASSERT_THAT(reports_, SizeIs(1));
  CDGATE_ASSERT_OK(reports_[0].status());
  EXPECT_EQ(reports_[0]->here.missing, events);
}

TEST_F(CountPartiesTest, ACountOfZeroNeedsNoList) {
  CountExchange gamma = Make(kGamma);
  Ask(gamma);
  gamma.OnAnswer(kBeta, Signed(LastRequest(), {}));
  ASSERT_THAT(reports_, SizeIs(1));
  CDGATE_ASSERT_OK(reports_[0].status());
  EXPECT_EQ(reports_[0]->count, 0u);
}

TEST_F(CountPartiesTest, ATransitCannotAlterTheCount) {
  const std::vector<std::function<void(OriginCount*)>> changes = {
      [](OriginCount* c) { c->set_count(1); },
      [](OriginCount* c) { c->set_until_nanos(c->until_nanos() - 1); },
      [](OriginCount* c) { c->set_digest(std::string(32, 'd')); },
      [](OriginCount* c) { c->set_request_id(std::string(16, 'x')); },
      [](OriginCount* c) { c->set_destination("d.example"); }};
  for (const auto& change : changes) {
    CountExchange gamma = Make(kGamma);
    Ask(gamma);
    gamma.OnAnswer(kBeta, Signed(LastRequest(), Events(3), change));
    ASSERT_FALSE(reports_.empty());
    EXPECT_THAT(reports_.back().status(), HasReason(Reason::kAttestationInvalid));
  }
}

TEST_F(CountPartiesTest, AKeyOfAnotherDomainSignsNothing) {
  CountExchange gamma = Make(kGamma);
  Ask(gamma);
  network_.attestors().Distrust(kAlpha);
  gamma.OnAnswer(kBeta, Signed(LastRequest(), Events(3)));
  ASSERT_THAT(reports_, SizeIs(1));
  EXPECT_THAT(reports_[0].status(), HasReason(Reason::kAttestationUnproven));
}

TEST_F(CountPartiesTest, ATransitCannotAlterTheList) {
  const auto events = Events(3);
  auto other = events;
  other[1][0] ^= 1;
  attestation::SortCommitments(&other);
  for (const std::string& page :
       {attestation::CountedEvents{0, 1, other}.Page(0),
        attestation::CountedEvents{0, 1, {events[0], events[1]}}.Page(0), std::string()}) {
    CountExchange gamma = Make(kGamma);
    Ask(gamma);
    gamma.OnAnswer(kBeta, Signed(LastRequest(), events));
    CountAnswer answer;
    answer.set_id(LastRequest().id());
    answer.set_commitments(page);
    gamma.OnAnswer(kBeta, answer);
    ASSERT_FALSE(reports_.empty());
    EXPECT_THAT(reports_.back().status(), HasReason(Reason::kAttestationInvalid));
  }
}

TEST_F(CountPartiesTest, SilenceIsReported) {
  CountExchange gamma = Make(kGamma);
  Ask(gamma);
  timers_.FireAll();
  ASSERT_THAT(reports_, SizeIs(1));
  CDGATE_ASSERT_OK(reports_[0].status());
  EXPECT_EQ(reports_[0]->unanswered, "b.example did not answer within 30s");
  // What comes later is nobody's.
  gamma.OnAnswer(kBeta, Signed(LastRequest(), {}));
  EXPECT_THAT(reports_, SizeIs(1));
}

TEST_F(CountPartiesTest, OnlyWhoWasAskedAnswers) {
  CountExchange gamma = Make(kGamma);
  Ask(gamma);
  gamma.OnAnswer("d.example", Signed(LastRequest(), {}));
  EXPECT_THAT(reports_, IsEmpty());
}

TEST_F(CountPartiesTest, AnOriginIsAskedOnceAtATime) {
  CountExchange gamma = Make(kGamma);
  Ask(gamma);
  Ask(gamma);
  ASSERT_THAT(reports_, SizeIs(1));
  EXPECT_THAT(reports_[0].status(), HasReason(Reason::kOverloaded));
}

// ------------------------------------------------------------- who passes on

class ForwarderTest : public CountPartiesTest {
 protected:
  static CountRequest Request(char id = 'i') {
    CountRequest request;
    request.set_id(std::string(attestation::kCountIdBytes, id));
    request.set_origin(kAlpha);
    request.set_destination(kGamma);
    request.set_until_nanos(5);
    return request;
  }
};

TEST_F(ForwarderTest, QuestionAndAnswerGoOnAsTheyAre) {
  CountExchange beta = Make(kBeta);
  beta.OnRequest(kGamma, Request());
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].peer, kAlpha);
  EXPECT_EQ(LastRequest().SerializeAsString(), Request().SerializeAsString());
  CountAnswer answer;
  answer.set_id(Request().id());
  answer.set_count("whatever it is");
  beta.OnAnswer(kAlpha, answer);
  ASSERT_THAT(sent_, SizeIs(2));
  EXPECT_EQ(sent_[1].peer, kGamma);
  EXPECT_EQ(LastAnswer().SerializeAsString(), answer.SerializeAsString());
  // Once.
  beta.OnAnswer(kAlpha, answer);
  EXPECT_THAT(sent_, SizeIs(2));
}

TEST_F(ForwarderTest, AnswersOfOthersAreNot) {
  CountExchange beta = Make(kBeta);
  beta.OnRequest(kGamma, Request());
  CountAnswer answer;
  answer.set_id(Request().id());
  beta.OnAnswer("d.example", answer);
  EXPECT_THAT(sent_, SizeIs(1));
}

TEST_F(ForwarderTest, WhoCannotBeReachedIsLikeWhoDoesNotExist) {
  CountExchange beta = Make(kBeta);
  down_ = kAlpha;
  beta.OnRequest(kGamma, Request());
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].peer, kGamma);
  EXPECT_EQ(LastAnswer().reason(), "NOT_FOUND");
}

TEST_F(ForwarderTest, NobodyAsksForAnother) {
  CountExchange beta = Make(kBeta);
  beta.OnRequest("d.example", Request());
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].peer, "d.example");
  EXPECT_EQ(LastAnswer().reason(), "INVALID_ARGUMENT");
}

TEST_F(ForwarderTest, WhoAsksTooOftenIsToldSo) {
  CountExchange beta = Make(kBeta);
  size_t forwarded = 0;
  for (int i = 0; i < 200; ++i) {
    beta.OnRequest(kGamma, Request());
    if (sent_.back().peer == kAlpha) ++forwarded;
  }
  EXPECT_EQ(LastAnswer().reason(), "OVERLOADED");
  EXPECT_LT(forwarded, 140u);
}

// --------------------------------------------------------------- who answers

class AnswererTest : public CountPartiesTest {
 protected:
  static CountRequest Request(const std::string& destination) {
    const absl::Time now = base::SystemClock().Now();
    CountRequest request;
    request.set_id(std::string(attestation::kCountIdBytes, 'i'));
    request.set_origin(kGamma);
    request.set_destination(destination);
    request.set_from_nanos(absl::ToUnixNanos(now - absl::Hours(1)));
    request.set_until_nanos(absl::ToUnixNanos(now - absl::Minutes(1)));
    return request;
  }
  OriginCount LastCount() const {
    OriginCount count;
    EXPECT_TRUE(count.ParseFromString(LastAnswer().count()));
    return count;
  }
};

// Nothing tells whether there is such a domain.
TEST_F(AnswererTest, WhoWasGivenNothingHasASignedZero) {
  CountExchange origin = Make(kGamma);
  origin.OnRequest(kBeta, Request("nobody.example"));
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(LastCount().count(), 0u);
  EXPECT_EQ(LastCount().through(), kBeta);
  EXPECT_NE(LastCount().signature(), "");
  origin.OnRequest(kBeta, Request(kBeta));
  EXPECT_EQ(LastCount().count(), 0u);
  EXPECT_EQ(LastCount().through(), "");
}

TEST_F(AnswererTest, QuestionsThatMakeNoSenseAreRefused) {
  CountExchange origin = Make(kGamma);
  const auto refused = [&](const std::function<void(CountRequest*)>& change) {
    CountRequest request = Request(kAlpha);
    change(&request);
    origin.OnRequest(kBeta, request);
    EXPECT_EQ(LastAnswer().reason(), "INVALID_ARGUMENT");
  };
  refused([](CountRequest* r) { r->set_destination("no domain"); });
  refused([](CountRequest* r) { r->set_id("short"); });
  refused([](CountRequest* r) { r->set_from_nanos(-1); });
  refused([](CountRequest* r) { r->set_from_nanos(r->until_nanos() + 1); });
  refused(
      [](CountRequest* r) { r->set_until_nanos(absl::ToUnixNanos(base::SystemClock().Now())); });
}

TEST_F(AnswererTest, WhoAsksTooOftenIsToldSo) {
  CountExchange origin = Make(kGamma);
  for (int i = 0; i < 10; ++i) {
    origin.OnRequest(kBeta, Request(kAlpha));
    EXPECT_EQ(LastAnswer().reason(), "") << i;
  }
  origin.OnRequest(kBeta, Request(kAlpha));
  EXPECT_EQ(LastAnswer().reason(), "OVERLOADED");
  // Which is no affair of others.
  origin.OnRequest("d.example", Request(kAlpha));
  EXPECT_EQ(LastAnswer().reason(), "");
}

TEST_F(AnswererTest, APageOfNoListIsRefused) {
  CountExchange origin = Make(kGamma);
  CountRequest request = Request(kAlpha);
  request.set_digest(std::string(32, 'd'));
  origin.OnRequest(kBeta, request);
  EXPECT_EQ(LastAnswer().reason(), "NOT_FOUND");
}

}  // namespace
}  // namespace cdgate
