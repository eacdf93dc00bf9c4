// A session against a client of the library, both in memory.
#include "auth/crypto/tls_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"
#include "gateway/base/errors.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::crypto {
namespace {

using State = TlsServerSession::State;
using base::Reason;

class TlsServerSessionTest : public testing::Test {
 protected:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  void Connect(const IssuedCertificate* identity, int max_version = TLS1_3_VERSION,
               const std::string& protocols = "") {
    const IssuedCertificate gateway = ca_.Gateway("gw1");
    const auto context = TlsServerContext::Create(gateway.certificate_pem, gateway.key_pem).value();
    server_ = std::make_unique<TlsServerSession>(context,
                                                 [this](absl::string_view leaf, absl::string_view) {
                                                   seen_ = std::string(leaf);
                                                   return verdict_;
                                                 });
    SSL_CTX* const client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(client, max_version);
    if (identity != nullptr) {
      SSL_CTX_use_certificate(client,
                              Certificate::FromPem(identity->certificate_pem).value().handle());
      SSL_CTX_use_PrivateKey(client, PrivateKey::FromPem(identity->key_pem).value().handle());
    }
    client_.reset(SSL_new(client));
    SSL_CTX_free(client);
    if (!protocols.empty()) {
      SSL_set_alpn_protos(client_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    }
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(client_.get(), in_, out_);
    SSL_set_connect_state(client_.get());
    for (int i = 0; i < 4; ++i) {
      SSL_do_handshake(client_.get());
      Step();
    }
  }

  // What the client says goes to the server, and back.
  State Step() {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    server_->Feed(bytes);
    const State state = server_->Read(&plain_);
    const std::string answer = server_->TakeOutput();
    if (!answer.empty()) BIO_write(in_, answer.data(), static_cast<int>(answer.size()));
    return state;
  }
  // The alert that ended the client's side; 0: none.
  int ClientAlert() {
    char byte;
    ERR_clear_error();
    SSL_read(client_.get(), &byte, 1);
    return ERR_GET_REASON(ERR_peek_error());
  }

  test::TestCa ca_{"alpha.example", absl::Now()};
  std::string seen_;
  absl::Status verdict_;
  std::unique_ptr<TlsServerSession> server_;
  std::unique_ptr<SSL, FreeSsl> client_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  std::string plain_;
};

TEST_F(TlsServerSessionTest, CarriesBytesBothWays) {
  Connect(nullptr);
  ASSERT_TRUE(server_->handshake_done());
  EXPECT_EQ(server_->leaf_pem(), "");
  const std::string much(100'000, 'x');
  SSL_write(client_.get(), much.data(), static_cast<int>(much.size()));
  EXPECT_EQ(Step(), State::kOpen);
  EXPECT_EQ(plain_, much);
  server_->Write(much);
  Step();
  std::string got(much.size() + 1, '\0');
  size_t size = 0, n = 0;
  while (SSL_read_ex(client_.get(), got.data() + size, got.size() - size, &n) == 1) size += n;
  EXPECT_EQ(got.substr(0, size), much);
}

TEST_F(TlsServerSessionTest, GivesNoTickets) {
  Connect(nullptr);
  char byte;
  SSL_read(client_.get(), &byte, 1);
  EXPECT_EQ(SSL_SESSION_has_ticket(SSL_get_session(client_.get())), 0);
}

TEST_F(TlsServerSessionTest, ACertificateIsJudgedInsideTheHandshake) {
  const IssuedCertificate service = ca_.Service("jenkins");
  Connect(&service);
  ASSERT_TRUE(server_->handshake_done());
  EXPECT_EQ(server_->leaf_pem(), seen_);
  EXPECT_EQ(Certificate::FromPem(seen_).value().FingerprintSha256(),
            Certificate::FromPem(service.certificate_pem).value().FingerprintSha256());
}

TEST_F(TlsServerSessionTest, ARefusedCertificateEndsItWithAnAlertThatFits) {
  const IssuedCertificate service = ca_.Service("jenkins");
  for (const auto& [reason, alert] :
       {std::pair{Reason::kCertificateExpired, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED},
        std::pair{Reason::kCertificateRevoked, SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED},
        std::pair{Reason::kUnknownTrustDomain, SSL_R_TLSV1_ALERT_UNKNOWN_CA},
        std::pair{Reason::kWrongPeer, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE}}) {
    verdict_ = base::MakeError(reason, "no");
    Connect(&service);
    EXPECT_FALSE(server_->handshake_done());
    EXPECT_EQ(Step(), State::kFailed);
    EXPECT_THAT(server_->failure(), test::HasReason(reason));
    EXPECT_EQ(ClientAlert(), alert);
  }
}

TEST_F(TlsServerSessionTest, OlderVersionsAndOtherProtocolsAreRefused) {
  Connect(nullptr, TLS1_2_VERSION);
  EXPECT_THAT(server_->failure(), test::HasReason(Reason::kTlsHandshakeFailed));
  Connect(nullptr, TLS1_3_VERSION, "\x02h2");
  EXPECT_THAT(server_->failure(), test::HasReason(Reason::kTlsHandshakeFailed));
  Connect(nullptr, TLS1_3_VERSION, "\x02h2\x08http/1.1");
  EXPECT_TRUE(server_->handshake_done());
}

TEST_F(TlsServerSessionTest, WhatIsNoTlsIsRefused) {
  Connect(nullptr);
  const IssuedCertificate gateway = ca_.Gateway("gw1");
  TlsServerSession session(
      TlsServerContext::Create(gateway.certificate_pem, gateway.key_pem).value(),
      [](absl::string_view, absl::string_view) { return absl::OkStatus(); });
  session.Feed("POST / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(session.Read(&plain_), State::kFailed);
  EXPECT_THAT(session.failure(), test::HasReason(Reason::kTlsHandshakeFailed));
}

TEST_F(TlsServerSessionTest, BothSidesCanSayThatTheyAreDone) {
  Connect(nullptr);
  SSL_shutdown(client_.get());
  EXPECT_EQ(Step(), State::kClosed);
  server_->Close();
  const std::string bytes = server_->TakeOutput();
  BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
  EXPECT_EQ(SSL_shutdown(client_.get()), 1);
}

TEST_F(TlsServerSessionTest, AKeyThatDoesNotFitIsRefused) {
  EXPECT_THAT(
      TlsServerContext::Create(ca_.Gateway("gw1").certificate_pem, ca_.Gateway("gw2").key_pem),
      test::HasReason(Reason::kCredentialsInvalid));
}

}  // namespace
}  // namespace cdgate::crypto
