#include "gateway/rpc/status.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/base/errors.h"
#include "gateway/cdevents/faults.h"
#include "google/rpc/error_details.pb.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using base::Reason;

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status proto;
  EXPECT_TRUE(proto.ParseFromString(status.error_details()));
  return proto;
}

TEST(StatusTest, ErrorCarriesReasonDomainAndMetadata) {
  const grpc::Status status = ToGrpcStatus(base::MakeError(
      Reason::kIdentityConflict, "event 7 exists with other content", {{"id", "7"}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(status.error_message(), "event 7 exists with other content");
  const google::rpc::Status proto = DetailsOf(status);
  ASSERT_EQ(proto.details_size(), 1);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "IDENTITY_CONFLICT");
  EXPECT_EQ(info.domain(), "cdgate.dev");
  EXPECT_EQ(info.metadata().at("id"), "7");
}

TEST(StatusTest, FaultsOfAnEventCross) {
  const cdevents::Faults faults{{{"/a", "required", ""}, {"/b", "type string", "1"}}, 0};
  const absl::Status error = cdevents::FaultsError(faults, "event");
  const google::rpc::Status proto = ToProto(error);
  ASSERT_EQ(proto.details_size(), 2);
  google::rpc::BadRequest bad;
  ASSERT_TRUE(proto.details(1).UnpackTo(&bad));
  ASSERT_EQ(bad.field_violations_size(), 2);
  EXPECT_EQ(bad.field_violations(1).field(), "/b");
  EXPECT_EQ(bad.field_violations(1).description(), "type string, found 1");
  EXPECT_EQ(cdevents::FaultsOf(FromProto(proto)), faults.list);
}

TEST(StatusTest, RetryInfoWhereAnotherTryMayHelp) {
  for (const Reason reason : {Reason::kOverloaded, Reason::kDraining}) {
    const google::rpc::Status proto = ToProto(base::MakeError(reason, "later"));
    ASSERT_EQ(proto.details_size(), 2);
    google::rpc::RetryInfo retry;
    ASSERT_TRUE(proto.details(1).UnpackTo(&retry));
    EXPECT_EQ(retry.retry_delay().seconds(), 1);
  }
}

TEST(StatusTest, RetryInfoSaysWhatTheErrorSays) {
  const absl::Status error =
      base::WithRetryAfter(base::MakeError(Reason::kRateExceeded, "later", {{"key", "value"}}),
                           absl::Milliseconds(2500));
  const google::rpc::Status proto = ToProto(error);
  ASSERT_EQ(proto.details_size(), 2);
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(proto.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 2);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(StatusTest, RoundTripKeepsReasonMessageAndMetadata) {
  for (const base::ReasonInfo& info : base::AllReasons()) {
    if (info.code == absl::StatusCode::kOk) continue;
    const absl::Status sent = base::MakeError(info.reason, "what happened", {{"key", "value"}});
    for (const absl::Status& got : {FromGrpcStatus(ToGrpcStatus(sent)), FromProto(ToProto(sent))}) {
      EXPECT_EQ(got.code(), sent.code());
      EXPECT_EQ(got.message(), sent.message());
      EXPECT_THAT(got, test::HasReason(info.reason));
      EXPECT_EQ(base::MetadataOf(got), base::MetadataOf(sent));
    }
  }
}

TEST(StatusTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
  EXPECT_EQ(ToProto(absl::OkStatus()).ByteSizeLong(), 0U);
  EXPECT_TRUE(FromProto(google::rpc::Status()).ok());
}

TEST(StatusTest, ErrorFromElsewhereDoesNotLeakItsText) {
  const absl::Status foreign = absl::InternalError("/var/lib/cdgate/log/000012.sst: bad block");
  const grpc::Status status = ToGrpcStatus(foreign);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message().find("/var"), std::string::npos);
  EXPECT_EQ(status.error_details().find("/var"), std::string::npos);
  EXPECT_THAT(FromGrpcStatus(status), test::HasReason(Reason::kInternal));
}

TEST(StatusTest, ErrorFromElsewhereGetsTheNearestReason) {
  const struct {
    absl::StatusCode code;
    Reason reason;
  } cases[] = {
      {absl::StatusCode::kCancelled, Reason::kCancelled},
      {absl::StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded},
      {absl::StatusCode::kNotFound, Reason::kNotFound},
      {absl::StatusCode::kUnavailable, Reason::kUnreachable},
      {absl::StatusCode::kUnknown, Reason::kInternal},
  };
  for (const auto& test_case : cases) {
    EXPECT_THAT(FromGrpcStatus(ToGrpcStatus(absl::Status(test_case.code, "x"))),
                test::HasReason(test_case.reason));
  }
}

TEST(StatusTest, StatusOfAnotherServerKeepsItsMessage) {
  const absl::Status status =
      FromGrpcStatus(grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused"));
  EXPECT_THAT(status, test::HasReason(Reason::kUnreachable));
  EXPECT_EQ(status.message(), "connection refused");
}

TEST(StatusTest, DetailsThatContradictTheCodeAreIgnored) {
  const grpc::Status good = ToGrpcStatus(base::MakeError(Reason::kNotFound, "gone"));
  const grpc::Status forged(grpc::StatusCode::UNAVAILABLE, "gone", good.error_details());
  EXPECT_THAT(FromGrpcStatus(forged), test::HasReason(Reason::kUnreachable));
  const grpc::Status garbage(grpc::StatusCode::NOT_FOUND, "gone", "\xFF\xFF garbage");
  EXPECT_THAT(FromGrpcStatus(garbage), test::HasReason(Reason::kNotFound));
}

TEST(StatusTest, ReasonOfAnotherDomainIsNotOurs) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(absl::StatusCode::kPermissionDenied));
  google::rpc::ErrorInfo info;
  info.set_reason("FROZEN");
  info.set_domain("elsewhere.example");
  proto.add_details()->PackFrom(info);
  EXPECT_THAT(FromProto(proto), test::HasReason(Reason::kNotGranted));
}

TEST(StatusTest, ReasonThatIsNoErrorDoesNotMakeAnErrorOk) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(absl::StatusCode::kInternal));
  google::rpc::ErrorInfo info;
  info.set_reason("ALLOWED_BY_RULE");
  info.set_domain("cdgate.dev");
  proto.add_details()->PackFrom(info);
  EXPECT_THAT(FromProto(proto), test::HasReason(Reason::kInternal));
}

TEST(StatusTest, TextsAreCutToWhatTrailersCarry) {
  const std::string umlauts = [] {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += "\xC3\xBC";
    return text;
  }();
  const grpc::Status status = ToGrpcStatus(base::MakeError(
      Reason::kInvalidArgument, umlauts, {{"a", umlauts}, {"b", umlauts}, {"c", umlauts}}));
  EXPECT_LT(3 * status.error_message().size() + 4 * status.error_details().size() / 3, 8U << 10);
  EXPECT_EQ(status.error_message().substr(0, 4), "\xC3\xBC\xC3\xBC");
  EXPECT_EQ(status.error_message().substr(status.error_message().size() - 3), "…");
}

TEST(StatusTest, BytesThatAreNoTextAreReplaced) {
  const grpc::Status status =
      ToGrpcStatus(base::MakeError(Reason::kInvalidArgument, "bad \xC3( \xE2\x82 end\xF0\x9F"));
  EXPECT_EQ(status.error_message(), "bad ?( ?? end??");
}

}  // namespace
}  // namespace cdgate::rpc
