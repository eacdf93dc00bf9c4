#include "gateway/api/publish_api.h"

#include <gtest/gtest.h>

#include <string>

#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/errors.h"
#include "gateway/rpc/status.h"

namespace cdgate::api {
namespace {

admission::Result Accepted(uint64_t sequence, bool duplicate) {
  return {.sequence = base::Sequence(sequence), .duplicate = duplicate, .status = {}};
}

TEST(PublishApiTest, ResultsAreWrittenAsProtobufWritesThem) {
  const absl::Status refusal =
      base::MakeError(base::Reason::kTooLarge, std::string(300, 'x'), {{"bytes", "7"}});
  std::string bytes;
  events::v1::PublishStreamResponse want;
  for (const uint64_t sequence : {uint64_t{1}, uint64_t{127}, uint64_t{128}, ~uint64_t{0}}) {
    for (const bool duplicate : {false, true}) {
      AppendResult(Accepted(sequence, duplicate), &bytes);
      events::v1::PublishResult& result = *want.add_results();
      result.set_sequence(sequence);
      result.set_duplicate(duplicate);
    }
    AppendResult({.sequence = {}, .duplicate = false, .status = refusal}, &bytes);
    *want.add_results()->mutable_error() = rpc::ToProto(refusal);
  }
  AppendResult({}, &bytes);
  want.add_results();
  EXPECT_EQ(bytes, want.SerializeAsString());
}

}  // namespace
}  // namespace cdgate::api
