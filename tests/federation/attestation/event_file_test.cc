// Event files: their form, and what they prove under bundles that are given.
#include "federation/attestation/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_replace.h"
#include "auth/trust/trust_registry.h"
#include "federation/attestation/file_keys.h"
#include "federation/attestation/judgement.h"
#include "tests/federation/attestation/attestors.h"
#include "tests/federation/attestation/story.h"
#include "tests/support/status_matchers.h"

namespace cdgate::attestation {
namespace {

using base::Reason;
using federation::v1::EventFile;
using test::Accept;
using test::HasReason;
using test::HasReasonAndMessage;
using test::Holding;
using test::Send;
using ::testing::HasSubstr;

EventFile FileOf(const Holding& holding) {
  EventFile file;
  file.set_version(kEventFileVersion);
  file.set_receiver(holding.domain);
  *file.mutable_event() = holding.event;
  if (holding.event.path().empty()) {
    file.mutable_event()->add_statements(holding.statement);
  } else {
    file.set_sender_statement(holding.statement);
  }
  for (const char* domain : {"alpha.example", "beta.example"}) {
    file.add_attestors(test::AttestorOf(domain).certificate_pem);
  }
  return file;
}

Holding AtGamma() {
  Holding at = Accept("alpha.example", test::StoryEvent(), /*by_fields=*/true);
  at = Send(at, {.to = "beta.example", .onward = 2});
  return Send(at, {.to = "gamma.example", .onward = 1, .redact = {"customData.people"}});
}

class EventFileTest : public ::testing::Test {
 protected:
  EventFileTest() {
    Trust("alpha.example");
    Trust("beta.example");
  }
  void Trust(const std::string& domain) {
    EXPECT_TRUE(trusted_.Replace(domain, test::AttestorOf(domain).bundle_pem, {}).ok());
  }

  Judgement Judge(const EventFile& file) {
    const auto snapshot = trusted_.Current();
    FileKeys keys(*snapshot, absl::FromUnixNanos(test::kSignTime));
    for (const std::string& pem : file.attestors()) EXPECT_TRUE(keys.Add(pem).ok());
    return attestation::Judge(file, keys,
                              [](absl::string_view, absl::string_view) { return true; });
  }

  trust::TrustRegistry trusted_;
};

TEST_F(EventFileTest, ReadsWhatItWrites) {
  const EventFile file = FileOf(AtGamma());
  const auto read = ReadEventFile(WriteEventFile(file).value());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), file.SerializeAsString());
}

TEST_F(EventFileTest, RefusesWhatItDoesNotKnow) {
  const std::string json = WriteEventFile(FileOf(AtGamma())).value();
  const auto with = [&json](absl::string_view old, absl::string_view other) {
    return ReadEventFile(absl::StrReplaceAll(json, {{old, other}})).status();
  };
  const auto is = [](const std::string& text) {
    return HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr(text));
  };
  EXPECT_THAT(with("\"version\": 1", "\"version\": 2, \"later\": 1"), is("newer release"));
  EXPECT_THAT(with("\"version\": 1", "\"version\": 0"), is("version is missing"));
  EXPECT_THAT(with("\"version\": 1", "\"version\": 1, \"later\": 1"), is("later"));
  EXPECT_THAT(with("gamma.example", ""), is("receiver is missing"));
  EXPECT_THAT(ReadEventFile("no JSON").status(), is("not an event file"));
}

TEST_F(EventFileTest, SaysWhatBecameOfTheEvent) {
  const Judgement judged = Judge(FileOf(AtGamma()));
  ASSERT_TRUE(judged.proven.ok()) << judged.proven;
  EXPECT_EQ(judged.proof, Proof::kFields);
  ASSERT_TRUE(judged.origin.has_value());
  EXPECT_EQ(judged.origin->domain, "alpha.example");
  ASSERT_EQ(judged.crossings.size(), 2u);
  EXPECT_EQ(judged.crossings[0].receiver, "beta.example");
  EXPECT_FALSE(judged.crossings[0].altered);
  EXPECT_EQ(judged.crossings[0].terms.onward(), 2u);
  EXPECT_EQ(judged.crossings[1].sender.domain, "beta.example");
  EXPECT_TRUE(judged.crossings[1].altered);
  EXPECT_EQ(judged.crossings[1].terms.onward(), 1u);
}

TEST_F(EventFileTest, TheOriginShowsItsOwn) {
  EventFile file = FileOf(Accept("alpha.example", test::StoryEvent(), /*by_fields=*/true));
  file.mutable_event()->clear_path();
  file.clear_sender_statement();
  file.mutable_event()->clear_statements();
  const Holding own = Accept("alpha.example", test::StoryEvent(), /*by_fields=*/true);
  file.mutable_event()->add_statements(own.statement);
  EXPECT_EQ(Judge(file).proof, Proof::kUnaltered);
  file.mutable_event()->clear_statements();
  EXPECT_THAT(Judge(file).proven,
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("nobody signed")));
}

TEST_F(EventFileTest, WhatWasChangedIsInvalid) {
  EventFile file = FileOf(AtGamma());
  file.mutable_event()->mutable_cloud_event()->replace(file.event().cloud_event().find("r\\u00e9d"),
                                                       8, "r\\u00e9e");
  EXPECT_THAT(Judge(file).proven, HasReason(Reason::kAttestationInvalid));

  file = FileOf(AtGamma());
  file.mutable_event()->mutable_export_()->mutable_terms()->set_onward(0);
  EXPECT_THAT(Judge(file).proven, HasReason(Reason::kAttestationInvalid));

  file = FileOf(AtGamma());
  file.set_receiver("delta.example");
  EXPECT_THAT(Judge(file).proven, HasReason(Reason::kAttestationInvalid));
}

// A field that the list says was replaced may have any value that its sender signed.
TEST_F(EventFileTest, WhatWasAlteredLastNeedsTheStatementOfItsSender) {
  EventFile file = FileOf(AtGamma());
  ASSERT_FALSE(file.event().export_().withheld().empty());
  file.clear_sender_statement();
  EXPECT_THAT(Judge(file).proven,
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("nobody signed")));
}

TEST_F(EventFileTest, WhatIsShownOfTheLastCrossingIsWhatWasSigned) {
  EventFile file = FileOf(AtGamma());
  federation::v1::Statement statement;
  ASSERT_TRUE(statement.ParseFromString(file.sender_statement()));
  statement.mutable_export_()->mutable_terms()->set_onward(9);
  file.set_sender_statement(statement.SerializeAsString());
  EXPECT_THAT(Judge(file).proven,
              HasReasonAndMessage(Reason::kAttestationInvalid, HasSubstr("other terms")));
  file.mutable_event()->mutable_export_()->mutable_terms()->set_onward(9);
  EXPECT_THAT(Judge(file).proven, HasReason(Reason::kAttestationInvalid));
}

TEST_F(EventFileTest, OnlyBundlesThatAreGivenCount) {
  trusted_.Remove("alpha.example");
  EXPECT_THAT(Judge(FileOf(AtGamma())).proven,
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("no bundle")));
  EventFile file = FileOf(AtGamma());
  Trust("alpha.example");
  file.clear_attestors();
  EXPECT_THAT(Judge(file).proven,
              HasReasonAndMessage(Reason::kAttestationUnproven, HasSubstr("is missing")));
}

}  // namespace
}  // namespace cdgate::attestation
