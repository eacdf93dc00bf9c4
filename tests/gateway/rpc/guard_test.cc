#include "gateway/rpc/guard.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/trust/trust_registry.h"
#include "gateway/rpc/address.h"
#include "gateway/rpc/server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::rpc {
namespace {

using authz::Listener;
using testing::HasSubstr;

// Both ends of a TCP connection over loopback.
struct TcpPair {
  TcpPair() {
    BoundSocket listening = ListenTcp("127.0.0.1:0").value();
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    getsockname(listening.fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    client = OwnedFd(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    server = OwnedFd(accept(listening.fd.get(), nullptr, nullptr));
  }
  OwnedFd client;
  OwnedFd server;
};

// What gRPC would say of a connection that showed this certificate.
class FakeAuthContext final : public grpc::AuthContext {
  struct End : grpc::AuthPropertyIterator {};

 public:
  FakeAuthContext(std::string id, std::string leaf_pem) {
    properties_[GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME] = "tls";
    properties_[GRPC_PEER_SPIFFE_ID_PROPERTY_NAME] = std::move(id);
    properties_[GRPC_X509_PEM_CERT_PROPERTY_NAME] = std::move(leaf_pem);
  }
  bool IsPeerAuthenticated() const override { return true; }
  std::vector<grpc::string_ref> GetPeerIdentity() const override { return {}; }
  std::string GetPeerIdentityPropertyName() const override { return ""; }
  std::vector<grpc::string_ref> FindPropertyValues(const std::string& name) const override {
    const auto it = properties_.find(name);
    if (it == properties_.end()) return {};
    return {grpc::string_ref(it->second.data(), it->second.size())};
  }
  grpc::AuthPropertyIterator begin() const override { return End(); }
  grpc::AuthPropertyIterator end() const override { return End(); }
  void AddProperty(const std::string&, const grpc::string_ref&) override {}
  bool SetPeerIdentityPropertyName(const std::string&) override { return false; }

 private:
  std::map<std::string, std::string> properties_;
};

class GuardTest : public testing::Test {
 protected:
  GuardTest() : ca_("alpha.example", clock_.Now()) {
    ListenerLimits limits;
    limits.max_connections = 4;
    limits.max_connections_per_address = 3;
    limits.accept_burst = 5;
    limits.accepts_per_second = 1;
    Make(limits, 1 << 30);
  }

  void Make(const ListenerLimits& limits, uint64_t total) {
    guard_ = std::make_unique<Guard>(Guard::Options{.clock = clock_,
                                                    .metrics = metrics_,
                                                    .limits = {{Listener::kApi, limits},
                                                               {Listener::kPeers, limits},
                                                               {Listener::kEnrolment, limits}},
                                                    .total_slack_bytes = total,
                                                    .trust = trust_});
  }

  ConnectionPtr Add(TcpPair& pair, const std::string& key, const std::string& address = "a",
                    Listener listener = Listener::kApi) {
    auto connection = std::make_shared<Connection>(dup(pair.server.get()), listener, key, address,
                                                   guard_->trust_version());
    guard_->Add(connection);
    return connection;
  }

  // A gateway's leaf that is valid for so long from now.
  FakeAuthContext ContextOf(const std::string& instance, absl::Duration validity) {
    const std::string id = absl::StrCat("spiffe://alpha.example/gateway/", instance);
    return FakeAuthContext(id, ca_.Leaf({id}, clock_.Now(), validity).certificate_pem);
  }

  test::FakeClock clock_;
  const test::TestCa ca_;
  base::Metrics metrics_;
  std::shared_ptr<const trust::SnapshotSource> trust_;
  std::unique_ptr<Guard> guard_;
};

TEST_F(GuardTest, ConnectionIsFoundByItsKeyUntilItIsCut) {
  TcpPair pair;
  const ConnectionPtr connection = Add(pair, "ipv4:192.0.2.1:1");
  EXPECT_EQ(guard_->Find("ipv4:192.0.2.1:1"), connection);
  EXPECT_EQ(guard_->Find("ipv4:192.0.2.1:2"), nullptr);
  EXPECT_TRUE(connection->Cut());
  EXPECT_FALSE(connection->Cut());
  EXPECT_EQ(guard_->Find("ipv4:192.0.2.1:1"), nullptr);
  guard_->Tick();
  EXPECT_EQ(guard_->size(), 0U);
}

TEST_F(GuardTest, CutThrowsAwayWhatWasNotRead) {
  TcpPair pair;
  const ConnectionPtr connection = Add(pair, "k");
  const std::string unread(100000, 'x');
  ASSERT_GT(send(pair.client.get(), unread.data(), unread.size(), 0), 0);
  connection->Cut();
  char byte;
  EXPECT_LE(recv(pair.server.get(), &byte, 1, MSG_DONTWAIT), 0);
  EXPECT_LE(recv(pair.client.get(), &byte, 1, 0), 0);  // and the other side is told
}

TEST_F(GuardTest, ConnectionThatTheClientClosedIsDropped) {
  TcpPair pair;
  Add(pair, "k");
  guard_->Tick();
  EXPECT_EQ(guard_->size(), 1U);
  pair.client = OwnedFd();
  for (int i = 0; i < 100 && guard_->size() > 0; ++i) {
    usleep(1000);  // the kernel hands the FIN over in its own time
    guard_->Tick();
  }
  EXPECT_EQ(guard_->size(), 0U);
}

TEST_F(GuardTest, CapsAreOfTheAddressAndOfTheListener) {
  TcpPair pair;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kNone);
    Add(pair, absl::StrCat("k", i), "a");
  }
  EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kAddressFull);
  EXPECT_EQ(guard_->Admit(Listener::kApi, "b"), Guard::Refusal::kNone);
  Add(pair, "k3", "b");
  EXPECT_EQ(guard_->Admit(Listener::kApi, "c"), Guard::Refusal::kListenerFull);
  EXPECT_EQ(guard_->Admit(Listener::kPeers, "a"), Guard::Refusal::kNone);
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("connections_refused_total{cause=\"listener_full\",listener=\"api\"} 1"));
}

