#include "gateway/app/enrol_dialer.h"

#include <utility>

#include "auth/credentials/credentials.h"
#include "gateway/rpc/client_channel.h"

namespace cdgate::app {
namespace {

// architecture: one RPC, 8 KiB, 5 s.
constexpr absl::Duration kCallLimit = absl::Seconds(5);
constexpr int kMaxResponseBytes = 8 << 10;

}  // namespace

void ChannelEnrolDialer::Enrol(const std::string& endpoint, const std::string& domain,
                               const federation::v1::EnrolRequest& request, Done done) {
  auto captured = std::make_shared<credentials::CapturedServer>();
  auto channel = std::make_shared<rpc::ClientChannel>(
      endpoint,
      credentials::EnrolmentChannelCredentials(identity_, domain, captured,
                                               credentials::WithAddress(observer_, endpoint)),
      rpc::ClientChannelOptions{
          .clock = clock_, .timers = timers_, .max_message_bytes = kMaxResponseBytes});
  using federation::v1::EnrolResponse;
  channel->Call<EnrolResponse>("/cdgate.federation.v1.EnrolmentService/Enrol", request, kCallLimit,
                               [this, channel, captured, domain,
                                done = std::move(done)](absl::StatusOr<EnrolResponse> response) {
                                 if (!response.ok()) return done(std::move(response).status());
                                 const auto server = captured->VerifyAgainst(
                                     domain, response->party().bundle_pem(), clock_.Now());
                                 if (!server.ok()) return done(server.status());
                                 done(std::move(response));
                               });
}

}  // namespace cdgate::app
