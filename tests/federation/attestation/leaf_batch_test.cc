#include "federation/attestation/leaf_batch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/federation/v1/link.pb.h"
#include "gateway/event/digests.h"
#include "gateway/event/wire_writer.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::test {
namespace {

using attestation::CopyView;
using attestation::Digest;
using attestation::LeafBatch;
using attestation::LeafMaker;
using attestation::TermsView;
using federation::v1::RelayedEvent;

// The i-th of events that differ in all that a leaf says, and in how long it is.
RelayedEvent Event(size_t i) {
  RelayedEvent event;
  io::cloudevents::v1::CloudEvent cloud_event;
  cloud_event.set_id(absl::StrCat("id-", i));
  cloud_event.set_source(absl::StrCat("/source/", std::string(i * 7 % 100, 's')));
  cloud_event.set_spec_version("1.0");
  cloud_event.set_type("dev.cdevents.build.started.0.2.0");
  (*cloud_event.mutable_attributes())["subject"].set_ce_string(std::string(i, 'x'));
  cloud_event.set_binary_data(absl::StrCat("{\"n\":", i, "}"));
  event.set_cloud_event(cloud_event.SerializeAsString());
  event.set_origin(absl::StrCat("origin-", i % 3));
  event.set_commitment(std::string(crypto::kSha256Bytes, static_cast<char>('a' + i % 26)));
  event.set_accepted_time_nanos(static_cast<int64_t>(1000 + i));
  event.set_plane(i % 2 == 0 ? "ci" : "");
  if (i % 4 == 1) event.mutable_export_()->add_withheld("/secret");
  if (i % 5 == 2) event.mutable_export_()->add_substituted(absl::StrCat("/person/", i));
  if (i % 3 == 0) event.mutable_export_()->mutable_terms()->set_onward(2);
  if (i % 6 == 4) event.add_statements(std::string(i * 11, 'p'));
  return event;
}

struct Received {
  explicit Received(size_t i) : bytes(Event(i).SerializeAsString()) {
    EXPECT_TRUE(relayed.Assign(bytes));
    EXPECT_TRUE(event.Assign(relayed.cloud_event()));
  }
  Received(const Received&) = delete;
  Received& operator=(const Received&) = delete;

  std::string bytes;
  event::RelayedView relayed;
  event::CloudEventView event;
};

// As one by one.
Digest LeafOf(const Received& one, const std::string& seed, size_t place) {
  LeafMaker leaves;
  TermsView terms;
  if (one.relayed.has_terms()) {
    EXPECT_TRUE(attestation::ReadTerms(one.relayed.terms(), &terms));
  }
  CopyView copy;
  copy.Assign(one.event, one.relayed.withheld(), one.relayed.substituted());
  return leaves.Export(leaves.Salt(seed, static_cast<uint32_t>(place)),
                       attestation::ClaimOf(one.relayed), leaves.DigestsOf(copy), terms,
                       leaves.Previous(one.relayed.statements()));
}

const std::string kSeed(32, 's');

// Fewer than are hashed at once, as many, and more.
TEST(LeafBatchTest, AgreesWithOneByOne) {
  LeafBatch batch;
  for (const size_t count : {0, 1, 5, 6, 15, 16, 17, 33, 64, 100}) {
    batch.Reset(kSeed);
    std::vector<Digest> expected;
    for (size_t i = 0; i < count; ++i) {
      const Received one(i);
      const Digest content = LeafMaker().ContentOf(one.event);
      ASSERT_TRUE(batch.AddReceived(one.relayed, one.event, i % 2 == 0 ? &content : nullptr));
      EXPECT_EQ(batch.size(), i + 1);
      expected.push_back(LeafOf(one, kSeed, i));
    }
    const auto leaves = batch.Leaves();
    EXPECT_EQ(std::vector<Digest>(leaves.begin(), leaves.end()), expected) << count;
  }
}

TEST(LeafBatchTest, GoesOnAfterALook) {
  LeafBatch batch(kSeed);
  for (size_t i = 0; i < 40; ++i) {
    const Received one(i);
    ASSERT_TRUE(batch.AddReceived(one.relayed, one.event, nullptr));
    ASSERT_EQ(batch.Leaves().size(), i + 1);
    EXPECT_EQ(batch.Leaves().back(), LeafOf(one, kSeed, i));
  }
}

TEST(LeafBatchTest, WhatHasNoTermsIsNotAdded) {
  RelayedEvent event = Event(8);  // without an export section
  std::string bytes = event.SerializeAsString();
  std::string section;
  event::AppendBytesField(storage::v1::ExportSection::kTermsFieldNumber, "\xff\xff", &section);
  event::AppendBytesField(RelayedEvent::kExportFieldNumber, section, &bytes);
  event::RelayedView relayed;
  event::CloudEventView view;
  ASSERT_TRUE(relayed.Assign(bytes));
  ASSERT_TRUE(relayed.has_terms());
  ASSERT_TRUE(view.Assign(relayed.cloud_event()));
  LeafBatch batch(kSeed);
  EXPECT_FALSE(batch.AddReceived(relayed, view, nullptr));
  EXPECT_TRUE(batch.empty());
}

}  // namespace
}  // namespace cdgate::test
