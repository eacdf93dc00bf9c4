// What is done to the files of a log, and what verifying says of it.
#include "auth/audit/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/auth/audit/audit_testing.h"

namespace cdgate::audit {
namespace {

using testing::HasSubstr;

// One file: a checkpoint (1), five acts (2 to 6), the checkpoint of a stop (7).
class ChainTest : public testing::Test {
 protected:
  ChainTest() {
    auto journal = world_.Open();
    for (int i = 0; i < 5; ++i) {
      world_.clock.Advance(absl::Seconds(1));
      CDGATE_EXPECT_OK(journal->Append({Act(absl::StrCat("/Service/Do", i))}));
    }
    CDGATE_EXPECT_OK(journal->AppendCheckpoint("stop"));
    lines_ = world_.Lines();
  }

  // The first fault of what stands there now.
  Fault Found() {
    const Report report = world_.Verify();
    EXPECT_TRUE(report.fault.has_value());
    return report.fault.value_or(Fault());
  }

  // `lines` from `from` on with numbers and hashes made anew, as one without the key can.
  static void Forge(std::vector<std::string>* lines, size_t from) {
    for (size_t i = from; i < lines->size(); ++i) {
      const std::string& old = (*lines)[i];
      const std::string previous =
          i == 0 ? NoHash() : (*lines)[i - 1].substr((*lines)[i - 1].size() - 66, 64);
      const size_t at = old.find("\"previous\":\"") + 12;
      std::string unsealed = old.substr(0, old.size() - 75);
      unsealed.replace(at, 64, previous);
      unsealed.replace(10, unsealed.find(',') - 10, absl::StrCat(i + 1));
      (*lines)[i] = Seal(unsealed);
    }
  }

