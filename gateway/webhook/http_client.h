// Makes HTTP requests to targets that are not trusted, many at a time on one thread, by libcurl.
//
//   CDGATE_ASSIGN_OR_RETURN(auto client, HttpClient::Create());
//   client->Start({.method = "POST", .allowed = allowed, …}, [](Id id, Answer answer) { … });
//   while (running) client->Poll(absl::Seconds(1));      // calls what is done
//
// What a target may do is bounded, whatever it does: a request as a whole, from resolving the name
// to the last byte, takes at most its timeout; of header fields and of the body at most 64 KiB each
// are read, and more ends the connection. No redirect is followed, no proxy is used, nothing is
// decompressed, no cookie is kept; HTTP/1.1 alone, TLS 1.2 or later with certificate and host
// name verified.
//
// Names are resolved anew for each connection, and it is the address that is about to be dialled
// that is checked (AllowedTarget::MayDial), so that a name cannot be one thing when it is checked
// and another when it is dialled. It is checked again before a request goes out on a connection
// that was made for another.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/webhook/allow_list.h"
#include "gateway/webhook/answer.h"

namespace cdgate::webhook {

// Of header fields, and of a body.
inline constexpr size_t kMaxAnswerBytes = 64 << 10;

struct HttpRequest {
  std::string method;               // "POST", "OPTIONS"
  AllowedUrl allowed;               // where to, and what of it may be dialled
  std::vector<std::string> fields;  // "Name: value", without CR and LF
  std::string body;                 // of POST
  absl::Duration timeout = absl::Seconds(10);
};

// For one thread.
class HttpClient {
 public:
  using Id = uint64_t;
  using Done = std::function<void(Id, Answer)>;

  // INTERNAL where libcurl does not work.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Create();
  // What is under way is dropped, and not told.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `done` is called once, by Poll(), unless it is cancelled. It may call back.
  Id Start(HttpRequest request, Done done);
  // As a request that failed with `why` before it left.
  Id Fail(absl::Status why, Done done);
  // Its connection is closed. Nothing happens where it is done.
  void Cancel(Id id);
  // Moves bytes, waits for at most `wait` until there are some or `wake` is readable (-1: nothing
  // is), and calls those that are done.
  void Poll(absl::Duration wait, int wake = -1);

  size_t in_flight() const { return transfers_.size(); }

 private:
  class Transfer;

  struct Ended {
    Id id;
    Done done;
    Answer answer;
  };

  HttpClient() = default;
  void TakeEnded();
  void TellEnded();

  void* multi_ = nullptr;  // CURLM
  std::map<Id, std::unique_ptr<Transfer>> transfers_;
  std::deque<Ended> ended_;  // and not told yet
  Id last_id_ = 0;
};

}  // namespace cdgate::webhook
