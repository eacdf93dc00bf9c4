// A client of the ingress that sends exactly the bytes a test says, in clear text or TLS.
//
//   TestClient client(listener->bound_address());
//   client.Send("POST / HTTP/1.1\r\n...");
//   const Reply reply = client.Read();
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/crypto/private_key.h"

namespace cdgate::http {

struct Reply {
  int status = 0;    // 0: the connection ended instead
  std::string head;  // with its status line
  std::string body;
};

// What a test's client is in TLS; not verified by it.
struct ClientTls {
  const crypto::IssuedCertificate* identity = nullptr;  // null: shows none
  int max_version = TLS1_3_VERSION;
};

class TestClient {
 public:
  // Blocks for 20 s at most where nothing comes.
  explicit TestClient(const std::string& address, const ClientTls* tls = nullptr) {
    const size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(atoi(address.c_str() + colon + 1)));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
    if (tls != nullptr) StartTls(*tls);
  }
  ~TestClient() {
    ssl_.reset();
    close(fd_);
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return connected_; }
  SSL* ssl() { return ssl_.get(); }

  void Send(const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n =
          ssl_ ? SSL_write(ssl_.get(), bytes.data() + sent, static_cast<int>(bytes.size() - sent))
               : send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;  // what the answer is, the test looks at
      sent += static_cast<size_t>(n);
    }
  }
  void EndSending() { shutdown(fd_, SHUT_WR); }

  // The next answer.
  Reply Read() {
    Reply reply;
    while (!absl::StrContains(buffer_, "\r\n\r\n")) {
      if (!Fill()) return reply;
    }
    const size_t end = buffer_.find("\r\n\r\n") + 4;
    reply.head = buffer_.substr(0, end);
    buffer_.erase(0, end);
    size_t length = 0;
    const size_t at = reply.head.find("Content-Length: ");
    if (at != std::string::npos) length = strtoul(reply.head.c_str() + at + 16, nullptr, 10);
    while (buffer_.size() < length && Fill()) {
    }
    reply.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    reply.status = atoi(reply.head.c_str() + sizeof("HTTP/1.1"));
    return reply;
  }
  Reply Ask(const std::string& bytes) {
    Send(bytes);
    return Read();
  }
  // All that comes until the server ends the connection; `*clean`: by saying so, not by a reset.
  std::string ReadAll(bool* clean) {
    while (Fill()) {
    }
    *clean = ended_;
    return std::exchange(buffer_, "");
  }
  // The server ended the connection, and had nothing more to say.
  bool AtEnd() { return buffer_.empty() && !Fill() && !timed_out_; }

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  void StartTls(const ClientTls& tls) {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, tls.max_version);
    if (tls.identity != nullptr) {
      const auto leaf = crypto::Certificate::FromPem(tls.identity->certificate_pem).value();
      const auto key = crypto::PrivateKey::FromPem(tls.identity->key_pem).value();
      SSL_CTX_use_certificate(context, leaf.handle());
      SSL_CTX_use_PrivateKey(context, key.handle());
    }
    ssl_.reset(SSL_new(context));
    SSL_CTX_free(context);  // the session keeps it
    SSL_set_fd(ssl_.get(), fd_);
    connected_ = connected_ && SSL_connect(ssl_.get()) == 1;
  }

  bool Fill() {
    char bytes[4096];
    const ssize_t n =
        ssl_ ? SSL_read(ssl_.get(), bytes, sizeof(bytes)) : recv(fd_, bytes, sizeof(bytes), 0);
    ended_ = n == 0;
    timed_out_ = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (n > 0) buffer_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }

  int fd_ = -1;
  bool connected_ = false;
  bool timed_out_ = false;
  bool ended_ = false;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::string buffer_;
};

}  // namespace cdgate::http
