// One gateway with more peers than a test has nodes for.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/manager/redial.h"
#include "tests/federation/session/test_node.h"

namespace cdgate {
namespace {

constexpr int kPeers = 100;

absl::Duration Between(const google::protobuf::Timestamp& from,
                       const google::protobuf::Timestamp& to) {
  return absl::Seconds(to.seconds() - from.seconds()) +
         absl::Nanoseconds(to.nanos() - from.nanos());
}

// While each on its own would be tried every quarter of a second.
TEST(ManyLinksTest, LinksThatAreDownShareTheirTries) {
  test::TestNetwork network;
  network.SetDown(true);
  test::TestNode& node = network.Add("alpha.example");
  std::vector<std::string> peers;
  for (int i = 0; i < kPeers; ++i) {
    admin::v1::Peer peer;
    peer.set_domain(absl::StrCat("p", i, ".example"));
    peer.set_agreement_id("agreement-1");
    peer.set_state(admin::v1::PEER_STATE_APPROVED);
    peer.set_endpoint("memory:1");
    peer.set_dial(true);
    node.Apply(state::kPeerKind, peer.domain(), peer);
    peers.push_back(peer.domain());
  }
  const absl::Duration least =
      absl::Seconds(kPeers / manager::kTriesASecond) / 2 - absl::Milliseconds(5);
  EXPECT_TRUE(test::Eventually([&] {
    return std::all_of(peers.begin(), peers.end(), [&](const std::string& peer) {
      const admin::v1::LinkStatus link = node.LinkTo(peer);
      return link.state() == admin::v1::LINK_STATE_DOWN && link.has_next_try() &&
             Between(link.since(), link.next_try()) >= least;
    });
  }));
  // And not because they were tried for so long that they are tried less.
  const int quick_tries = static_cast<int>(manager::kQuickPhase / manager::kQuickBackoff.cap);
  EXPECT_LT(network.dials(), kPeers * quick_tries / 4);
}

}  // namespace
}  // namespace cdgate
