#include "gateway/base/errors.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/base/status_macros.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"

namespace cdgate::base {
namespace {

absl::string_view CodeText(absl::StatusCode code) {
  static const auto* const names = new std::map<absl::StatusCode, std::string>{
      {absl::StatusCode::kOk, "OK"},
      {absl::StatusCode::kCancelled, "CANCELLED"},
      {absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENT"},
      {absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED"},
      {absl::StatusCode::kNotFound, "NOT_FOUND"},
      {absl::StatusCode::kAlreadyExists, "ALREADY_EXISTS"},
      {absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED"},
      {absl::StatusCode::kResourceExhausted, "RESOURCE_EXHAUSTED"},
      {absl::StatusCode::kFailedPrecondition, "FAILED_PRECONDITION"},
      {absl::StatusCode::kAborted, "ABORTED"},
      {absl::StatusCode::kOutOfRange, "OUT_OF_RANGE"},
      {absl::StatusCode::kUnimplemented, "UNIMPLEMENTED"},
      {absl::StatusCode::kInternal, "INTERNAL"},
      {absl::StatusCode::kUnavailable, "UNAVAILABLE"},
      {absl::StatusCode::kDataLoss, "DATA_LOSS"},
      {absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"},
  };
  return names->at(code);
}

// docs/errors.md, from the registry.
std::string ErrorsPage() {
  std::string page =
      "# Reasons\n\n"
      "Every error, decision and dead letter has one of these reasons. In answers of the API it "
      "is\n"
      "`google.rpc.ErrorInfo.reason` with the domain `cdgate.dev`; in metrics, decisions and\n"
      "`cdgate who-got` it is in lower case. The code is that of the call's status.\n\n"
      "This page is written from `gateway/base/error_reasons.def` by the test `ErrorReasonsTest`\n"
      "with `--update_golden`.\n\n"
      "| reason | code | what happened | what to do |\n"
      "|---|---|---|---|\n";
  for (const ReasonInfo& info : AllReasons()) {
    absl::StrAppend(&page, "| `", info.text, "` | ", CodeText(info.code), " | ", info.meaning,
                    " | ", info.remedy, " |\n");
  }
  return page;
}

TEST(ErrorReasonsTest, ThePageOfReasonsIsCurrent) {
  EXPECT_TRUE(test::MatchesGolden("docs/errors.md", ErrorsPage()));
}

TEST(ErrorReasonsTest, TextsAreUniqueAndFitErrorInfo) {
  std::set<std::string> seen;
  for (const ReasonInfo& info : AllReasons()) {
    EXPECT_TRUE(seen.insert(std::string(info.text)).second) << info.text;
    EXPECT_LE(info.text.size(), 63u) << info.text;
    EXPECT_EQ(info.text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), absl::string_view::npos)
        << info.text;
  }
}

TEST(ErrorReasonsTest, EveryReasonSaysWhatHappenedAndWhatToDo) {
  for (const ReasonInfo& info : AllReasons()) {
    for (absl::string_view sentence : {info.meaning, info.remedy}) {
      ASSERT_FALSE(sentence.empty()) << info.text;
      EXPECT_EQ(sentence.back(), '.') << info.text;
      EXPECT_TRUE(absl::ascii_isupper(static_cast<unsigned char>(sentence.front()))) << info.text;
      EXPECT_EQ(sentence.find('|'), absl::string_view::npos) << info.text << ": breaks the table";
    }
  }
}

TEST(ErrorReasonsTest, BothSpellingsLeadBack) {
  for (const ReasonInfo& info : AllReasons()) {
    EXPECT_EQ(ReasonFromText(info.text), info.reason);
    EXPECT_EQ(ReasonFromText(ReasonLabel(info.reason)), info.reason);
    EXPECT_EQ(InfoOf(info.reason).text, info.text);
  }
  EXPECT_EQ(ReasonFromText("no_such_reason"), std::nullopt);
  EXPECT_EQ(ReasonLabel(Reason::kIdentityConflict), "identity_conflict");
}

TEST(ErrorsTest, AnErrorCarriesItsReasonCodeAndValues) {
  const absl::Status status =
      MakeError(Reason::kIdentityConflict, "event e1 exists", {{"id", "e1"}, {"empty", ""}});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "event e1 exists");
  EXPECT_EQ(ReasonOf(status), Reason::kIdentityConflict);
  EXPECT_EQ(MetadataOf(status), (Metadata{{"id", "e1"}, {"empty", ""}}));
}

TEST(ErrorsTest, ValuesWithNulDoNotForgeOthers) {
  const absl::Status status = MakeError(Reason::kInvalidEvent, "bad",
                                        {{"id", std::string("a\0reason\0b", 10)}, {"k", "v"}});
  EXPECT_EQ(MetadataOf(status), (Metadata{{"id", "areasonb"}, {"k", "v"}}));
}

TEST(ErrorsTest, ErrorsMadeElsewhereHaveNoReason) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), std::nullopt);
  EXPECT_TRUE(MetadataOf(absl::InternalError("x")).empty());
}

TEST(ErrorsTest, AnnotateKeepsReasonAndValues) {
  const absl::Status status =
      Annotate(MakeError(Reason::kNotFound, "no peer beta.example", {{"domain", "beta.example"}}),
               "policy.yaml:3");
  EXPECT_EQ(status.message(), "policy.yaml:3: no peer beta.example");
  EXPECT_EQ(ReasonOf(status), Reason::kNotFound);
  EXPECT_EQ(MetadataOf(status), (Metadata{{"domain", "beta.example"}}));
  CDGATE_EXPECT_OK(Annotate(absl::OkStatus(), "nothing"));
}

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return MakeError(Reason::kInvalidArgument, "odd");
  return n / 2;
}
absl::Status CheckQuarter(int n, int* out) {
  CDGATE_ASSIGN_OR_RETURN(const int half, Half(n));
  CDGATE_ASSIGN_OR_RETURN(*out, Half(half));
  CDGATE_RETURN_IF_ERROR(absl::OkStatus());
  return absl::OkStatus();
}

TEST(StatusMacrosTest, ReturnEarlyWithTheError) {
  int out = 0;
  CDGATE_EXPECT_OK(CheckQuarter(12, &out));
  EXPECT_EQ(out, 3);
  EXPECT_THAT(CheckQuarter(6, &out), test::HasReason(Reason::kInvalidArgument));
  EXPECT_EQ(out, 3);
}

TEST(RetryAfterTest, IsKeptToTheMillisecondAndNeverTooEarly) {
  const absl::Status error = MakeError(Reason::kRateExceeded, "later", {{"key", "value"}});
  EXPECT_EQ(RetryAfterOf(error), std::nullopt);
  EXPECT_EQ(RetryAfterOf(absl::OkStatus()), std::nullopt);
  for (const auto& [delay, kept] : {std::pair{absl::Seconds(3), absl::Seconds(3)},
                                    {absl::Microseconds(1500), absl::Milliseconds(2)},
                                    {absl::Nanoseconds(1), absl::Milliseconds(1)},
                                    {absl::ZeroDuration(), absl::Milliseconds(1)}}) {
    const absl::Status later = WithRetryAfter(error, delay);
    EXPECT_EQ(RetryAfterOf(later), kept);
    EXPECT_EQ(RetryAfterOf(Annotate(later, "context")), kept);
    EXPECT_EQ(ReasonOf(later), Reason::kRateExceeded);
    EXPECT_EQ(MetadataOf(later), MetadataOf(error));
  }
}

}  // namespace
}  // namespace cdgate::base