TEST_F(GuardTest, ConnectionsOfAnAddressAreRateLimited) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kNone);
  EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kRate);
  EXPECT_EQ(guard_->Admit(Listener::kApi, "b"), Guard::Refusal::kNone);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kNone);
  EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kRate);
}

TEST_F(GuardTest, NewConnectionWithTheSameKeyTakesTheOldOnesPlace) {
  TcpPair first;
  TcpPair second;
  const ConnectionPtr old = Add(first, "k");
  const ConnectionPtr fresh = Add(second, "k");
  EXPECT_EQ(guard_->Find("k"), fresh);
  EXPECT_EQ(guard_->size(), 1U);
  first.client = OwnedFd();
  usleep(10000);
  guard_->Tick();  // the old one's end does not remove the new one
  EXPECT_EQ(guard_->Find("k"), fresh);
}

TEST_F(GuardTest, AbuseIsCutAndKeepsTheAddressOutForAWhile) {
  TcpPair pair;
  const ConnectionPtr connection = Add(pair, "k", "a");
  connection->counters.streams = 1000;
  connection->counters.waste = 1000 * kWasteCancelledUnused;
  clock_.Advance(absl::Milliseconds(50));
  guard_->Tick();
  EXPECT_TRUE(connection->was_cut());
  EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kRate);
  EXPECT_EQ(guard_->Admit(Listener::kApi, "b"), Guard::Refusal::kNone);
  clock_.Advance(absl::Seconds(7));
  EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kNone);
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("connections_cut_total{cause=\"waste\",listener=\"api\"} 1"));
}

TEST_F(GuardTest, TooManyCallsAreCutAsTheyBeginAndNotAtTheNextTick) {
  TcpPair pair;
  const ConnectionPtr connection = Add(pair, "k", "a");
  const int64_t most = 2 * ListenerLimits().max_streams_per_connection + 16;
  connection->counters.open = most + 1000;
  connection->counters.answered = 1000;
  guard_->CheckStreams(*connection);
  EXPECT_FALSE(connection->was_cut());
  ++connection->counters.open;
  guard_->CheckStreams(*connection);
  EXPECT_TRUE(connection->was_cut());
  EXPECT_EQ(guard_->Admit(Listener::kApi, "a"), Guard::Refusal::kRate);
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("connections_cut_total{cause=\"streams\",listener=\"api\"} 1"));
}