  AuditWorld world_;
  std::vector<std::string> lines_;
};

TEST_F(ChainTest, AnUntouchedLogIsFine) {
  const Report report = world_.Verify();
  EXPECT_FALSE(report.fault.has_value()) << report.fault->message;
  EXPECT_EQ(report.summary.entries, 7u);
  EXPECT_EQ(report.summary.checkpoints, 2u);
  EXPECT_EQ(report.summary.last_checkpoint, 7u);
  EXPECT_TRUE(report.summary.closed);
  EXPECT_EQ(report.summary.signers.at("spiffe://alpha.example/gateway/gw1"), 2u);
  EXPECT_EQ(report.torn_bytes, 0u);
}

// Flips every `step`th byte of the one file, one at a time: each is found where it is.
void FlipBytes(const AuditWorld& world, size_t step) {
  const std::string whole = Contents(world.File());
  for (size_t i = 0; i < whole.size(); i += step) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    Write(world.File(), changed);
    const auto report = VerifyFolder(world.dir.path(), {});
    CDGATE_ASSERT_OK(report);
    ASSERT_TRUE(report->fault.has_value()) << "byte " << i;
    const uint64_t line =
        1 + std::count(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(i), '\n');
    EXPECT_EQ(report->fault->kind, Fault::Kind::kAltered) << "byte " << i;
    EXPECT_EQ(report->fault->number, line) << "byte " << i;
    EXPECT_EQ(report->fault->place.line, line) << "byte " << i;
  }
}

TEST_F(ChainTest, FlippedBytesAreFoundWhereTheyAre) { FlipBytes(world_, 23); }

// Without signatures, which would take most of the time and find none of these.
TEST(FlippedByteTest, EveryOneIsFoundWhereItIs) {
  AuditWorld world;
  auto journal = Journal::Open(
      world.Options(), world.clock,
      [] { return base::MakeError(base::Reason::kCredentialsInvalid, "no key"); }, nullptr);
  CDGATE_ASSERT_OK(journal);
  for (int i = 0; i < 5; ++i) CDGATE_ASSERT_OK((*journal)->Append({Act("/Service/Do")}));
  CDGATE_ASSERT_OK((*journal)->AppendCheckpoint("stop"));
  FlipBytes(world, 1);
}

TEST_F(ChainTest, EveryEntryTakenOutIsNamed) {
  for (size_t i = 1; i + 1 < lines_.size(); ++i) {
    std::vector<std::string> lines = lines_;
    lines.erase(lines.begin() + static_cast<ptrdiff_t>(i));
    world_.Rewrite(lines);
    const Fault fault = Found();
    EXPECT_EQ(fault.kind, Fault::Kind::kMissing);
    EXPECT_EQ(fault.number, i + 1);
    EXPECT_THAT(fault.message, HasSubstr(absl::StrCat("entry ", i + 1, " is missing")));
  }
}

TEST_F(ChainTest, SeveralTakenOutAreNamedTogether) {
  lines_.erase(lines_.begin() + 2, lines_.begin() + 5);
  world_.Rewrite(lines_);
  EXPECT_THAT(Found().message, HasSubstr("entries 3 to 5 are missing: entry 6 stands behind"));
}

TEST_F(ChainTest, TheFirstEntryTakenOutIsMissed) {
  lines_.erase(lines_.begin());
  world_.Rewrite(lines_);
  EXPECT_EQ(Found().kind, Fault::Kind::kUnsigned);  // a file begins with a checkpoint
}

TEST_F(ChainTest, EverySwapIsNamed) {
  for (size_t i = 1; i + 1 < lines_.size(); ++i) {
    std::vector<std::string> lines = lines_;
    std::swap(lines[i], lines[i + 1]);
    world_.Rewrite(lines);
    const Fault fault = Found();
    EXPECT_EQ(fault.kind, Fault::Kind::kOutOfOrder) << i;
    EXPECT_EQ(fault.number, i + 1);
    EXPECT_THAT(fault.message, HasSubstr(absl::StrCat("line ", i + 2)));
    EXPECT_THAT(fault.time, HasSubstr("2026-01-01T00:00:0"));
  }
}

TEST_F(ChainTest, ARepeatedEntryIsNamed) {
  lines_.insert(lines_.begin() + 4, lines_[2]);
  world_.Rewrite(lines_);
  const Fault fault = Found();
  EXPECT_EQ(fault.kind, Fault::Kind::kOutOfOrder);
  EXPECT_EQ(fault.number, 3u);
  EXPECT_EQ(fault.place.line, 5u);
}

TEST_F(ChainTest, AnEntryWithAHashMadeAnewDoesNotFitTheNext) {
  lines_[3] = Seal(lines_[3].substr(0, lines_[3].size() - 75) + ",\"more\":\"x\"");
  world_.Rewrite(lines_);
  const Fault fault = Found();
  EXPECT_EQ(fault.kind, Fault::Kind::kReplaced);
  EXPECT_EQ(fault.number, 4u);
  EXPECT_EQ(fault.place.line, 4u);
}

TEST_F(ChainTest, AChainMadeAnewFailsAtTheNextCheckpoint) {
  lines_.erase(lines_.begin() + 3);
  Forge(&lines_, 3);
  world_.Rewrite(lines_);
  const Fault fault = Found();
  EXPECT_EQ(fault.kind, Fault::Kind::kUnsigned);
  EXPECT_EQ(fault.number, 6u);
  EXPECT_THAT(fault.message, HasSubstr("signature"));
}

TEST_F(ChainTest, AnotherDomainsKeyDoesNotVouch) {
  const test::TestCa other("alpha.example", world_.clock.Now());  // its own root
  const auto report =
      VerifyFolder(world_.dir.path(), {.bundle_pem = other.bundle_pem(), .known = {}});
  CDGATE_ASSERT_OK(report);
  ASSERT_TRUE(report->fault.has_value());
  EXPECT_EQ(report->fault->kind, Fault::Kind::kUnsigned);
  EXPECT_THAT(report->fault->message, HasSubstr("does not verify against the bundle"));
}

TEST_F(ChainTest, ABundleOfAnotherDomainIsAnErrorOfWhoeverAsks) {
  const test::TestCa beta("beta.example", world_.clock.Now());
  EXPECT_THAT(VerifyFolder(world_.dir.path(), {.bundle_pem = beta.bundle_pem(), .known = {}}),
              test::HasReason(base::Reason::kCertificateMalformed));
}

TEST_F(ChainTest, AnotherServicesKeyDoesNotVouch) {
  const auto service = world_.ca.Service("jenkins");
  auto signer = MakeSigner(service.certificate_pem, service.key_pem);
  CDGATE_ASSERT_OK(signer);
  signer->id = "spiffe://alpha.example/gateway/gw1";
  lines_[0] =
      MakeCheckpoint(1, world_.clock.Now(), NoHash(),
                     {.reason = "file", .domain = "alpha.example", .instance = "gw1"}, signer);
  Forge(&lines_, 1);
  world_.Rewrite(lines_);
  EXPECT_THAT(Found().message, HasSubstr("signed by spiffe://alpha.example/service/jenkins"));
}

TEST_F(ChainTest, ACutEndShowsByWhatIsKnownFromElsewhere) {
  const std::string hash = lines_[6].substr(lines_[6].size() - 66, 64);
  lines_.resize(5);
  world_.Rewrite(lines_);
  EXPECT_FALSE(world_.Verify().fault.has_value());
  EXPECT_FALSE(world_.Verify().summary.closed);
  const Report report = world_.Verify({{.number = 7, .hash = hash}});
  ASSERT_TRUE(report.fault.has_value());
  EXPECT_EQ(report.fault->kind, Fault::Kind::kCut);
  EXPECT_EQ(report.fault->number, 6u);
}

TEST_F(ChainTest, AKnownEntryWithAnotherHashIsNamed) {
  const Report report = world_.Verify({{.number = 3, .hash = NoHash()}});
  ASSERT_TRUE(report.fault.has_value());
  EXPECT_EQ(report.fault->kind, Fault::Kind::kReplaced);
  EXPECT_EQ(report.fault->number, 3u);
}

TEST_F(ChainTest, AnUnfinishedLineAtTheEndIsNoFault) {
  const std::string whole = Contents(world_.File());
  const std::string last = lines_.back();
  for (size_t kept = 1; kept <= last.size(); ++kept) {
    Write(world_.File(), whole.substr(0, whole.size() - 1 - last.size() + kept));
    const Report report = world_.Verify();
    EXPECT_FALSE(report.fault.has_value()) << kept << ": " << report.fault->message;
    EXPECT_EQ(report.torn_bytes, kept);
    EXPECT_EQ(report.summary.last_number, 6u);
  }
}

TEST_F(ChainTest, CheckpointsTakenOutAreMissed) {
  AuditWorld world;
  {
    auto journal = world.Open();
    for (int i = 0; i < 1200; ++i) CDGATE_ASSERT_OK(journal->Append({Act("/Service/Do")}));
  }
  EXPECT_FALSE(world.Verify().fault.has_value());
  EXPECT_GE(world.Verify().summary.checkpoints, 4u);
  std::vector<std::string> lines = world.Lines();
  std::erase_if(lines, [first = lines.front()](const std::string& line) {
    return line != first && line.find("\"kind\":\"checkpoint\"") != std::string::npos;
  });
  Forge(&lines, 1);
  world.Rewrite(lines);
  const Report report = world.Verify();
  ASSERT_TRUE(report.fault.has_value());
  EXPECT_EQ(report.fault->kind, Fault::Kind::kUnsigned);
  EXPECT_THAT(report.fault->message, HasSubstr("no checkpoint"));
}

}  // namespace
}  // namespace cdgate::audit
