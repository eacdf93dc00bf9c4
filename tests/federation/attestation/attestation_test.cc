// Trees and proofs: what is in them can be shown, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "federation/attestation/field_proof.h"
#include "federation/attestation/merkle.h"
#include "gateway/event/event_fields.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/status_matchers.h"

namespace cdgate::attestation {
namespace {

using testing::Not;

std::vector<Digest> Leaves(size_t count) {
  std::vector<Digest> leaves(count);
  for (size_t i = 0; i < count; ++i) {
    leaves[i].fill(static_cast<uint8_t>(i * 7 + 1));
    leaves[i][0] = static_cast<uint8_t>(i >> 8);
    leaves[i][1] = static_cast<uint8_t>(i);
  }
  return leaves;
}

const std::string kSeed(kSeedBytes, 's');

TEST(MerkleTreeTest, EachLeafLeadsToTheRoot) {
  crypto::Sha256Hasher hasher;
  MerkleTree tree;
  for (const size_t count : {1, 2, 3, 5, 8, 9, 33, 256, 4096}) {
    const std::vector<Digest> leaves = Leaves(count);
    tree.Build(leaves, kSeed);
    for (size_t i = 0; i < count; ++i) {
      const Inclusion at = tree.Prove(i);
      EXPECT_EQ(RootOf(leaves[i], at.index, at.path, hasher), tree.root()) << count << " " << i;
    }
  }
}

TEST(MerkleTreeTest, NothingElseDoes) {
  crypto::Sha256Hasher hasher;
  MerkleTree tree;
  const std::vector<Digest> leaves = Leaves(5);
  tree.Build(leaves, kSeed);
  const Inclusion at = tree.Prove(2);
  EXPECT_NE(RootOf(leaves[3], at.index, at.path, hasher), tree.root());
  EXPECT_NE(RootOf(leaves[2], at.index ^ 1, at.path, hasher), tree.root());
  EXPECT_EQ(RootOf(leaves[2], at.index + 8, at.path, hasher), std::nullopt);
  EXPECT_EQ(RootOf(leaves[2], at.index, at.path.substr(1), hasher), std::nullopt);
  for (size_t byte = 0; byte < at.path.size(); ++byte) {
    std::string path = at.path;
    path[byte] = static_cast<char>(path[byte] ^ 1);
    EXPECT_NE(RootOf(leaves[2], at.index, path, hasher), tree.root()) << byte;
  }
}

TEST(MerkleTreeTest, SaysNothingOfTheOrderAndHowManyThereAre) {
  MerkleTree forward, backward;
  std::vector<Digest> leaves = Leaves(6);
  forward.Build(leaves, kSeed);
  std::reverse(leaves.begin(), leaves.end());
  backward.Build(leaves, kSeed);
  EXPECT_EQ(forward.root(), backward.root());
  EXPECT_EQ(forward.Prove(0).path.size(), 3 * 32u);  // as of eight
}

// ------------------------------------------------------------------ fields

constexpr char kData[] =
    R"({"context": {"id": "1", "source": "/a"}, "customData": {"secret": "s3cr3t", "n": 1.50,)"
    R"( "list": [1, "two", {}], "a/b~c": null}, "subject": {"content": {}}})";

class FieldProofTest : public testing::Test {
 protected:
  static std::string Event(const std::string& data, const std::string& chain = "c") {
    io::cloudevents::v1::CloudEvent event;
    event.set_id("1");
    event.set_source("/a");
    event.set_spec_version("1.0");
    event.set_type("dev.cdevents.build.finished.0.2.0");
    if (!chain.empty()) (*event.mutable_attributes())["causationid"].set_ce_string(chain);
    event.set_binary_data(data);
    return event.SerializeAsString();
  }
  static CopyView Copy(const std::string& bytes, const std::vector<std::string>& withheld,
                       const std::vector<std::string>& substituted = {}) {
    event::CloudEventView view;
    EXPECT_TRUE(view.Assign(bytes));
    CopyView copy;
    copy.Assign(view, withheld, substituted);
    return copy;
  }
  static std::string Without(absl::string_view text, absl::string_view by = "") {
    return absl::StrReplaceAll(kData, {{text, by}});
  }

  absl::StatusOr<std::string> Alter(const std::string& bytes,
                                    const std::vector<std::string>& withheld,
                                    const std::vector<std::string>& substituted = {}) {
    return prover_.Alter(Copy(original_, {}).event, salt_, Copy(bytes, withheld, substituted));
  }
  bool Verifies(const std::string& bytes, const std::string& proof,
                const std::vector<std::string>& withheld,
                const std::vector<std::string>& substituted = {}) {
    const auto commitment = prover_.Verify(Copy(bytes, withheld, substituted), proof);
    return commitment.ok() && *commitment == commitment_;
  }

