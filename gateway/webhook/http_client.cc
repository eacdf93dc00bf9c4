#include "gateway/webhook/http_client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/ip_range.h"

namespace cdgate::webhook {
namespace {

using base::MakeError;
using base::Reason;

struct EndEasy {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

Reason ReasonOf(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return Reason::kWebhookTimedOut;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return Reason::kWebhookUnreachable;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return Reason::kWebhookTlsFailed;
    default: return Reason::kWebhookAnswerInvalid;
  }
}

// The value of the header field `name` in `line`; none where it is another.
std::optional<absl::string_view> ValueOf(absl::string_view line, absl::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':' ||
      !absl::EqualsIgnoreCase(line.substr(0, name.size()), name)) {
    return std::nullopt;
  }
  return absl::StripAsciiWhitespace(line.substr(name.size() + 1));
}

long Long(int64_t value) { return static_cast<long>(value); }  // NOLINT: libcurl's type

}  // namespace

// One request. libcurl calls back with its address.
class HttpClient::Transfer {
 public:
  Transfer(Id id, HttpRequest request, Done done)
      : id_(id), request_(std::move(request)), done_(std::move(done)), easy_(curl_easy_init()) {
    if (easy_ == nullptr) return;
    Configure();
    ConfigureTls();
    ConfigureBounds();
  }

  Id id() const { return id_; }
  CURL* easy() const { return easy_.get(); }
  const Done& done() const { return done_; }

  Answer Result(CURLcode code) {
    Answer answer = std::move(answer_);
    answer.failure = FailureOf(code);
    long status = 0;  // NOLINT: libcurl's type
    curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
    answer.status = answer.failure.ok() ? static_cast<int>(status) : 0;
    curl_off_t retry_after = 0;
    if (curl_easy_getinfo(easy(), CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK &&
        retry_after > 0) {
      answer.retry_after = absl::Seconds(retry_after);
    }
    char* location = nullptr;
    curl_easy_getinfo(easy(), CURLINFO_REDIRECT_URL, &location);
    if (location != nullptr) answer.location = location;
    return answer;
  }

 private:
  void Configure() {
    CURL* const curl = easy();
    curl_easy_setopt(curl, CURLOPT_PRIVATE, this);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_URL, request_.allowed.url.text.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, request_.allowed.url.tls ? "https" : "http");
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NETRC, Long(CURL_NETRC_IGNORED));
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, Long(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    if (request_.method == "POST") {
      curl_easy_setopt(curl, CURLOPT_POST, 1L);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request_.body.data());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request_.body.size()));
    }
    curl_slist* list = nullptr;
    for (const std::string& field : request_.fields) {
      // libcurl leaves out a field without a value unless it is spelled so.
      const bool empty = absl::EndsWith(field, ": ");
      list = curl_slist_append(
          list,
          empty ? absl::StrCat(field.substr(0, field.size() - 2), ";").c_str() : field.c_str());
    }
    fields_.reset(curl_slist_append(list, "Expect:"));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields_.get());
  }

  void ConfigureTls() {
    CURL* const curl = easy();
    const AllowedTarget& target = *request_.allowed.target;
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, Long(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!target.ca_file.empty()) {
      curl_easy_setopt(curl, CURLOPT_CAINFO, target.ca_file.c_str());
      curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
    }
    if (target.certificate.empty()) return;
    curl_easy_setopt(curl, CURLOPT_SSLCERT, target.certificate.c_str());
    curl_easy_setopt(curl, CURLOPT_SSLKEY, target.key.c_str());
  }

  void ConfigureBounds() {
    CURL* const curl = easy();
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, Long(absl::ToInt64Milliseconds(request_.timeout)));
    curl_easy_setopt(curl, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    // A name server that does not answer must not hold up whoever ends the request.
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, OpenSocket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, BeforeRequest);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, this);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, TakeHeader);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, TakeBody);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  }

  bool MayDial(const std::optional<base::IpAddress>& address) {
    if (!address) return false;
    absl::Status allowed = request_.allowed.target->MayDial(*address);
    if (allowed.ok()) return true;
    refused_ = std::move(allowed);
    return false;
  }

  static curl_socket_t OpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address) {
    if (purpose != CURLSOCKTYPE_IPCXN ||
        !static_cast<Transfer*>(self)->MayDial(
            base::AddressOf(&address->addr, static_cast<socklen_t>(address->addrlen)))) {
      return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  static int BeforeRequest(void* self, char* remote, char*, int, int) {
    return static_cast<Transfer*>(self)->MayDial(base::ParseIpAddress(remote))
               ? CURL_PREREQFUNC_OK
               : CURL_PREREQFUNC_ABORT;
  }

  static size_t TakeHeader(char* data, size_t, size_t size, void* self) {
    return static_cast<Transfer*>(self)->OnHeader(absl::string_view(data, size)) ? size : 0;
  }

  static size_t TakeBody(char* data, size_t, size_t size, void* self) {
    return static_cast<Transfer*>(self)->OnBody(absl::string_view(data, size)) ? size : 0;
  }

  // False ends the transfer (CURLE_WRITE_ERROR). Interim answers (1xx) count as well.
  bool OnHeader(absl::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > kMaxAnswerBytes) {
      too_large_ = true;
      return false;
    }
    if (absl::StartsWith(line, "HTTP/")) {
      answer_.allowed_origin.clear();
      answer_.allowed_rate.clear();
    } else if (const auto origin = ValueOf(line, "WebHook-Allowed-Origin")) {
      answer_.allowed_origin = std::string(*origin);
    } else if (const auto rate = ValueOf(line, "WebHook-Allowed-Rate")) {
      answer_.allowed_rate = std::string(*rate);
    }
    return true;
  }

  bool OnBody(absl::string_view bytes) {
    body_bytes_ += bytes.size();
    const size_t room = kShownBytes - std::min(answer_.body_start.size(), kShownBytes);
    absl::StrAppend(&answer_.body_start, bytes.substr(0, room));
    too_large_ = too_large_ || body_bytes_ > kMaxAnswerBytes;
    return !too_large_;
  }

  absl::Status FailureOf(CURLcode code) const {
    if (code == CURLE_OK) return absl::OkStatus();
    if (too_large_) {
      return MakeError(Reason::kWebhookAnswerTooLarge,
                       absl::StrCat("the webhook's answer or its header fields have more than ",
                                    kMaxAnswerBytes, " bytes; nothing of it is needed"));
    }
    const bool not_connected = code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK;
    if (!refused_.ok() && not_connected) return refused_;
    const absl::string_view what = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    return MakeError(ReasonOf(code), absl::StrCat("no answer from ", request_.allowed.url.host,
                                                  ": ", base::Shorten(what, kShownBytes)));
  }

  const Id id_;
  const HttpRequest request_;
  const Done done_;
  const std::unique_ptr<CURL, EndEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> fields_;
  char error_[CURL_ERROR_SIZE] = "";
  Answer answer_;
  size_t header_bytes_ = 0;
  size_t body_bytes_ = 0;
  bool too_large_ = false;
  absl::Status refused_;  // why the address that was resolved last may not be dialled
};

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Create() {
  // curl_multi_init() would do it, but not from several threads.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  std::unique_ptr<HttpClient> client(new HttpClient());
  client->multi_ = curl_multi_init();
  if (initialised == CURLE_OK && client->multi_ != nullptr) return client;
  return MakeError(Reason::kInternal, "libcurl could not be initialised");
}