TEST_F(GuardTest, TheGreediestIsCutWhereAllTogetherCostTooMuch) {
  Make(ListenerLimits(), 50000);
  TcpPair modest;
  TcpPair greedy;
  const ConnectionPtr first = Add(modest, "k1");
  const ConnectionPtr second = Add(greedy, "k2");
  const std::string some(30000, 'x');
  ASSERT_EQ(send(modest.client.get(), some.data(), 20000, 0), 20000);
  ASSERT_EQ(send(greedy.client.get(), some.data(), 30000, 0), 30000);
  for (int i = 0; i < 100 && !second->was_cut(); ++i) {
    usleep(1000);
    clock_.Advance(absl::Milliseconds(1));
    guard_->Tick();
  }
  EXPECT_FALSE(first->was_cut());
  // 50,000 bytes in all, less what time explains: not above the limit. One more is.
  ASSERT_EQ(send(greedy.client.get(), some.data(), 5000, 0), 5000);
  for (int i = 0; i < 100 && !second->was_cut(); ++i) {
    usleep(1000);
    guard_->Tick();
  }
  EXPECT_TRUE(second->was_cut());
  EXPECT_FALSE(first->was_cut());
}

TEST_F(GuardTest, IdentityIsThatOfTheCertificateNotOfTheConnection) {
  TcpPair pair;
  const ConnectionPtr connection = Add(pair, "k");
  const FakeAuthContext gw1 = ContextOf("gw1", absl::Hours(1));
  const FakeAuthContext gw2 = ContextOf("gw2", absl::Hours(1));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto first, connection->Identify(gw1));
  EXPECT_EQ(first->principal.id, "spiffe://alpha.example/gateway/gw1");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto again, connection->Identify(gw1));
  EXPECT_EQ(again, first);  // not worked out anew
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto other, connection->Identify(gw2));
  EXPECT_EQ(other->principal.id, "spiffe://alpha.example/gateway/gw2");
}

TEST_F(GuardTest, ConnectionWithoutASpiffeIdHasNoIdentity) {
  TcpPair pair;
  const ConnectionPtr connection = Add(pair, "k");
  EXPECT_THAT(connection->Identify(FakeAuthContext("", "")),
              test::HasReason(base::Reason::kUnauthenticatedCall));
}

TEST_F(GuardTest, ConnectionIsCutWhenItsCertificateExpires) {
  TcpPair pair;
  const ConnectionPtr connection = Add(pair, "k");
  CDGATE_ASSERT_OK(connection->Identify(ContextOf("gw1", absl::Minutes(10))).status());
  clock_.Advance(absl::Minutes(9));
  guard_->Tick();
  EXPECT_FALSE(connection->was_cut());
  clock_.Advance(absl::Minutes(2));
  guard_->Tick();
  EXPECT_TRUE(connection->was_cut());
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("connections_cut_total{cause=\"expired\",listener=\"api\"} 1"));
}

TEST_F(GuardTest, ConnectionIsCutWhenTrustChangesAgainstIt) {
  trust::TrustRegistry trust;
  CDGATE_ASSERT_OK(trust.Replace("alpha.example", ca_.bundle_pem(), {}));
  trust_ = trust.source();
  Make({}, 1 << 30);
  TcpPair first;
  TcpPair second;
  const ConnectionPtr gw1 = Add(first, "k1");
  const ConnectionPtr gw2 = Add(second, "k2");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto one, gw1->Identify(ContextOf("gw1", absl::Hours(1))));
  CDGATE_ASSERT_OK(gw2->Identify(ContextOf("gw2", absl::Hours(1))).status());
  CDGATE_EXPECT_OK(guard_->CheckTrust(*gw1, *one));
  guard_->Tick();
  EXPECT_FALSE(gw1->was_cut());

  trust.SetDenied(
      trust::DenyList::Compile({{.name = "lost", .subject = one->principal.id}}).value());
  guard_->Tick();
  EXPECT_TRUE(gw1->was_cut());
  EXPECT_FALSE(gw2->was_cut());
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("connections_cut_total{cause=\"untrusted\",listener=\"api\"} 1"));
  EXPECT_THAT(guard_->CheckTrust(*gw1, *one), test::HasReason(base::Reason::kCertificateDenied));
}