  const std::string salt_ = std::string(16, 'x');
  const std::string original_ = Event(kData);
  event::FieldCommitter committer_;
  const Digest commitment_ = *committer_.Commit(salt_, Copy(original_, {}).event);
  FieldProver prover_;
};

TEST_F(FieldProofTest, WhatIsLeftVerifies) {
  const std::vector<std::string> gone = {"/customData/secret", "/customData/list"};
  const std::string copy = Event(Without(R"("secret": "s3cr3t", )"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string proof, Alter(copy, {gone[0]}));
  EXPECT_TRUE(Verifies(copy, proof, {gone[0]}));
  EXPECT_FALSE(Verifies(original_, proof, {gone[0]}));  // put back
  EXPECT_FALSE(Verifies(original_, proof, {}));
  EXPECT_THAT(proof, Not(testing::HasSubstr("s3cr3t")));
}

TEST_F(FieldProofTest, NothingCanBeChangedAddedOrMoved) {
  const std::string copy = Event(Without(R"("secret": "s3cr3t", )"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string proof, Alter(copy, {"/customData/secret"}));
  const std::string data = Without(R"("secret": "s3cr3t", )");
  for (const auto& [what, by] : std::vector<std::pair<std::string, std::string>>{
           {"1.50", "1.5"},
           {R"("two")", R"("too")"},
           {"null", "true"},
           {R"("n")", R"("m")"},
           {"[1, ", "[1, 3, "},
           {"{}]", "{}, {}]"},
           {R"("subject": {"content": {}})", R"("subject": {"content": {"x": 1}})"}}) {
    const std::string changed = Event(absl::StrReplaceAll(data, {{what, by}}));
    EXPECT_FALSE(Verifies(changed, proof, {"/customData/secret"})) << what;
  }
  EXPECT_FALSE(Verifies(Event(data, "other"), proof, {"/customData/secret"}));
}

TEST_F(FieldProofTest, AttributesGoLikeFields) {
  const std::string copy = Event(kData, "");
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string proof, Alter(copy, {}));
  EXPECT_TRUE(Verifies(copy, proof, {}));
  EXPECT_FALSE(Verifies(Event(kData, "made up"), proof, {}));
}

TEST_F(FieldProofTest, SubstitutesAreMarkedAndTheOthersNot) {
  const std::string copy = Event(Without("s3cr3t", "p1.aaaa"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string proof, Alter(copy, {}, {"/customData/secret"}));
  EXPECT_TRUE(Verifies(copy, proof, {}, {"/customData/secret"}));
  EXPECT_FALSE(Verifies(copy, proof, {}, {}));
  // Whose the substitute is, the sender's statement says, not the proof.
  EXPECT_TRUE(Verifies(Event(Without("s3cr3t", "p1.bbbb")), proof, {}, {"/customData/secret"}));
}

TEST_F(FieldProofTest, CopiesOfCopiesVerify) {
  const std::string once = Event(Without(R"("secret": "s3cr3t", )"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string first, Alter(once, {"/customData/secret"}));
  std::string data = Without(R"("secret": "s3cr3t", )");
  const std::string twice = Event(absl::StrReplaceAll(data, {{R"("n": 1.50, )", ""}}));
  const std::vector<std::string> gone = {"/customData/secret", "/customData/n"};
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const std::string second,
      prover_.AlterAgain(Copy(once, {"/customData/secret"}), first, Copy(twice, gone)));
  EXPECT_TRUE(Verifies(twice, second, gone));
  EXPECT_FALSE(Verifies(once, second, gone));
}

TEST_F(FieldProofTest, AnObjectOfWhichNothingIsLeftIsPassedOver) {
  const std::string data =
      R"({"context": {"id": "1", "source": "/a"}, "customData": {}, "subject": {"content": {}}})";
  const std::vector<std::string> gone = {"/customData/secret", "/customData/n", "/customData/list",
                                         "/customData/a~1b~0c"};
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string proof, Alter(Event(data), gone));
  EXPECT_TRUE(Verifies(Event(data), proof, gone));
}

TEST_F(FieldProofTest, EveryFlippedBitShows) {
  const std::string copy = Event(Without(R"("secret": "s3cr3t", )"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string proof, Alter(copy, {"/customData/secret"}));
  for (size_t byte = 0; byte < proof.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = proof;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
      EXPECT_FALSE(Verifies(copy, flipped, {"/customData/secret"})) << byte << " " << bit;
    }
  }
}

}  // namespace
}  // namespace cdgate::attestation
