#include "auth/crypto/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "auth/crypto/certificate_authority.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::crypto {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, FreeContext>;
using SslPtr = std::unique_ptr<SSL, FreeSsl>;

// As gRPC makes its server contexts: it sets the least version itself.
ContextPtr ServerContext(const IssuedCertificate& identity) {
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION);
  const auto leaf = Certificate::FromPem(identity.certificate_pem).value();
  const auto key = PrivateKey::FromPem(identity.key_pem).value();
  SSL_CTX_use_certificate(context.get(), leaf.handle());
  SSL_CTX_use_PrivateKey(context.get(), key.handle());
  return context;
}

// Both ends in memory, stepped until neither moves.
struct Handshake {
  Handshake(SSL_CTX* server_context, SSL_CTX* client_context, SSL_SESSION* resumed)
      : server(SSL_new(server_context)), client(SSL_new(client_context)) {
    BIO *to_client = nullptr, *to_server = nullptr;
    BIO_new_bio_pair(&to_client, 0, &to_server, 0);
    SSL_set_bio(server.get(), to_client, to_client);
    SSL_set_bio(client.get(), to_server, to_server);
    SSL_set_accept_state(server.get());
    SSL_set_connect_state(client.get());
    if (resumed != nullptr) SSL_set_session(client.get(), resumed);
    char byte;
    for (int i = 0; i < 10; ++i) {
      SSL_do_handshake(client.get());
      SSL_do_handshake(server.get());
    }
    SSL_read(client.get(), &byte, 1);  // takes in session tickets, where there are any
  }
  bool done() const {
    return SSL_is_init_finished(client.get()) == 1 && SSL_is_init_finished(server.get()) == 1;
  }
  SslPtr server;
  SslPtr client;
};

class ConfigureTlsProcessWideTest : public testing::Test {
 protected:
  void SetUp() override { CDGATE_ASSERT_OK(ConfigureTlsProcessWide()); }
  // What is agreed on with a client that offers these.
  std::string SuiteFor(const char* offered) const {
    const ContextPtr server = ServerContext(ca_.Gateway("gw1"));
    const ContextPtr client(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_ciphersuites(client.get(), offered);
    const Handshake handshake(server.get(), client.get(), nullptr);
    return handshake.done() ? SSL_get_cipher_name(handshake.client.get()) : "none";
  }

  const test::TestCa ca_{"alpha.example", absl::Now()};
};

TEST_F(ConfigureTlsProcessWideTest, SpeaksVersion13) {
  const ContextPtr server = ServerContext(ca_.Gateway("gw1"));
  const ContextPtr client(SSL_CTX_new(TLS_client_method()));
  const Handshake handshake(server.get(), client.get(), nullptr);
  ASSERT_TRUE(handshake.done());
  EXPECT_EQ(SSL_version(handshake.client.get()), TLS1_3_VERSION);
}

TEST_F(ConfigureTlsProcessWideTest, ChoosesTheSuiteThatEveryoneHas) {
  EXPECT_EQ(SuiteFor("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"), "TLS_AES_128_GCM_SHA256");
}

TEST_F(ConfigureTlsProcessWideTest, LetsAClientInsistOnLongerKeys) {
  EXPECT_EQ(SuiteFor("TLS_AES_256_GCM_SHA384"), "TLS_AES_256_GCM_SHA384");
}

TEST_F(ConfigureTlsProcessWideTest, RefusesAClientThatOnlyHas12) {
  const ContextPtr server = ServerContext(ca_.Gateway("gw1"));
  const ContextPtr client(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_clear_options(client.get(), SSL_OP_NO_TLSv1_2);
  SSL_CTX_set_max_proto_version(client.get(), TLS1_2_VERSION);
  EXPECT_FALSE(Handshake(server.get(), client.get(), nullptr).done());
}

TEST_F(ConfigureTlsProcessWideTest, DoesNotResumeSessions) {
  const ContextPtr server = ServerContext(ca_.Gateway("gw1"));
  SSL_CTX_set_session_cache_mode(server.get(), SSL_SESS_CACHE_OFF);  // as gRPC has it
  const ContextPtr client(SSL_CTX_new(TLS_client_method()));
  const Handshake first(server.get(), client.get(), nullptr);
  ASSERT_TRUE(first.done());
  SSL_SESSION* session = SSL_get1_session(first.client.get());
  const Handshake second(server.get(), client.get(), session);
  EXPECT_TRUE(second.done());
  EXPECT_EQ(SSL_session_reused(second.client.get()), 0);
  SSL_SESSION_free(session);
}

TEST_F(ConfigureTlsProcessWideTest, MayBeCalledAgain) {
  CDGATE_EXPECT_OK(ConfigureTlsProcessWide());
}

}  // namespace
}  // namespace cdgate::crypto
