#include "gateway/eventlog/search_index.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/log_walk.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::eventlog {
namespace {

constexpr uint64_t kBlock = SearchIndex::kBlockEvents;

class SearchIndexTest : public testing::Test {
 protected:
  SearchIndexTest() { Reopen(); }
  void Reopen(size_t max_bytes = SearchIndex::kMaxBytes) {
    index_ = std::make_unique<SearchIndex>(log_, clock_, max_bytes);
  }

  static storage::v1::StoredEvent Event(const std::string& id, const std::string& type,
                                        const std::string& chain) {
    io::cloudevents::v1::CloudEvent cloud;
    cloud.set_id(id);
    cloud.set_source(absl::StrCat("/ci/", type.size()));
    cloud.set_spec_version("1.0");
    cloud.set_type(type);
    (*cloud.mutable_attributes())["subject"].set_ce_string(absl::StrCat("subject of ", id));
    cloud.set_binary_data(
        absl::StrCat(R"({"context":{"id":")", id, R"(","chainId":")", chain, R"("}})"));
    storage::v1::StoredEvent stored;
    stored.set_cloud_event(cloud.SerializeAsString());
    stored.set_origin("alpha.example");
    return stored;
  }
  // `count` events, of the chain "c" and their number of thousands.
  void Append(uint64_t count) {
    while (count > 0) {
      std::vector<storage::v1::StoredEvent> events;
      for (; count > 0 && events.size() < 1000; --count) {
        const uint64_t sequence = log_.head().sequence.value() + events.size() + 1;
        events.push_back(Event(absl::StrCat("e", sequence), "dev.cdevents.build.queued.0.3.0",
                               absl::StrCat("c", sequence / 1000)));
      }
      CDGATE_ASSERT_OK(test::AppendNow(log_, test::NextCommit(log_.head(), std::move(events))));
    }
  }
  void AppendOne(const std::string& type, const std::string& chain) {
    CDGATE_ASSERT_OK(
        test::AppendNow(log_, test::NextCommit(log_.head(), {Event("one", type, chain)})));
  }
  void AdvanceAll() {
    size_t before = 0;
    do {
      before = index_->blocks();
      CDGATE_ASSERT_OK(index_->Advance(absl::Hours(1)));
    } while (index_->blocks() != before);
  }
  bool MayHold(uint64_t sequence, SearchKeys::Field field, const std::string& text) {
    SearchKeys keys;
    keys.Add(field, text);
    const LogWalk::Gap gap = index_->GapAt(base::Sequence(sequence), keys);
    return gap.begin >= gap.end;
  }

