// An HTTP server for tests that answers as it is told, well or badly, on 127.0.0.1.
//
//   test::RawServer server([](const test::RawServer::Request& request) {
//     return test::RawServer::Reply{.bytes = "HTTP/1.1 204 No Content\r\n\r\n"};
//   });
//   server.Url("/hook")
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/mutex.h"

namespace cdgate::test {

// Many connections at once, each with requests one after the other. Serves from construction to
// destruction. `respond` is called on several threads.
class RawServer {
 public:
  struct Request {
    std::string head;  // with its end
    std::string body;
    int connection = 0;  // from 1

    bool IsOptions() const { return head.rfind("OPTIONS ", 0) == 0; }
  };
  struct Reply {
    std::string bytes = {};
    // Sent again and again behind `bytes`, for as long as the client stays.
    std::string endless = {};
    // The connection stays open when all is sent, until the client goes.
    bool hang = false;
    bool close = false;
    bool reset = false;
  };
  using Respond = std::function<Reply(const Request&)>;

  explicit RawServer(Respond respond)
      : respond_(std::move(respond)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 64) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~RawServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (std::thread& each : threads_) each.join();
    close(listener_);
  }

  std::string Url(const std::string& path, const std::string& host = "127.0.0.1") const {
    return absl::StrCat("http://", host, ":", port_, path);
  }
  std::vector<Request> requests() const {
    base::MutexLock lock(mu_);
    return requests_;
  }
  int connections() const { return connections_; }

 private:
  static constexpr int kPauseMillis = 10;

  void Run() {
    while (!stopping_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const int number = ++connections_;
      threads_.emplace_back([this, fd, number] {
        while (ServeOne(fd, number)) {
        }
        close(fd);
      });
    }
  }

  // False where the client is gone, or the server stops.
  bool Receive(int fd, std::string* into) {
    while (!stopping_) {
      pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
      if (poll(&wait, 1, kPauseMillis) <= 0) continue;
      char buffer[16384];
      const ssize_t n = read(fd, buffer, sizeof buffer);
      if (n <= 0) return false;
      into->append(buffer, static_cast<size_t>(n));
      return true;
    }
    return false;
  }

  bool ReadRequest(int fd, Request* request) {
    std::string bytes;
    size_t end;
    while ((end = bytes.find("\r\n\r\n")) == std::string::npos) {
      if (!Receive(fd, &bytes)) return false;
    }
    request->head = bytes.substr(0, end + 4);
    request->body = bytes.substr(end + 4);
    const size_t at = absl::AsciiStrToLower(request->head).find("content-length:");
    size_t length = 0;
    if (at != std::string::npos) {
      const size_t from = at + 15;
      const std::string text = request->head.substr(from, request->head.find('\r', from) - from);
      if (!absl::SimpleAtoi(text, &length)) return false;
    }
    while (request->body.size() < length) {
      if (!Receive(fd, &request->body)) return false;
    }
    return true;
  }

  bool ServeOne(int fd, int number) {
    Request request;
    request.connection = number;
    if (!ReadRequest(fd, &request)) return false;
    {
      base::MutexLock lock(mu_);
      requests_.push_back(request);
    }
    const Reply reply = respond_(request);
    if (reply.reset) {
      const linger now{.l_onoff = 1, .l_linger = 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      return false;
    }
    if (!SendAll(fd, reply.bytes)) return false;
    while (!reply.endless.empty()) {
      if (stopping_ || !SendAll(fd, reply.endless)) return false;
    }
    std::string ignored;
    while (reply.hang) {
      if (!Receive(fd, &ignored)) return false;
    }
    return !reply.close;
  }

  static bool SendAll(int fd, const std::string& bytes) {
    return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }

  const Respond respond_;
  const int listener_;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  mutable base::Mutex mu_;
  std::vector<Request> requests_ CDGATE_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;  // touched by thread_, then by the destructor
  std::thread thread_;
};

}  // namespace cdgate::test
