// One side of a TLS handshake by OpenSSL alone, which does as it is told: old versions, weak
// keys, nothing at all.
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "auth/crypto/certificate.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/crypto/private_key.h"

namespace cdgate::credentials {

struct RawTls {
  crypto::IssuedCertificate shown;  // empty: no certificate
  int greatest_version = TLS1_3_VERSION;
  // Said instead of a handshake; the connection ends behind it.
  std::string bytes;
};

struct FreeSsl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

inline int LoopbackSocket(sockaddr_in* address, int port) {
  signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to connections that the other side has closed
  *address = {};
  address->sin_family = AF_INET;
  address->sin_port = htons(static_cast<uint16_t>(port));
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

inline std::unique_ptr<SSL_CTX, FreeSsl> RawContext(const RawTls& options,
                                                    const SSL_METHOD* method) {
  std::unique_ptr<SSL_CTX, FreeSsl> context(SSL_CTX_new(method));
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_clear_options(context.get(), SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), options.greatest_version);
  SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
  if (options.shown.certificate_pem.empty()) return context;
  const auto chain = crypto::Certificate::ParsePemChain(options.shown.certificate_pem).value();
  const auto key = crypto::PrivateKey::FromPem(options.shown.key_pem).value();
  if (SSL_CTX_use_certificate(context.get(), chain.front().handle()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.handle()) != 1) {
    std::abort();
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    SSL_CTX_add1_chain_cert(context.get(), chain[i].handle());
  }
  return context;
}

// What a client gets from a gateway.
struct RawAnswer {
  bool accepted = false;  // it was spoken to: HTTP/2 begins with the server's settings
  bool resumed = false;
};

// Connects and handshakes. `session`: one from before to resume, and where the new one is put.
inline RawAnswer RawClient(int port, const RawTls& options,
                           std::shared_ptr<SSL_SESSION>* session = nullptr) {
  sockaddr_in address;
  const int fd = LoopbackSocket(&address, port);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  RawAnswer answer;
  if (!options.bytes.empty()) {
    if (send(fd, options.bytes.data(), options.bytes.size(), MSG_NOSIGNAL) < 0) std::abort();
    shutdown(fd, SHUT_WR);
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {
    }
    close(fd);
    return answer;
  }
  const auto context = RawContext(options, TLS_client_method());
  const std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(context.get()));
  const uint8_t h2[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), h2, sizeof h2);
  SSL_set_fd(ssl.get(), fd);
  if (session != nullptr && *session != nullptr) SSL_set_session(ssl.get(), session->get());
  char bytes[256];
  // Of TLS 1.3 the client is done first: what the server thinks of it comes behind.
  answer.accepted = SSL_connect(ssl.get()) == 1 && SSL_read(ssl.get(), bytes, sizeof bytes) > 0;
  answer.resumed = SSL_session_reused(ssl.get()) == 1;
  if (SSL_SESSION* got = SSL_get1_session(ssl.get()); got != nullptr) {
    if (session != nullptr) {
      *session = std::shared_ptr<SSL_SESSION>(got, SSL_SESSION_free);
    } else {
      SSL_SESSION_free(got);
    }
  }
  close(fd);
  return answer;
}

// Accepts connections on a port of its own until it goes, and handshakes on each.
class RawServer {
 public:
  explicit RawServer(RawTls options) : options_(std::move(options)) {
    sockaddr_in address;
    listener_ = LoopbackSocket(&address, 0);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 8) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~RawServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  void Run() {
    const auto context = RawContext(options_, TLS_server_method());
    SSL_CTX_set_alpn_select_cb(context.get(), ChooseH2, nullptr);
    for (;;) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      if (options_.bytes.empty()) {
        const std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(context.get()));
        SSL_set_fd(ssl.get(), fd);
        char bytes[256];
        if (SSL_accept(ssl.get()) == 1) SSL_read(ssl.get(), bytes, sizeof bytes);
      } else {
        static_cast<void>(send(fd, options_.bytes.data(), options_.bytes.size(), MSG_NOSIGNAL));
      }
      close(fd);
    }
  }
  static int ChooseH2(SSL*, const uint8_t** out, uint8_t* size, const uint8_t*, unsigned, void*) {
    *out = reinterpret_cast<const uint8_t*>("h2");
    *size = 2;
    return SSL_TLSEXT_ERR_OK;
  }

  const RawTls options_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace cdgate::credentials
