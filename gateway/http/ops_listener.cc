#include "gateway/http/ops_listener.h"

#include <httplib.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::http {
namespace {

constexpr size_t kThreads = 4;
constexpr time_t kTimeoutSeconds = 5;
constexpr size_t kMaxBodyBytes = 4096;

struct HostPort {
  std::string host;
  int port = 0;
};

absl::StatusOr<HostPort> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  HostPort out;
  if (colon != std::string::npos && absl::SimpleAtoi(address.substr(colon + 1), &out.port) &&
      out.port >= 0 && out.port <= 65535 && colon > 0) {
    out.host = address.substr(0, colon);
    if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
      out.host = out.host.substr(1, out.host.size() - 2);
    }
    return out;
  }
  return base::MakeError(base::Reason::kInvalidConfig,
                         absl::StrCat("listeners.ops: ", address, " is not host:port"),
                         {{"address", address}});
}

absl::Status CannotBind(const std::string& address, int error) {
  const bool in_use = error == EADDRINUSE;
  return base::MakeError(
      in_use ? base::Reason::kAddressInUse : base::Reason::kInvalidConfig,
      absl::StrCat("cannot listen on ", address, " (ops): ", std::strerror(error),
                   in_use ? "; stop the other process or choose another address" : ""),
      {{"address", address}});
}

void AnswerText(httplib::Response& response, int status, const std::string& text) {
  response.status = status;
  response.set_content(text, "text/plain; charset=utf-8");
}

}  // namespace

class OpsListener::Impl {
 public:
  explicit Impl(OpsOptions options) : options_(std::move(options)) {}

  ~Impl() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start() {
    CDGATE_ASSIGN_OR_RETURN(const HostPort wanted, Split(options_.address));
    Configure();
    errno = 0;
    int port = wanted.port;
    bool bound = false;
    if (port == 0) {
      port = server_.bind_to_any_port(wanted.host);
      bound = port > 0;
    } else {
      bound = server_.bind_to_port(wanted.host, port);
    }
    if (!bound) return CannotBind(options_.address, errno == 0 ? EADDRINUSE : errno);
    const bool v6 = wanted.host.find(':') != std::string::npos;
    bound_ = absl::StrCat(v6 ? "[" : "", wanted.host, v6 ? "]:" : ":", port);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() has no effect before the loop runs, so the destructor needs it to run.
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  const std::string& bound() const { return bound_; }

 private:
  void Configure() {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    // Not the library's default, SO_REUSEPORT, with which two gateways could share a port.
    server_.set_socket_options([](socket_t sock) {
      int yes = 1;
      setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.set_read_timeout(kTimeoutSeconds);
    server_.set_write_timeout(kTimeoutSeconds);
    server_.set_keep_alive_timeout(kTimeoutSeconds);
    server_.set_payload_max_length(kMaxBodyBytes);
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      if (options_.before_metrics) options_.before_metrics();
      response.set_content(options_.metrics.Text(), "text/plain; version=0.0.4; charset=utf-8");
    });
    server_.Get("/livez", [](const httplib::Request&, httplib::Response& response) {
      AnswerText(response, 200, "ok\n");
    });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
      const std::vector<std::string> problems = options_.problems();
      if (problems.empty()) return AnswerText(response, 200, "ok\n");
      AnswerText(response, 503, absl::StrCat(absl::StrJoin(problems, "\n"), "\n"));
    });
    server_.set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (!response.body.empty()) return;
      AnswerText(response, response.status, "see /metrics, /livez and /readyz\n");
    });
  }

  const OpsOptions options_;
  httplib::Server server_;
  std::string bound_;
  std::thread thread_;
};

OpsListener::OpsListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OpsListener::~OpsListener() = default;

absl::StatusOr<std::unique_ptr<OpsListener>> OpsListener::Start(OpsOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  CDGATE_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<OpsListener>(new OpsListener(std::move(impl)));
}

const std::string& OpsListener::bound_address() const { return impl_->bound(); }

}  // namespace cdgate::http
