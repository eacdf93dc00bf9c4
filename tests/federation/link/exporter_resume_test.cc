// A receiver whose place is in an earlier life of the sender's log.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <variant>

#include "federation/link/exporter.h"
#include "tests/federation/link/fake_sealer.h"
#include "tests/support/status_matchers.h"

namespace cdgate::link {
namespace {

using base::Epoch;
using base::Position;
using base::Reason;
using base::Sequence;

class ExporterResumeTest : public testing::Test {
 protected:
  // The log lived as "first" through 10 and as "second" through 20, and lives as "now".
  ExporterResumeTest() {
    config_.peer = "beta.example";
    config_.agreement_id = "agreement";
    config_.log_epoch = Epoch("now");
    config_.earlier_epochs = {{Epoch("second"), Sequence(20)}, {Epoch("first"), Sequence(10)}};
    config_.head = Sequence(25);
    config_.acknowledged = Sequence(8);
    config_.sealer = &sealer_;
  }

  absl::Status Resume(const std::string& epoch, uint64_t sequence, uint64_t position,
                      uint64_t mark = 0) {
    exporter_.emplace(config_);
    outputs_.clear();
    CDGATE_EXPECT_OK(exporter_->OnInterest({}, &outputs_));
    federation::v1::Resume resume;
    resume.set_link_epoch("link");
    resume.set_position(position);
    resume.set_token(sealer_.Seal({Sequence(sequence), Position(position), mark},
                                  {"beta.example", "agreement", Epoch(epoch), "link"}));
    return exporter_->OnResume(resume, &outputs_);
  }

  std::optional<PeerIsAhead> Ahead() const {
    for (const Output& output : outputs_) {
      if (const auto* ahead = std::get_if<PeerIsAhead>(&output)) return *ahead;
    }
    return std::nullopt;
  }

  const test::FakeSealer sealer_;
  LinkConfig config_;
  std::optional<Exporter> exporter_;
  Outputs outputs_;
};

TEST_F(ExporterResumeTest, APlaceWithinAnEarlierLifeIsOneOfTheLog) {
  CDGATE_ASSERT_OK(Resume("second", 15, 4));
  EXPECT_FALSE(Ahead());
  EXPECT_TRUE(exporter_->resumed());
  EXPECT_EQ(exporter_->sent_through(), Sequence(15));
  EXPECT_EQ(exporter_->sent_position(), Position(4));
}

TEST_F(ExporterResumeTest, ItsMarkIsStillHeldAgainstTheLog) {
  CDGATE_ASSERT_OK(Resume("second", 20, 4, /*mark=*/7));
  EXPECT_FALSE(exporter_->resumed());
  EXPECT_THAT(exporter_->OnPlaceChecked(false), test::HasReason(Reason::kEpochRegressed));
}

TEST_F(ExporterResumeTest, BehindItsEndThePeerGoesOnAtTheEnd) {
  CDGATE_ASSERT_OK(Resume("second", 23, 9, /*mark=*/7));
  ASSERT_TRUE(Ahead());
  EXPECT_EQ(Ahead()->epoch, Epoch("second"));
  EXPECT_EQ(Ahead()->first, Sequence(21));
  EXPECT_EQ(Ahead()->last, Sequence(23));
  EXPECT_EQ(Ahead()->position, Position(9));
  EXPECT_TRUE(exporter_->resumed());
  EXPECT_EQ(exporter_->sent_through(), Sequence(20));
  EXPECT_EQ(exporter_->sent_position(), Position(9));
}

TEST_F(ExporterResumeTest, EachLifeHasItsOwnEnd) {
  CDGATE_ASSERT_OK(Resume("first", 12, 3));
  ASSERT_TRUE(Ahead());
  EXPECT_EQ(Ahead()->first, Sequence(11));
  EXPECT_EQ(exporter_->sent_through(), Sequence(10));
}

TEST_F(ExporterResumeTest, AnotherLogOrAnotherPositionIsRefused) {
  EXPECT_THAT(Resume("other", 5, 1), test::HasReason(Reason::kTokenInvalid));
  exporter_.emplace(config_);
  outputs_.clear();
  CDGATE_ASSERT_OK(exporter_->OnInterest({}, &outputs_));
  federation::v1::Resume lie;
  lie.set_link_epoch("link");
  lie.set_position(3);
  lie.set_token(sealer_.Seal({Sequence(23), Position(9), 0},
                             {"beta.example", "agreement", Epoch("second"), "link"}));
  EXPECT_THAT(exporter_->OnResume(lie, &outputs_), test::HasReason(Reason::kTokenInvalid));
  EXPECT_FALSE(Ahead());
}

TEST_F(ExporterResumeTest, BeyondTheHeadOfItsOwnLifeStaysRefused) {
  EXPECT_THAT(Resume("now", 26, 9), test::HasReason(Reason::kEpochRegressed));
}

}  // namespace
}  // namespace cdgate::link
