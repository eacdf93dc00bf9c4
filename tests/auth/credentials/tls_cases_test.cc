// What a gateway refuses in the handshake, as the server and as the client: one table, each
// case with the reason at the side that refuses. What the TLS library itself refuses, before our
// verifier is asked, is tls_handshake_failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/credentials/tls_log.h"
#include "tests/auth/credentials/forged_certificate.h"
#include "tests/auth/credentials/mutual_tls.h"
#include "tests/auth/credentials/raw_tls.h"
#include "tests/support/status_matchers.h"

namespace cdgate::credentials {
namespace {

using base::Reason;
using testing::AnyOf;

constexpr char kBeta[] = "spiffe://beta.example/gateway/gw1";
constexpr char kAlpha[] = "spiffe://alpha.example/gateway/gw1";

// alpha is ours; beta and gamma are peers, delta is nobody. beta has an intermediate, too.
struct World {
  World() {
    alpha.Trust(beta);
    alpha.Trust(gamma);
  }

  crypto::IssuedCertificate Forged(const Shape& shape) const {
    return Forge(shape, beta.ca.bundle_pem(), beta.ca.root_key_pem());
  }
  crypto::IssuedCertificate Of(const std::string& uri) const { return beta.ca.Leaf({uri}); }
  // A leaf of beta's below its intermediate, or below one that is below that.
  crypto::IssuedCertificate Below(bool twice, bool with_issuers = true) const {
    Shape shape{.uri_names = {kBeta}};
    shape.with_issuers = with_issuers;
    if (!twice) return Forge(shape, issuing.certificate_pem, issuing.key_pem);
    Shape ca;
    ca.basic_constraints = "critical,CA:TRUE";
    ca.key_usage = "critical,keyCertSign";
    ca.extended_key_usage = "";
    const auto second = Forge(ca, issuing.certificate_pem, issuing.key_pem);
    return Forge(shape, second.certificate_pem, second.key_pem);
  }
  // A CA of beta's bounded to its own names, and a leaf of it with another.
  crypto::IssuedCertificate Bounded() const {
    crypto::RootOptions options;
    options.permitted.uri_hosts = {"beta.example"};
    const auto ca = beta.ca.ca().IssueIntermediate("beta.example", options, absl::Now()).value();
    return Forge({.uri_names = {kAlpha}}, ca.certificate_pem, ca.key_pem);
  }
  // alpha's own certificate is checked by the clock before.
  void ShiftClock(absl::Duration by) {
    static_cast<void>(alpha.store());
    alpha.clock.Shift(by);
  }
  // Lists of beta's for alpha: of the root, and of the intermediate.
  void UseLists(const std::vector<std::string>& lists) {
    CDGATE_ASSERT_OK(alpha.registry.Replace("beta.example", beta.ca.bundle_pem(), lists));
  }
  std::string IssuingList(const std::vector<crypto::RevocationList::Entry>& revoked) const {
    const auto ca =
        crypto::CertificateAuthority::Load(issuing.certificate_pem, issuing.key_pem).value();
    return ca.IssueCrl(revoked, 1, absl::Hours(1), absl::Now()).value();
  }
  std::string RootList(const std::vector<crypto::RevocationList::Entry>& revoked,
                       absl::Time made = absl::Now()) const {
    return beta.ca.ca().IssueCrl(revoked, 1, absl::Hours(1), made).value();
  }