  test::FakeClock clock_;
  MemoryLog log_{std::make_shared<MemoryLogStorage>(), clock_, base::SystemRandom()};
  std::unique_ptr<SearchIndex> index_;
};

TEST_F(SearchIndexTest, NothingThatIsThereIsPassedOver) {
  Append(3 * kBlock + 100);
  AdvanceAll();
  EXPECT_EQ(index_->blocks(), 3u);
  for (uint64_t sequence = 1; sequence <= 3 * kBlock + 100; sequence += 7) {
    ASSERT_TRUE(MayHold(sequence, SearchKeys::kChain, absl::StrCat("c", sequence / 1000)));
    ASSERT_TRUE(MayHold(sequence, SearchKeys::kSubject, absl::StrCat("subject of e", sequence)));
    ASSERT_TRUE(MayHold(sequence, SearchKeys::kType, "dev.cdevents.build.queued.0.3.0"));
    ASSERT_TRUE(MayHold(sequence, SearchKeys::kTypeBegin, "dev.cdevents.build."));
    ASSERT_TRUE(MayHold(sequence, SearchKeys::kSource, "/ci/31"));
  }
}

TEST_F(SearchIndexTest, NearlyAllThatIsNotThereIs) {
  Append(2 * kBlock);
  AdvanceAll();
  int held = 0;
  for (int i = 0; i < 1000; ++i) held += MayHold(1, SearchKeys::kChain, absl::StrCat("x", i));
  EXPECT_LT(held, 50);
  EXPECT_FALSE(MayHold(1, SearchKeys::kTypeBegin, "dev.cdevents.artifact."));
  SearchKeys keys;
  keys.Add(SearchKeys::kTypeBegin, "dev.cdevents.artifact.");
  const LogWalk::Gap gap = index_->GapAt(base::Sequence(kBlock + 5), keys);
  EXPECT_EQ(gap.begin, base::Sequence(kBlock + 1));
  EXPECT_EQ(gap.end, base::Sequence(2 * kBlock + 1));
}

// Where the newest are in memory the log is not asked for them.
TEST_F(SearchIndexTest, WhatIsAtHandIsNotReadFromTheLog) {
  Append(2 * kBlock);
  size_t given = 0;
  // The second block is at hand, and what comes from there differs from what the log has.
  index_ = std::make_unique<SearchIndex>(
      log_, clock_, SearchIndex::kMaxBytes, [&](base::Sequence from, ReadLimits /*limits*/) {
        std::vector<event::CommitPtr> commits;
        if (from.value() <= kBlock) return commits;
        eventlog::Head before;
        before.sequence = base::Sequence(from.value() - 1);
        commits.push_back(test::NextCommit(before, {Event("one", "dev.example", "at hand")}));
        ++given;
        return commits;
      });
  AdvanceAll();
  EXPECT_EQ(index_->blocks(), 2u);
  EXPECT_EQ(given, kBlock);
  EXPECT_TRUE(MayHold(kBlock + 1, SearchKeys::kChain, "at hand"));
  EXPECT_FALSE(MayHold(kBlock + 1, SearchKeys::kChain, "c5"));
  EXPECT_TRUE(MayHold(1, SearchKeys::kChain, "c3")) << "which only the log has";
}

TEST_F(SearchIndexTest, WhatIsNotSummarisedMayHoldAnything) {
  Append(kBlock + 10);
  EXPECT_TRUE(MayHold(1, SearchKeys::kChain, "x"));
  AdvanceAll();
  EXPECT_TRUE(MayHold(kBlock + 1, SearchKeys::kChain, "x")) << "not whole yet";
  EXPECT_EQ(index_->GapAt(base::Sequence(1), SearchKeys()).end, base::Sequence())
      << "nothing is asked";
}

TEST_F(SearchIndexTest, NewBlocksComeFirstThenThoseBefore) {
  Append(3 * kBlock);
  Reopen();
  CDGATE_ASSERT_OK(index_->Advance(absl::ZeroDuration()));
  EXPECT_EQ(index_->blocks(), 1u);
  EXPECT_FALSE(MayHold(2 * kBlock + 1, SearchKeys::kTypeBegin, "x."));
  Append(kBlock);
  CDGATE_ASSERT_OK(index_->Advance(absl::ZeroDuration()));
  EXPECT_FALSE(MayHold(3 * kBlock + 1, SearchKeys::kTypeBegin, "x."));
  EXPECT_TRUE(MayHold(kBlock + 1, SearchKeys::kTypeBegin, "x."));
  AdvanceAll();
  EXPECT_EQ(index_->blocks(), 4u);
}

TEST_F(SearchIndexTest, ItsMemoryIsBounded) {
  Reopen(30'000);  // some three blocks
  Append(8 * kBlock);
  AdvanceAll();
  const size_t blocks = index_->blocks();
  EXPECT_GE(blocks, 1u);
  EXPECT_LE(blocks, 5u);
  EXPECT_FALSE(MayHold(7 * kBlock + 1, SearchKeys::kTypeBegin, "x.")) << "the newest stay";
  EXPECT_TRUE(MayHold(1, SearchKeys::kTypeBegin, "x."));
}

TEST_F(SearchIndexTest, ForgetsWhatRetentionRemoved) {
  Append(3 * kBlock);
  AdvanceAll();
  CDGATE_ASSERT_OK(log_.Trim(base::Sequence(2 * kBlock + 1)));
  AdvanceAll();
  EXPECT_LE(index_->blocks(), 2u);
  EXPECT_FALSE(MayHold(2 * kBlock + 1, SearchKeys::kTypeBegin, "x."));
}

TEST_F(SearchIndexTest, PatternsSayWhatTheyCan) {
  const auto keys = [](SearchKeys::Field field, absl::string_view pattern) {
    SearchKeys of_one;
    of_one.AddPattern(field, pattern);
    return of_one.hashes();
  };
  using Hashes = std::vector<uint64_t>;
  EXPECT_EQ(keys(SearchKeys::kType, "dev.x"),
            Hashes{SearchKeys::HashOf(SearchKeys::kType, "dev.x")});
  EXPECT_EQ(keys(SearchKeys::kType, "dev.cdevents.art%"),
            Hashes{SearchKeys::HashOf(SearchKeys::kTypeBegin, "dev.cdevents.")});
  EXPECT_TRUE(keys(SearchKeys::kType, "%").empty());
  EXPECT_TRUE(keys(SearchKeys::kType, "").empty());
  EXPECT_TRUE(keys(SearchKeys::kSource, "/ci/%").empty());
}

TEST_F(SearchIndexTest, AWalkPassesOverBlocks) {
  Append(kBlock);
  AppendOne("dev.cdevents.change.merged.0.3.0", "rare");
  Append(3 * kBlock);
  AdvanceAll();
  SearchKeys keys;
  keys.Add(SearchKeys::kChain, "rare");
  for (const bool newest_first : {false, true}) {
    LogWalk walk(log_,
                 {.begin = base::Sequence(1),
                  .end = log_.head().sequence.Next(),
                  .newest_first = newest_first},
                 index_->GapsFor(keys));
    size_t looked_at = 0;
    bool found = false;
    for (;;) {
      CDGATE_ASSERT_OK_AND_ASSIGN(const auto piece, walk.Next());
      if (piece.empty()) break;
      looked_at += piece.size();
      for (const LogWalk::Place& place : piece) {
        found = found || place.record->sequence().value() == kBlock + 1;
      }
    }
    EXPECT_TRUE(found);
    EXPECT_LE(looked_at, 2 * kBlock + 1024) << "its block, and the one that is not whole";
  }
}

}  // namespace
}  // namespace cdgate::eventlog