TEST_F(GuardTest, ACallIsNotAdmittedUnderATrustThatChangedSinceTheHandshake) {
  trust::TrustRegistry trust;
  CDGATE_ASSERT_OK(trust.Replace("alpha.example", ca_.bundle_pem(), {}));
  trust_ = trust.source();
  Make({}, 1 << 30);
  TcpPair pair;
  const ConnectionPtr connection = Add(pair, "k");
  trust.Remove("alpha.example");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto identity,
                              connection->Identify(ContextOf("gw1", absl::Hours(1))));
  EXPECT_THAT(guard_->CheckTrust(*connection, *identity),
              test::HasReason(base::Reason::kUnknownTrustDomain));
  EXPECT_TRUE(connection->was_cut());
}

TEST_F(GuardTest, ManyConnectionsAreVerifiedAgainWithoutKeepingTheGuard) {
  trust::TrustRegistry trust;
  CDGATE_ASSERT_OK(trust.Replace("alpha.example", ca_.bundle_pem(), {}));
  trust_ = trust.source();
  ListenerLimits limits;
  limits.max_connections = limits.max_connections_per_address = 100;
  Make(limits, 1 << 30);
  std::vector<std::unique_ptr<TcpPair>> pairs;
  std::vector<ConnectionPtr> connections;
  for (int i = 0; i < 70; ++i) {
    pairs.push_back(std::make_unique<TcpPair>());
    connections.push_back(Add(*pairs.back(), absl::StrCat("k", i)));
    CDGATE_ASSERT_OK(
        connections.back()->Identify(ContextOf(absl::StrCat("gw", i), absl::Hours(1))).status());
  }
  trust.Remove("alpha.example");
  const auto cut = [&] {
    return std::count_if(connections.begin(), connections.end(),
                         [](const ConnectionPtr& one) { return one->was_cut(); });
  };
  guard_->Tick();
  EXPECT_GT(cut(), 0);
  EXPECT_LT(cut(), 70);
  guard_->Tick();
  guard_->Tick();
  EXPECT_EQ(cut(), 70);
}

TEST_F(GuardTest, CutFindsTheConnectionsOfAPrincipal) {
  TcpPair first;
  TcpPair second;
  TcpPair unknown;
  const ConnectionPtr gw1 = Add(first, "k1");
  const ConnectionPtr gw2 = Add(second, "k2");
  Add(unknown, "k3");
  CDGATE_ASSERT_OK(gw1->Identify(ContextOf("gw1", absl::Hours(1))).status());
  CDGATE_ASSERT_OK(gw2->Identify(ContextOf("gw2", absl::Hours(1))).status());
  const auto is_gw1 = [](const authz::Principal& principal) {
    return principal.id == "spiffe://alpha.example/gateway/gw1";
  };
  EXPECT_EQ(guard_->Cut(is_gw1), 1U);
  EXPECT_TRUE(gw1->was_cut());
  EXPECT_FALSE(gw2->was_cut());
  EXPECT_EQ(guard_->Cut(is_gw1), 0U);
}

// A peer that was removed enrols again while what it had is being cut.
TEST_F(GuardTest, CutLeavesWhoeverEnrols) {
  TcpPair established;
  TcpPair enrolling;
  const ConnectionPtr link = Add(established, "k1", "a", Listener::kPeers);
  const ConnectionPtr enrolment = Add(enrolling, "k2", "a", Listener::kEnrolment);
  for (const ConnectionPtr& connection : {link, enrolment}) {
    CDGATE_ASSERT_OK(connection->Identify(ContextOf("gw1", absl::Hours(1))).status());
  }
  EXPECT_EQ(guard_->Cut([](const authz::Principal&) { return true; }), 1U);
  EXPECT_TRUE(link->was_cut());
  EXPECT_FALSE(enrolment->was_cut());
}

}  // namespace
}  // namespace cdgate::rpc