  Domain alpha{"alpha.example"};
  Domain beta{"beta.example"};
  Domain gamma{"gamma.example"};
  const test::TestCa delta{"delta.example", absl::Now()};
  const crypto::IssuedCertificate issuing =
      beta.ca.ca().IssueIntermediate("beta.example", {}, absl::Now()).value();
};

struct Case {
  const char* name;
  std::vector<Reason> reasons;  // any of them
  // Prepares alpha, and says what the other side shows.
  std::function<RawTls(World&)> show;
  // Refused by alpha as the server, as the client, or as either.
  enum { kServer = 1, kClient = 2, kBoth = 3 } side = kBoth;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

RawTls Shows(crypto::IssuedCertificate leaf) { return {.shown = std::move(leaf), .bytes = ""}; }

// A case in which a leaf of this shape from beta's CA is shown.
std::function<RawTls(World&)> Shaped(const Shape& shape) {
  return [shape](World& world) { return Shows(world.Forged(shape)); };
}
std::function<RawTls(World&)> Named(const std::vector<std::string>& uri_names) {
  return Shaped({.uri_names = uri_names});
}
std::function<RawTls(World&)> Version(int greatest) {
  return [greatest](World& world) {
    return RawTls{.shown = world.Of(kBeta), .greatest_version = greatest, .bytes = ""};
  };
}
std::function<RawTls(World&)> Says(const std::string& bytes) {
  return [bytes](World&) { return RawTls{.shown = {}, .bytes = bytes}; };
}

std::vector<Case> Cases() {
  constexpr Reason kTls = Reason::kTlsHandshakeFailed;
  constexpr Reason kMalformed = Reason::kCertificateMalformed;
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  return {
      // --- who signed
      {"NoCertificate", {kTls}, [](World&) { return RawTls{}; }},
      {"WrongCa", {kTls}, [](World& w) { return Shows(w.delta.Leaf({kBeta})); }},
      {"AnotherRootOfTheSameName",
       {kTls},
       [](World&) { return Shows(test::TestCa("beta.example", absl::Now()).Leaf({kBeta})); }},
      {"SelfSigned", {kTls}, Shaped({.uri_names = {kBeta}, .self_signed = true})},
      {"OtherDomainsCaNamingUs", {Reason::kCertificateUntrusted}, Named({kAlpha})},
      {"OtherDomainsCaNamingAPeer",
       {Reason::kCertificateUntrusted},
       Named({"spiffe://gamma.example/gateway/gw1"})},
      {"KnownCaNamingAnUnknownDomain",
       {Reason::kUnknownTrustDomain},
       Named({"spiffe://delta.example/gateway/gw1"})},
      {"CaOutsideItsNameConstraints", {kTls}, [](World& w) { return Shows(w.Bounded()); }},
      {"IntermediateNotSent", {kTls}, [](World& w) { return Shows(w.Below(false, false)); }},
      {"CaBelowOneThatMayHaveNone", {kTls}, [](World& w) { return Shows(w.Below(true)); }},
      {"LeafThatSignedALeaf",
       {kTls},
       [](World& w) {
         const auto leaf = w.Of(kBeta);
         return Shows(Forge({.uri_names = {kBeta}}, leaf.certificate_pem, leaf.key_pem));
       }},
      // --- whom it names
      {"NoSan", {kMalformed}, Named({})},
      {"TwoUriSans", {kMalformed}, Named({kBeta, "spiffe://beta.example/user/root"})},
      {"TwoUriSansOneOfThemForeign", {kMalformed}, Named({kBeta, "https://beta.example/"})},
      {"UriThatIsNoSpiffeId", {kMalformed}, Named({"https://beta.example/gateway/gw1"})},
      {"SpiffeIdWithoutPath", {kMalformed}, Named({"spiffe://beta.example"})},
      {"SpiffeIdWithTrailingSlash", {kMalformed}, Named({"spiffe://beta.example/gateway/gw1/"})},
      {"SpiffeIdInUpperCase", {kMalformed}, Named({"spiffe://Beta.Example/gateway/gw1"})},
      {"SpiffeIdWithPort", {kMalformed}, Named({"spiffe://beta.example:443/gateway/gw1"})},
      {"SpiffeIdWithUser",
       {kMalformed},
       Named({"spiffe://beta.example@alpha.example/gateway/gw1"})},
      {"SpiffeIdWithQuery", {kMalformed}, Named({"spiffe://beta.example/gateway/gw1?a=b"})},
      {"SpiffeIdWithFragment", {kMalformed}, Named({"spiffe://beta.example/gateway/gw1#a"})},
      {"SpiffeIdWithDots", {kMalformed}, Named({"spiffe://beta.example/gateway/../gw1"})},
      {"SpiffeIdPercentEncoded", {kMalformed}, Named({"spiffe://beta.example/gateway/%67w1"})},
      {"ServiceOfAPeer", {Reason::kWrongPeer}, Named({"spiffe://beta.example/service/jenkins"})},
      {"PersonOfAPeer", {Reason::kWrongPeer}, Named({"spiffe://beta.example/user/root"})},
      {"GatewayWithMorePath", {Reason::kWrongPeer}, Named({"spiffe://beta.example/gateway/gw1/x"})},
      {"OurOwnDomain",
       {Reason::kWrongPeer},
       [](World& w) { return Shows(w.alpha.ca.Gateway("gw2")); }},
      {"AnotherPeerThanDialled",
       {Reason::kWrongPeer},
       [](World& w) { return Shows(w.gamma.ca.Gateway("gw1")); },
       Case::kClient},
      // --- when
      {"Expired",
       {kTls},
       Shaped({.uri_names = {kBeta}, .from = -absl::Hours(2), .until = -absl::Hours(1)})},
      {"NotYetValid",
       {kTls},
       Shaped({.uri_names = {kBeta}, .from = absl::Hours(1), .until = absl::Hours(2)})},
      {"ExpiredByOurClock",
       {Reason::kCertificateExpired},
       [](World& w) {
         w.ShiftClock(absl::Hours(2));
         return Shows(w.Forged({.uri_names = {kBeta}}));
       }},
      {"NotYetValidByOurClock",
       {Reason::kCertificateNotYetValid},
       [](World& w) {
         w.ShiftClock(-absl::Minutes(30));
         return Shows(w.Forged({.uri_names = {kBeta}, .from = -absl::Minutes(1)}));
       }},
      // --- revoked
      {"RevokedLeaf",
       {Reason::kCertificateRevoked},
       [](World& w) {
         const auto leaf = w.Of(kBeta);
         w.UseLists({w.beta.ca.CrlRevoking(leaf.certificate_pem)});
         return Shows(leaf);
       }},
      {"RevokedIntermediate",
       {Reason::kCertificateRevoked},
       [](World& w) {
         const auto ca = crypto::Certificate::FromPem(w.issuing.certificate_pem).value();
         w.UseLists({w.RootList({{ca.serial(), absl::Now()}}), w.IssuingList({})});
         return Shows(w.Below(false));
       }},
      {"RevokedLeafBelowAnIntermediate",
       {Reason::kCertificateRevoked},
       [](World& w) {
         const auto leaf = w.Below(false);
         const auto read = crypto::Certificate::FromPem(leaf.certificate_pem).value();
         w.UseLists({w.RootList({}), w.IssuingList({{read.serial(), absl::Now()}})});
         return Shows(leaf);
       }},
      {"StaleRevocationList",
       {Reason::kRevocationListStale},
       [](World& w) {
         w.UseLists({w.RootList({}, absl::Now() - absl::Hours(24 * 60))});
         return Shows(w.Of(kBeta));
       }},
      {"NoListOfTheIntermediate",
       {Reason::kRevocationListStale},
       [](World& w) {
         w.UseLists({w.RootList({})});
         return Shows(w.Below(false));
       }},
      // --- of what kind
      {"WeakRsaKey", {kTls}, Shaped({.uri_names = {kBeta}, .key = "RSA 1024"})},
      {"CurveThatTls13DoesNotHave", {kTls}, Shaped({.uri_names = {kBeta}, .key = "P-224"})},
      {"WeakDigest", {kTls}, Shaped({.uri_names = {kBeta}, .digest = "SHA1"})},
      {"ForServersAlone",
       {kTls},
       Shaped({.uri_names = {kBeta}, .extended_key_usage = "serverAuth"}),
       Case::kServer},
      {"ForClientsAlone",
       {kTls},
       Shaped({.uri_names = {kBeta}, .extended_key_usage = "clientAuth"}),
       Case::kClient},
      {"ForCodeAlone", {kTls}, Shaped({.uri_names = {kBeta}, .extended_key_usage = "codeSigning"})},
      {"AttestorsOwnCertificate", {kTls}, [](World& w) { return Shows(w.beta.ca.Attestor("a1")); }},
      {"AttestorThatCouldConnect",
       {Reason::kCertificateWrongUse},
       Named({"spiffe://beta.example/attestor/a1"})},
      {"MayNotSignData",
       {kTls, kMalformed},
       Shaped({.uri_names = {kBeta}, .key_usage = "critical,keyEncipherment"})},
      {"MaySignCertificates",
       {kMalformed, kTls},
       Shaped({.uri_names = {kBeta}, .key_usage = "critical,digitalSignature,keyCertSign"})},
      {"MaySignLists",
       {kMalformed},
       Shaped({.uri_names = {kBeta}, .key_usage = "critical,digitalSignature,cRLSign"})},
      {"CaForALeaf",
       {kMalformed},
       Shaped({.uri_names = {kBeta},
               .basic_constraints = "critical,CA:TRUE",
               .key_usage = "critical,digitalSignature,keyCertSign"})},
      {"CriticalExtensionThatNobodyKnows",
       {kTls},
       Shaped({.uri_names = {kBeta}, .unknown_critical = true})},
      // --- how
      {"Tls12Alone", {kTls}, Version(TLS1_2_VERSION)},
      {"Tls11Alone", {kTls}, Version(TLS1_1_VERSION)},
      {"PlainHttp", {kTls}, Says("GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
      {"Garbage", {kTls}, Says(std::string(512, '\xa5'))},
      {"HelloOfAnotherLength", {kTls}, Says(hello + std::string(512, '\xff'))},
  };
}

class TlsCasesTest : public testing::TestWithParam<Case> {
 protected:
  TlsCasesTest() { ObserveTlsFailures(world_.alpha.observer); }
  ~TlsCasesTest() override { ObserveTlsFailures(nullptr); }

  // The refusal that alpha was told of; the other side may hear of its end before.
  Reason Refused() {
    const absl::Time end = absl::Now() + absl::Seconds(10);
    while (world_.alpha.observer->empty() && absl::Now() < end) std::this_thread::yield();
    const Refusal refusal = world_.alpha.observer->Take();
    SCOPED_TRACE(refusal.message);
    return refusal.reason;
  }

  World world_;
};

TEST_P(TlsCasesTest, AsTheServer) {
  if ((GetParam().side & Case::kServer) == 0) GTEST_SKIP() << "a case of the side that dials";
  const RawTls shown = GetParam().show(world_);
  Server server(world_.alpha.Serve(ServerSide::kPeers));
  EXPECT_FALSE(RawClient(server.port(), shown).accepted);
  EXPECT_THAT(Refused(), testing::AnyOfArray(GetParam().reasons));
  EXPECT_FALSE(server.last_caller().ok());
}

TEST_P(TlsCasesTest, AsTheClient) {
  if ((GetParam().side & Case::kClient) == 0) GTEST_SKIP() << "a case of the side that listens";
  const RawTls shown = GetParam().show(world_);
  const RawServer server(shown);
  EXPECT_EQ(CallAddress(server.address(), world_.alpha.DialPeer("beta.example")).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(Refused(), testing::AnyOfArray(GetParam().reasons));
}

INSTANTIATE_TEST_SUITE_P(, TlsCasesTest, testing::ValuesIn(Cases()),
                         [](const auto& c) { return std::string(c.param.name); });

// --- what is taken, by the same means

TEST(TlsTakenTest, WhatIsProperIsAccepted) {
  World world;
  Server server(world.alpha.Serve(ServerSide::kPeers));
  const struct {
    const char* what;
    crypto::IssuedCertificate leaf;
  } cases[] = {
      {"P-256", world.Forged({.uri_names = {kBeta}})},
      {"Ed25519", world.Forged({.uri_names = {kBeta}, .key = "Ed25519"})},
      {"RSA 2048", world.Forged({.uri_names = {kBeta}, .key = "RSA 2048"})},
      {"below an intermediate", world.Below(false)},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(RawClient(server.port(), Shows(c.leaf)).accepted) << c.what;
  }
}

// What was verified once is verified again, also for a client that brings its session.
TEST(TlsTakenTest, NoSessionIsEverResumed) {
  World world;
  Server server(world.alpha.Serve(ServerSide::kPeers));
  const RawTls shown = Shows(world.Of(kBeta));
  std::shared_ptr<SSL_SESSION> session;
  EXPECT_TRUE(RawClient(server.port(), shown, &session).accepted);
  ASSERT_NE(session, nullptr);
  const RawAnswer again = RawClient(server.port(), shown, &session);
  EXPECT_TRUE(again.accepted);
  EXPECT_FALSE(again.resumed);
  world.UseLists({world.beta.ca.CrlRevoking(shown.shown.certificate_pem)});
  EXPECT_FALSE(RawClient(server.port(), shown, &session).accepted);
  EXPECT_EQ(world.alpha.observer->Take().reason, Reason::kCertificateRevoked);
}

// Nobody is refused who said nothing yet; the others do not notice.
TEST(TlsTakenTest, AHandshakeThatIsCutHarmsNobody) {
  World world;
  Server server(world.alpha.Serve(ServerSide::kPeers));
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  for (size_t size = 1; size <= hello.size(); ++size) {
    EXPECT_FALSE(
        RawClient(server.port(), RawTls{.shown = {}, .bytes = hello.substr(0, size)}).accepted);
  }
  EXPECT_TRUE(RawClient(server.port(), Shows(world.Forged({.uri_names = {kBeta}}))).accepted);
}

}  // namespace
}  // namespace cdgate::credentials
