#include "gateway/delivery/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "auth/authz/grants.h"
#include "auth/trust/spiffe_id.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "tests/gateway/delivery/sample_commits.h"
#include "tests/support/status_matchers.h"

namespace cdgate::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

authz::Principal Reader() {
  return authz::Principal::Spiffe(*trust::SpiffeId::Service("alpha.example", "reader"));
}

ReadScope Scope(const std::string& granted, const std::string& own) {
  admin::v1::Grant grant;
  grant.set_name("readers");
  grant.set_principal("spiffe://alpha.example/service/%");
  grant.set_role(admin::v1::ROLE_SUBSCRIBER);
  grant.set_filter(granted);
  return *ReadScope::Make(**authz::Grants::Compile({&grant, 1}), Reader(), own);
}

std::vector<uint64_t> Sequences(const std::optional<Window::Frame>& frame) {
  std::vector<uint64_t> out;
  if (!frame) return out;
  for (const event::Record* record : frame->records) out.push_back(record->sequence().value());
  return out;
}

TEST(WindowTest, DeliversWhatComesAfterItsStartInOrder) {
  ReadScope scope = Scope("", "");
  Window window({}, base::Sequence(2));
  EXPECT_EQ(window.next(), base::Sequence(3));
  window.Offer({test::SampleCommit(1, 3), test::SampleCommit(4, 5)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(3, 4, 5));
  EXPECT_TRUE(window.hungry());
  EXPECT_EQ(window.next(), base::Sequence(6));
}

TEST(WindowTest, EventsOutsideTheScopeAreScannedAndNotDelivered) {
  ReadScope scope = Scope("SUBJECT_TYPE() = 'build'", "id <> 'id-2'");
  Window window({}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 3), test::SampleCommit(4, 6, "incident")});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(1, 3));
  EXPECT_EQ(window.delivered(), base::Sequence(3));
  EXPECT_EQ(window.scanned(), base::Sequence(6));
}

TEST(WindowTest, NeverHoldsMoreThanItsEvents) {
  ReadScope scope = Scope("", "");
  Window window({.max_events = 2}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 5)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(1, 2));
  EXPECT_THAT(Sequences(window.Next(scope)), IsEmpty());
  EXPECT_EQ(window.outstanding(), 2u);
  CDGATE_EXPECT_OK(window.Acknowledge(base::Sequence(1)));
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(3));
  CDGATE_EXPECT_OK(window.Acknowledge(base::Sequence(3)));
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(4, 5));
}

TEST(WindowTest, NeverHoldsMoreThanItsBytesButAlwaysOneEvent) {
  ReadScope scope = Scope("", "");
  Window window({.max_bytes = 100}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 2, "build", 1000)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(1));
  EXPECT_THAT(Sequences(window.Next(scope)), IsEmpty());
  CDGATE_EXPECT_OK(window.Acknowledge(base::Sequence(1)));
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(2));
}

TEST(WindowTest, FramesEndAtTheirSize) {
  ReadScope scope = Scope("", "");
  Window window({}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 10, "build", 20'000)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(1, 2, 3));
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(4, 5, 6));
}

TEST(WindowTest, WhatWasReleasedIsOfferedAgain) {
  ReadScope scope = Scope("", "");
  Window window({}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 10, "build", 20'000)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(1, 2, 3));
  EXPECT_FALSE(window.hungry());
  window.Release();
  EXPECT_TRUE(window.hungry());
  EXPECT_EQ(window.next(), base::Sequence(4));
  window.Offer({test::SampleCommit(1, 10, "build", 20'000)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(4, 5, 6));
}

TEST(WindowTest, AFullWindowIsNotHungryUntilSomethingIsAcknowledged) {
  ReadScope scope = Scope("", "");
  Window window({.max_bytes = 25'000}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 2, "build", 20'000)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(1));
  window.Release();
  EXPECT_TRUE(window.hungry());  // the next one may fit
  window.Offer({test::SampleCommit(1, 2, "build", 20'000)});
  EXPECT_THAT(Sequences(window.Next(scope)), IsEmpty());
  window.Release();
  EXPECT_FALSE(window.hungry());
  CDGATE_EXPECT_OK(window.Acknowledge(base::Sequence(1)));
  EXPECT_TRUE(window.hungry());
}

TEST(WindowTest, AutomaticAcknowledgementLeavesNothingOutstanding) {
  ReadScope scope = Scope("", "");
  Window window({.max_events = 1, .auto_ack = true}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 3)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(1, 2, 3));
  EXPECT_EQ(window.outstanding(), 0u);
  EXPECT_EQ(window.acknowledged(), base::Sequence(3));
}

TEST(WindowTest, EndsAfterTheTotal) {
  ReadScope scope = Scope("", "");
  Window window({.total = 2}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 3)});
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(1, 2));
  EXPECT_TRUE(window.complete());
  EXPECT_FALSE(window.hungry());
}

TEST(WindowTest, AFrameIsAsLargeAsIsSaid) {
  ReadScope scope = Scope("", "");
  const event::CommitPtr commit = test::SampleCommit(1, 9);
  const size_t one = commit->events[0].byte_size();
  Window window({}, base::Sequence(0));
  window.Offer({commit});
  EXPECT_THAT(Sequences(window.Next(scope, 2 * one)), ElementsAre(1, 2));
  EXPECT_THAT(Sequences(window.Next(scope, 3 * one)), ElementsAre(3, 4, 5));
  EXPECT_THAT(Sequences(window.Next(scope)), ElementsAre(6, 7, 8, 9));
}

TEST(WindowTest, AnAckOfWhatWasNotDeliveredIsRefused) {
  ReadScope scope = Scope("", "");
  Window window({}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 3)});
  ASSERT_TRUE(window.Next(scope));
  EXPECT_THAT(window.Acknowledge(base::Sequence(4)),
              test::HasReason(base::Reason::kInvalidArgument));
  EXPECT_EQ(window.outstanding(), 3u);
}

TEST(WindowTest, AnEarlierAckChangesNothing) {
  ReadScope scope = Scope("", "");
  Window window({}, base::Sequence(0));
  window.Offer({test::SampleCommit(1, 3)});
  ASSERT_TRUE(window.Next(scope));
  CDGATE_EXPECT_OK(window.Acknowledge(base::Sequence(2)));
  CDGATE_EXPECT_OK(window.Acknowledge(base::Sequence(1)));
  EXPECT_EQ(window.acknowledged(), base::Sequence(2));
  EXPECT_EQ(window.outstanding(), 1u);
}

TEST(ReadScopeTest, NoGrantReadsNothing) {
  EXPECT_THAT(ReadScope::Make(authz::Grants(), Reader(), ""),
              test::HasReason(base::Reason::kNotGranted));
}

TEST(ReadScopeTest, AFilterThatErrsDoesNotMatch) {
  ReadScope scope = Scope("", "CDEVENT('subject.content.absent') = 'x'");
  EXPECT_FALSE(scope.Covers(test::SampleCommit(1, 1)->events[0]));
}

}  // namespace
}  // namespace cdgate::delivery