HttpClient::~HttpClient() {
  for (const auto& [id, transfer] : transfers_) {
    curl_multi_remove_handle(multi_, transfer->easy());
  }
  transfers_.clear();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

HttpClient::Id HttpClient::Start(HttpRequest request, Done done) {
  const Id id = ++last_id_;
  auto transfer = std::make_unique<Transfer>(id, std::move(request), std::move(done));
  if (transfer->easy() == nullptr || curl_multi_add_handle(multi_, transfer->easy()) != CURLM_OK) {
    return Fail(MakeError(Reason::kOverloaded, "libcurl is out of memory"), transfer->done());
  }
  transfers_.emplace(id, std::move(transfer));
  return id;
}

HttpClient::Id HttpClient::Fail(absl::Status why, Done done) {
  Answer none;
  none.failure = std::move(why);
  ended_.push_back({++last_id_, std::move(done), std::move(none)});
  return last_id_;
}

void HttpClient::Cancel(Id id) {
  ended_.erase(std::remove_if(ended_.begin(), ended_.end(),
                              [id](const Ended& each) { return each.id == id; }),
               ended_.end());
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  curl_multi_remove_handle(multi_, found->second->easy());
  transfers_.erase(found);
}

void HttpClient::Poll(absl::Duration wait, int wake) {
  int running = 0;
  curl_multi_perform(multi_, &running);
  TakeEnded();
  const int64_t millis =
      ended_.empty() ? absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))) : 0;
  curl_waitfd also{.fd = wake, .events = CURL_WAIT_POLLIN, .revents = 0};
  curl_multi_poll(multi_, &also, wake >= 0 ? 1 : 0,
                  static_cast<int>(std::clamp<int64_t>(millis, 0, 60'000)), nullptr);
  curl_multi_perform(multi_, &running);
  TakeEnded();
  TellEnded();
}

void HttpClient::TakeEnded() {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    curl_multi_remove_handle(multi_, transfer->easy());
    ended_.push_back({transfer->id(), transfer->done(), transfer->Result(code)});
    transfers_.erase(transfer->id());
  }
}

void HttpClient::TellEnded() {
  // Whoever is told may cancel others that have ended.
  while (!ended_.empty()) {
    Ended next = std::move(ended_.front());
    ended_.pop_front();
    next.done(next.id, std::move(next.answer));
  }
}

}  // namespace cdgate::webhook
