// One connection of the HTTP ingress: a state machine over a non-blocking socket. It never
// waits; whoever drives it (ingress_listener.h) waits for what Advance() asks for.
//
//   switch (connection.Advance(now)) {
//     case Want::kRead:    // call again when the socket is readable, before deadline()
//     case Want::kWrite:   // ... writable ...
//     case Want::kPublish: // TakeRequest(), and OnAnswer() once it is published
//     case Want::kClose:   // destroy it
//   }
//
// How long a client may take is bounded for each step as a whole, whatever it sends
// meanwhile: handshake, head, body, taking the answer. What it may have us keep is bounded
// too: the head by HttpLimits, the body by max_body_bytes, all bodies and the answers that are not
// taken yet by the BodyBudget; and a body is read only in the name of somebody. A body with a
// Content-Length is reserved before it comes, one in chunks as it comes.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "auth/authz/principal.h"
#include "auth/credentials/observer.h"
#include "auth/crypto/tls_server.h"
#include "gateway/http/body_budget.h"
#include "gateway/http/http_reader.h"
#include "gateway/http/ingress_answer.h"
#include "gateway/http/ingress_handler.h"
#include "gateway/rpc/address.h"

namespace cdgate::http {

struct IngressTimes {
  absl::Duration handshake = absl::Seconds(10);
  absl::Duration head = absl::Seconds(10);   // from its first byte
  absl::Duration body = absl::Seconds(30);   // from the head's last
  absl::Duration idle = absl::Seconds(30);   // before a request's first byte
  absl::Duration write = absl::Seconds(10);  // of an answer
  absl::Duration linger = absl::Seconds(2);  // for what was sent and is not read
};

// What the connections of a listener share; outlives them.
struct ConnectionContext {
  const IngressHandler& handler;
  BodyBudget& budget;
  const std::atomic<bool>& draining;  // connections end with their next answer
  IngressTimes times;
  HttpLimits http;
  size_t max_body_bytes;
  std::shared_ptr<credentials::VerificationObserver> observer;  // may be null
};

// The other end's.
struct PeerAddress {
  std::string host;   // for the log
  std::string group;  // for limits, as BodyBudget has them
};

struct IngressRequest {
  authz::Principal principal;
  HttpHead head;
  std::string body;
};

// Driven by one thread at a time.
class IngressConnection {
 public:
  // `tls`: null for clear text.
  IngressConnection(const ConnectionContext& context, rpc::OwnedFd fd, PeerAddress address,
                    std::shared_ptr<const crypto::TlsServerContext> tls, absl::Duration now);
  ~IngressConnection();
  IngressConnection(const IngressConnection&) = delete;
  IngressConnection& operator=(const IngressConnection&) = delete;

  enum class Want { kRead, kWrite, kPublish, kClose };
  // Reads, works and writes as far as it goes without waiting. `now`: monotonic.
  Want Advance(absl::Duration now);
  // After kPublish.
  IngressRequest TakeRequest();
  Want OnAnswer(HttpAnswer answer, absl::Duration now);
  // The deadline passed.
  Want OnTimeout(absl::Duration now);
  // Trust changed, and it is idle.
  Want OnTrustChanged(absl::Duration now);

  // Monotonic; of the last Want.
  absl::Duration deadline() const { return deadline_; }
  // Between two requests, or before the first.
  bool idle() const { return phase_ == Phase::kHead && plain_.empty(); }
  int fd() const { return fd_.get(); }

 private:
  enum class Phase { kHandshake, kHead, kBody, kPublishing, kAnswering, kLingering };

  enum class Input { kSome, kNone, kEnded };
  Input Receive();
  Input Take(absl::string_view bytes);
  Input TakeTls(absl::string_view bytes);
  // Works on what was received; none where more must be received first.
  std::optional<Want> Work(absl::Duration now);
  std::optional<Want> WorkOnHead(absl::Duration now);
  std::optional<Want> WorkOnBody(absl::Duration now);
  std::optional<absl::Status> ReserveBody();
  bool ReserveMore(size_t bytes);
  void ReleaseBody();
  void Answer(HttpAnswer answer, absl::Duration now);
  void Queue(absl::string_view plain);
  // Sends what is queued; true when nothing is left.
  bool Send();
  Want AfterSend(absl::Duration now);
  void Enter(Phase phase, absl::Duration deadline);
  absl::Status JudgeCertificate(absl::string_view leaf_pem, absl::string_view chain_pem);
  void TellFailure() const;

  const ConnectionContext& context_;
  rpc::OwnedFd fd_;
  const std::string group_;  // of the budget
  IngressClient client_;
  std::unique_ptr<crypto::TlsServerSession> tls_;
  HttpReader reader_;
  authz::Principal principal_;
  Phase phase_;
  absl::Duration deadline_;
  std::string plain_;    // received, not yet worked on
  std::string out_;      // to be sent, as it goes on the wire
  size_t reserved_ = 0;  // of the budget, for the body
  size_t charged_ = 0;   // of the budget, for what waits to be sent
  size_t discarded_ = 0;
  bool reading_head_ = false;
  bool close_ = false;  // after the answer
  bool ended_ = false;  // the client sends no more
  bool broken_ = false;
  bool tls_failed_ = false;
};

}  // namespace cdgate::http
