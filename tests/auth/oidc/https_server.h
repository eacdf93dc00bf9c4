// An HTTPS server for tests that answers as it is told, well or badly, on 127.0.0.1.
//
//   test::HttpsServer server(ca.Gateway("web"), [](const std::string& request) {
//     return test::HttpsServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"};
//   });
//   FetchHttps({.url = server.Url("/jwks"), .ca_file = …});
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/crypto/tls_server.h"
#include "gateway/base/mutex.h"

namespace cdgate::test {

// One connection at a time, each with one request. Serves from construction to destruction.
class HttpsServer {
 public:
  struct Reply {
    std::string bytes;
    // Sent again and again behind `bytes`, with a pause, for as long as the client stays.
    std::string trickle = {};
    // The connection stays open when all is sent, until the client goes.
    bool hold = false;
  };
  using Respond = std::function<Reply(const std::string& request)>;

  HttpsServer(const crypto::IssuedCertificate& identity, Respond respond)
      : context_(
            crypto::TlsServerContext::Create(identity.certificate_pem, identity.key_pem).value()),
        respond_(std::move(respond)),
        listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 8) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~HttpsServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string Url(const std::string& path, const std::string& host = "127.0.0.1") const {
    return absl::StrCat("https://", host, ":", port_, path);
  }
  // Certificates that clients showed so far, leaves as PEM.
  std::vector<std::string> clients() const {
    base::MutexLock lock(mu_);
    return clients_;
  }
  // Heads of requests so far.
  std::vector<std::string> requests() const {
    base::MutexLock lock(mu_);
    return requests_;
  }

 private:
  static constexpr int kPauseMillis = 20;

  void Run() {
    while (!stopping_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      Serve(fd);
      close(fd);
    }
  }

  // Waits for the client until the next pause is over. False where it is gone.
  bool Feed(int fd, crypto::TlsServerSession& session, bool* came) {
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    *came = poll(&wait, 1, kPauseMillis) > 0;
    if (!*came) return !stopping_;
    char buffer[16384];
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) return false;
    session.Feed(absl::string_view(buffer, static_cast<size_t>(n)));
    return true;
  }
  static bool Flush(int fd, crypto::TlsServerSession& session) {
    const std::string out = session.TakeOutput();
    return out.empty() ||
           send(fd, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
  }

  void Serve(int fd) {
    crypto::TlsServerSession session(context_, [this](absl::string_view leaf, absl::string_view) {
      base::MutexLock lock(mu_);
      clients_.emplace_back(leaf);
      return absl::OkStatus();
    });
    std::string request;
    bool came = false;
    while (!absl::StrContains(request, "\r\n\r\n")) {
      if (!Feed(fd, session, &came)) return;
      const auto state = session.Read(&request);
      if (!Flush(fd, session) || state != crypto::TlsServerSession::State::kOpen) return;
    }
    {
      base::MutexLock lock(mu_);
      requests_.push_back(request);
    }
    const Reply reply = respond_(request);
    if (!reply.bytes.empty()) session.Write(reply.bytes);
    bool connected = Flush(fd, session);
    while (connected && (reply.hold || !reply.trickle.empty())) {
      connected = Feed(fd, session, &came);
      if (connected && !came && !reply.trickle.empty()) {
        session.Write(reply.trickle);
        connected = Flush(fd, session);
      }
    }
    session.Close();
    Flush(fd, session);
  }

  const std::shared_ptr<const crypto::TlsServerContext> context_;
  const Respond respond_;
  const int listener_;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable base::Mutex mu_;
  std::vector<std::string> requests_ CDGATE_GUARDED_BY(mu_);
  std::vector<std::string> clients_ CDGATE_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace cdgate::test
