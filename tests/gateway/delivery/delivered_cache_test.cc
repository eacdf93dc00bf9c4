#include "gateway/delivery/delivered_cache.h"

#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/delivery/frames.h"
#include "gateway/rpc/bytes.h"
#include "tests/gateway/delivery/sample_commits.h"

namespace cdgate::delivery {
namespace {

std::vector<const event::Record*> RecordsOf(const event::CommitPtr& commit) {
  std::vector<const event::Record*> records;
  for (const event::Record& record : commit->events) records.push_back(&record);
  return records;
}

// As a stream of its own would render them.
std::string Rendered(const std::vector<const event::Record*>& records) {
  std::string batch;
  for (const event::Record* record : records) AppendDelivered(*record, 1, nullptr, &batch);
  return AsSubscribeResponse(std::move(batch));
}

std::string Flat(const grpc::ByteBuffer& bytes) {
  return std::string(rpc::FlatBytes(bytes).view());
}

const uint8_t* WhereTheEventIs(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(bytes.Dump(&slices).ok());
  EXPECT_EQ(slices.size(), 2u);
  return slices.back().begin();
}

TEST(DeliveredCacheTest, IsWhatAStreamOfItsOwnWouldRender) {
  DeliveredCache cache;
  for (uint64_t first = 1; first < 400; first += 8) {
    const event::CommitPtr commit = test::SampleCommit(first, first + first % 8, "build", first);
    EXPECT_EQ(Flat(cache.Response(RecordsOf(commit))), Rendered(RecordsOf(commit))) << first;
  }
}

TEST(DeliveredCacheTest, AllGetTheSameBytes) {
  DeliveredCache cache;
  const event::CommitPtr commit = test::SampleCommit(7, 7, "build", 5000);
  const grpc::ByteBuffer one = cache.Response(RecordsOf(commit));
  const grpc::ByteBuffer another = cache.Response(RecordsOf(commit));
  EXPECT_EQ(WhereTheEventIs(one), WhereTheEventIs(another));
}

TEST(DeliveredCacheTest, WhatIsReplacedStaysWithWhoHasIt) {
  DeliveredCache cache;
  const event::CommitPtr old = test::SampleCommit(7, 7, "build", 5000);
  const grpc::ByteBuffer kept = cache.Response(RecordsOf(old));
  for (uint64_t n = 8; n < 200; ++n) cache.Response(RecordsOf(test::SampleCommit(n, n)));
  EXPECT_EQ(Flat(kept), Rendered(RecordsOf(old)));
  EXPECT_EQ(Flat(cache.Response(RecordsOf(old))), Rendered(RecordsOf(old)));
}

}  // namespace
}  // namespace cdgate::delivery
