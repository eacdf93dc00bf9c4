// What the TLS library refuses before our verifier runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "auth/credentials/tls_log.h"
#include "auth/crypto/private_key.h"
#include "tests/auth/credentials/mutual_tls.h"
#include "tests/support/status_matchers.h"

namespace cdgate::credentials {
namespace {

using base::Reason;

class TlsFailureTest : public testing::Test {
 protected:
  TlsFailureTest() { alpha_.Trust(beta_); }
  ~TlsFailureTest() override { ObserveTlsFailures(nullptr); }

  // Straight to gRPC, as a client that is none of ours.
  std::shared_ptr<grpc::ChannelCredentials> Raw(const crypto::IssuedCertificate& leaf) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = alpha_.ca.bundle_pem();
    options.pem_private_key = leaf.key_pem;
    options.pem_cert_chain = leaf.certificate_pem;
    return grpc::SslCredentials(options);
  }

  Domain alpha_{"alpha.example"};
  Domain beta_{"beta.example"};
};

TEST_F(TlsFailureTest, NoCertificate) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  EXPECT_FALSE(Call(server, Raw({})).ok());
  EXPECT_TRUE(alpha_.observer->empty());
  EXPECT_FALSE(server.last_caller().ok());
}

TEST_F(TlsFailureTest, ACaThatNobodyTrusts) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  const test::TestCa impostor("beta.example", absl::Now());
  EXPECT_FALSE(Call(server, Raw(impostor.Gateway("gw1"))).ok());
  EXPECT_FALSE(server.last_caller().ok());
}

TEST_F(TlsFailureTest, ExpiredByTheMachinesClock) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  const auto expired = beta_.ca.Leaf({"spiffe://beta.example/gateway/gw1"},
                                     absl::Now() - absl::Hours(2), absl::Hours(1));
  EXPECT_FALSE(Call(server, Raw(expired)).ok());
  EXPECT_FALSE(server.last_caller().ok());
}

TEST_F(TlsFailureTest, IsCounted) {
  const auto observer = std::make_shared<RecordingObserver>();
  ObserveTlsFailures(observer);
  {
    Server server(alpha_.Serve(ServerSide::kPeers));
    EXPECT_FALSE(Call(server, Raw({})).ok());
  }
  EXPECT_EQ(observer->Take().reason, Reason::kTlsHandshakeFailed);
}

// A TLS 1.2 client with a certificate that would do. The result of its handshake.
bool HandshakeWithVersion12(int port, const crypto::IssuedCertificate& leaf) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_clear_options(context, SSL_OP_NO_TLSv1_2);
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_use_certificate(context,
                          crypto::Certificate::FromPem(leaf.certificate_pem).value().handle());
  SSL_CTX_use_PrivateKey(context, crypto::PrivateKey::FromPem(leaf.key_pem).value().handle());
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  const bool done = SSL_connect(ssl) == 1;
  SSL_free(ssl);
  SSL_CTX_free(context);
  close(fd);
  return done;
}

TEST_F(TlsFailureTest, Version12) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  EXPECT_FALSE(HandshakeWithVersion12(server.port(), beta_.ca.Gateway("gw1")));
}

}  // namespace
}  // namespace cdgate::credentials
