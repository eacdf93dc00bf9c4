#include "federation/attestation/origin_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/event/digests.h"
#include "tests/federation/attestation/attestors.h"
#include "tests/support/status_matchers.h"

namespace cdgate::attestation {
namespace {

using base::Reason;
using event::AsBytes;
using federation::v1::OriginCount;
using test::HasReason;
using testing::IsEmpty;
using testing::SizeIs;

Digest DigestOf(int i) { return *ReadDigest(crypto::Sha256(absl::StrCat("event ", i))); }

std::vector<Digest> Sorted(std::vector<int> events) {
  std::vector<Digest> out;
  for (const int i : events) out.push_back(DigestOf(i));
  SortCommitments(&out);
  return out;
}

// ------------------------------------------------------------------ a window

TEST(CommitmentWindowTest, HasWhatWasAcceptedInItSorted) {
  CommitmentWindow window(100, 200);
  window.Add(99, AsBytes(DigestOf(1)));
  window.Add(100, AsBytes(DigestOf(2)));
  window.Add(199, AsBytes(DigestOf(3)));
  window.Add(200, AsBytes(DigestOf(4)));
  window.Add(150, "not 32 bytes");
  const CountedEvents counted = window.Close();
  EXPECT_EQ(counted.from_nanos, 100);
  EXPECT_EQ(counted.until_nanos, 200);
  EXPECT_EQ(counted.commitments, Sorted({2, 3}));
}

TEST(CommitmentWindowTest, IsADayLongAtMost) {
  EXPECT_EQ(CommitmentWindow(5, INT64_MAX).until_nanos(), 5 + kMaxCountNanos);
  EXPECT_EQ(CommitmentWindow(5, 3).until_nanos(), 5);
}

TEST(CommitmentWindowTest, OfTooManyTheFirstAreThereAndNoneIsLeftOut) {
  CommitmentWindow window(0, 1'000'000'000);
  const int events = static_cast<int>(kMaxCounted) + 5000;
  std::vector<Digest> early;
  // From the last to the first, as a log may have them in any order.
  for (int i = events - 1; i >= 0; --i) {
    window.Add(1000 + i, AsBytes(DigestOf(i)));
    if (i < static_cast<int>(kMaxCounted)) early.push_back(DigestOf(i));
  }
  SortCommitments(&early);
  const CountedEvents counted = window.Close();
  EXPECT_EQ(counted.until_nanos, 1000 + static_cast<int64_t>(kMaxCounted));
  EXPECT_EQ(counted.commitments, early);
}

TEST(CommitmentWindowTest, ThatIsCutForgetsWhatIsBehind) {
  CommitmentWindow window(0, 100);
  window.Add(10, AsBytes(DigestOf(1)));
  window.Add(50, AsBytes(DigestOf(2)));
  window.EndAt(50);
  window.Add(60, AsBytes(DigestOf(3)));
  EXPECT_EQ(window.Close().commitments, Sorted({1}));
}

TEST(CountedEventsTest, PagesMakeTheList) {
  std::vector<int> events(kCommitmentsOfPage + 3);
  for (size_t i = 0; i < events.size(); ++i) events[i] = static_cast<int>(i);
  const CountedEvents counted{0, 1, Sorted(events)};
  EXPECT_THAT(counted.Page(0), SizeIs(kCommitmentsOfPage * 32));
  EXPECT_THAT(counted.Page(1), SizeIs(3 * 32));
  EXPECT_THAT(counted.Page(2), IsEmpty());
  EXPECT_THAT(counted.Page(SIZE_MAX / (64 * kCommitmentsOfPage)), IsEmpty());
  const auto read = ReadCommitments(counted.Page(0) + counted.Page(1));
  CDGATE_ASSERT_OK(read.status());
  EXPECT_EQ(*read, counted.commitments);
}

TEST(CountedEventsTest, AListThatIsNotSortedIsNone) {
  const auto list = Sorted({1, 2});
  const std::string first(AsBytes(list[0])), second(AsBytes(list[1]));
  EXPECT_THAT(ReadCommitments(second + first).status(), HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(ReadCommitments(first + first).status(), HasReason(Reason::kAttestationInvalid));
  EXPECT_THAT(ReadCommitments(first + "x").status(), HasReason(Reason::kAttestationInvalid));
}

// ------------------------------------------------------------------- a count

class OriginCountTest : public testing::Test {
 protected:
  OriginCountTest() {
    question_ = {.origin = "alpha.example",
                 .destination = "gamma.example",
                 .through = "beta.example",
                 .id = std::string(kCountIdBytes, 'i'),
                 .from_nanos = 1000,
                 .until_nanos = 2000};
    count_ = CountOf(question_, {1000, 1900, Sorted({1, 2, 3})});
    count_.set_sign_time_nanos(test::kSignTime);
    count_.set_key_id(alpha_.key_id);
    count_.set_signature(alpha_.Sign(OriginCountText(count_)));
  }
  bool Fits(const OriginCount& count) const {
    return AttestorKey(*alpha_.certificate).Fits(OriginCountText(count), count.signature());
  }

  const test::TestAttestor& alpha_ = test::AttestorOf("alpha.example");
  CountQuestion question_;
  OriginCount count_;
};

TEST_F(OriginCountTest, WhatWasSignedVerifies) {
  CDGATE_EXPECT_OK(CheckOriginCount(count_, question_));
  EXPECT_TRUE(Fits(count_));
}

// As docs/attestation.md has it, byte by byte.
TEST_F(OriginCountTest, TheTextIsAsDocumented) {
  const std::string expected = absl::StrCat(
      absl::string_view("cdgate/origin-count/v1\0", 23), absl::string_view("\0\0\0\x0d", 4),
      "alpha.example", absl::string_view("\0\0\0\x0d", 4), "gamma.example",
      absl::string_view("\0\0\0\x0c", 4), "beta.example", absl::string_view("\0\0\0\x10", 4),
      "iiiiiiiiiiiiiiii", absl::string_view("\0\0\0\0\0\0\x03\xe8", 8),
      absl::string_view("\0\0\0\0\0\0\x07\x6c", 8), absl::string_view("\0\0\0\0\0\0\0\x03", 8),
      count_.digest());
  EXPECT_EQ(OriginCountText(count_).substr(0, expected.size()), expected);
  EXPECT_EQ(OriginCountText(count_).size(), expected.size() + 8);
  const std::string list = absl::StrCat(absl::string_view("cdgate/commitments/v1\0", 22),
                                        CountedEvents{0, 1, Sorted({1, 2, 3})}.Page(0));
  EXPECT_EQ(count_.digest(), crypto::Sha256(list));
}

TEST_F(OriginCountTest, NothingOfItCanBeChanged) {
  const std::vector<std::function<void(OriginCount*)>> changes = {
      [](OriginCount* c) { c->set_origin("alphb.example"); },
      [](OriginCount* c) { c->set_destination("delta.example"); },
      [](OriginCount* c) { c->clear_through(); },
      [](OriginCount* c) { c->set_request_id(std::string(kCountIdBytes, 'j')); },
      [](OriginCount* c) { c->set_from_nanos(1001); },
      [](OriginCount* c) { c->set_until_nanos(1899); },
      [](OriginCount* c) { c->set_count(2); },
      [](OriginCount* c) { c->set_digest(std::string(32, 'd')); },
      [](OriginCount* c) { c->set_sign_time_nanos(test::kSignTime + 1); }};
  for (size_t i = 0; i < changes.size(); ++i) {
    OriginCount other = count_;
    changes[i](&other);
    EXPECT_FALSE(Fits(other)) << i;
  }
}

TEST_F(OriginCountTest, AnswersToOtherQuestionsAreNone) {
  const auto refused = [this](const std::function<void(CountQuestion*)>& change) {
    CountQuestion other = question_;
    change(&other);
    EXPECT_THAT(CheckOriginCount(count_, other), HasReason(Reason::kAttestationInvalid));
  };
  refused([](CountQuestion* q) { q->origin = "delta.example"; });
  refused([](CountQuestion* q) { q->destination = "delta.example"; });
  refused([](CountQuestion* q) { q->through = ""; });
  refused([](CountQuestion* q) { q->id = std::string(kCountIdBytes, 'j'); });
  refused([](CountQuestion* q) { q->from_nanos = 1001; });
  refused([](CountQuestion* q) { q->until_nanos = 1899; });
}

TEST_F(OriginCountTest, WhatIsOutOfBoundsIsNone) {
  const auto refused = [this](const std::function<void(OriginCount*)>& change) {
    OriginCount other = count_;
    change(&other);
    EXPECT_THAT(CheckOriginCount(other, question_), HasReason(Reason::kAttestationInvalid));
  };
  refused([](OriginCount* c) { c->set_digest("short"); });
  refused([](OriginCount* c) { c->set_key_id("short"); });
  refused([](OriginCount* c) { c->clear_signature(); });
  refused([](OriginCount* c) { c->set_signature(std::string(73, 's')); });
  refused([](OriginCount* c) { c->set_count(kMaxCounted + 1); });
  refused([](OriginCount* c) { c->set_until_nanos(999); });
}

// ------------------------------------------------------------- the comparison

TEST(CountComparisonTest, EachEventIsHereRefusedOrMissing) {
  const CountComparison result =
      Compare(Sorted({1, 2, 3, 4, 5}), Sorted({1, 2, 9}), Sorted({2, 3, 8}));
  EXPECT_EQ(result.held, 2u);
  EXPECT_EQ(result.refused, 1u);
  EXPECT_EQ(result.uncounted, 1u);
  EXPECT_EQ(result.missing, Sorted({4, 5}));
}

TEST(CountComparisonTest, OfNothingNothingIsMissing) {
  const CountComparison result = Compare({}, Sorted({1}), {});
  EXPECT_EQ(result.held, 0u);
  EXPECT_EQ(result.uncounted, 1u);
  EXPECT_THAT(result.missing, IsEmpty());
}

}  // namespace
}  // namespace cdgate::attestation
