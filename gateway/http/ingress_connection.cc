#include "gateway/http/ingress_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::http {
namespace {

constexpr size_t kReadBytes = 32 << 10;
constexpr int kReadsPerTurn = 4;  // then others get theirs
constexpr size_t kMaxDiscarded = 1 << 20;
constexpr size_t kKeptBytes = 4 << 10;  // of the memory for answers, between two of them

}  // namespace

IngressConnection::IngressConnection(const ConnectionContext& context, rpc::OwnedFd fd,
                                     PeerAddress address,
                                     std::shared_ptr<const crypto::TlsServerContext> tls,
                                     absl::Duration now)
    : context_(context),
      fd_(std::move(fd)),
      group_(std::move(address.group)),
      reader_(context.http),
      phase_(tls == nullptr ? Phase::kHead : Phase::kHandshake),
      deadline_(now + (tls == nullptr ? context.times.idle : context.times.handshake)) {
  client_.address = std::move(address.host);
  if (tls == nullptr) return;
  tls_ = std::make_unique<crypto::TlsServerSession>(
      std::move(tls), [this](absl::string_view leaf, absl::string_view chain) {
        return JudgeCertificate(leaf, chain);
      });
}

IngressConnection::~IngressConnection() {
  ReleaseBody();
  context_.budget.Return(group_, charged_);
}

absl::Status IngressConnection::JudgeCertificate(absl::string_view leaf_pem,
                                                 absl::string_view chain_pem) {
  const IngressDeps& deps = context_.handler.deps();
  CDGATE_ASSIGN_OR_RETURN(client_.certificate, VerifyClient(*deps.trust, deps.domain, leaf_pem,
                                                            chain_pem, deps.clock.Now()));
  return absl::OkStatus();
}

void IngressConnection::TellFailure() const {
  if (context_.observer == nullptr) return;
  const absl::Status& failure = tls_->failure();
  std::string claimed;
  for (const auto& [key, value] : base::MetadataOf(failure)) {
    if (key == "id") claimed = value;
  }
  context_.observer->OnRefused({.side = credentials::Side::kServer,
                                .reason = base::ReasonOf(failure).value_or(base::Reason::kInternal),
                                .claimed_id = std::move(claimed),
                                .message = absl::StrCat("ingress: ", failure.message()),
                                .address = client_.address});
}

void IngressConnection::Enter(Phase phase, absl::Duration deadline) {
  phase_ = phase;
  deadline_ = deadline;
}

IngressConnection::Input IngressConnection::Receive() {
  char buffer[kReadBytes];
  const ssize_t got = recv(fd_.get(), buffer, sizeof(buffer), 0);
  if (got > 0) return Take(absl::string_view(buffer, static_cast<size_t>(got)));
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return Input::kNone;
  broken_ = got < 0;
  return Input::kEnded;
}

IngressConnection::Input IngressConnection::Take(absl::string_view bytes) {
  if (phase_ == Phase::kLingering) {
    discarded_ += bytes.size();
    return discarded_ > kMaxDiscarded ? Input::kEnded : Input::kSome;
  }
  if (tls_ != nullptr) return TakeTls(bytes);
  absl::StrAppend(&plain_, bytes);
  return Input::kSome;
}

IngressConnection::Input IngressConnection::TakeTls(absl::string_view bytes) {
  tls_->Feed(bytes);
  const crypto::TlsServerSession::State state = tls_->Read(&plain_);
  out_ += tls_->TakeOutput();
  if (state == crypto::TlsServerSession::State::kOpen) return Input::kSome;
  if (state == crypto::TlsServerSession::State::kFailed) {
    if (phase_ == Phase::kHandshake) TellFailure();
    // The alert in out_ goes the way of an answer.
    tls_failed_ = true;
    return Input::kSome;
  }
  return Input::kEnded;
}

IngressConnection::Want IngressConnection::Advance(absl::Duration now) {
  for (int reads = 0;;) {
    if (!Send()) return broken_ ? Want::kClose : Want::kWrite;
    if (phase_ == Phase::kAnswering && AfterSend(now) == Want::kClose) return Want::kClose;
    if (phase_ != Phase::kLingering) {
      if (const auto want = Work(now)) {
        if (*want != Want::kWrite) return *want;
        continue;  // an answer is queued
      }
      if (!Send()) return broken_ ? Want::kClose : Want::kWrite;
    }
    if (ended_) return Want::kClose;
    if (reads++ == kReadsPerTurn) return Want::kRead;
    const Input input = Receive();
    if (input == Input::kNone) return Want::kRead;
    // What came before the end may still be a whole request.
    if (input == Input::kEnded) ended_ = true;
    if (broken_) return Want::kClose;
  }
}

std::optional<IngressConnection::Want> IngressConnection::Work(absl::Duration now) {
  if (tls_failed_) {
    close_ = true;
    ReleaseBody();
    Enter(Phase::kAnswering, now + context_.times.write);
    return Want::kWrite;
  }
  if (phase_ == Phase::kHandshake) {
    if (!tls_->handshake_done()) return std::nullopt;
    Enter(Phase::kHead, now + context_.times.idle);
  }
  if (phase_ == Phase::kHead) return WorkOnHead(now);
  if (phase_ == Phase::kBody) return WorkOnBody(now);
  return std::nullopt;
}

std::optional<IngressConnection::Want> IngressConnection::WorkOnHead(absl::Duration now) {
  if (plain_.empty()) return std::nullopt;
  // The first byte sets the time for all of them.
  if (!reading_head_) {
    reading_head_ = true;
    deadline_ = now + context_.times.head;
  }
  const auto complete = reader_.ReadHead(&plain_);
  if (complete.ok() && !*complete) return std::nullopt;
  if (!complete.ok()) {
    close_ = true;
    Answer(context_.handler.Refuse(complete.status()), now);
    return Want::kWrite;
  }
  const HttpHead& head = reader_.head();
  close_ = !head.keep_alive;
  std::optional<HttpAnswer> answer = context_.handler.BeforeBody(head, client_, &principal_);
  if (!answer) {
    if (const auto refused = ReserveBody()) answer = context_.handler.Refuse(*refused);
  }
  if (answer) {
    close_ |= head.has_body();  // which nobody reads
    Answer(*std::move(answer), now);
    return Want::kWrite;
  }
  Enter(Phase::kBody, now + context_.times.body);
  if (head.expects_continue && plain_.empty()) Queue("HTTP/1.1 100 Continue\r\n\r\n");
  return WorkOnBody(now);
}

std::optional<absl::Status> IngressConnection::ReserveBody() {
  const HttpHead& head = reader_.head();
  const size_t most = context_.max_body_bytes;
  if (head.content_length > most) {
    return base::MakeError(
        base::Reason::kTooLarge,
        absl::StrCat("the body has ", head.content_length, " bytes, the limit is ", most,
                     "; send fewer events at once, or smaller ones"),
        {{"bytes", absl::StrCat(head.content_length)}, {"limit", absl::StrCat(most)}});
  }
  // Of a body in chunks, what is there; its end is not known.
  const size_t there = std::min(reader_.body().size() + plain_.size(), most);
  if (!ReserveMore(head.chunked ? there : static_cast<size_t>(head.content_length))) {
    return base::MakeError(base::Reason::kOverloaded,
                           "the ingress receives as much as it can hold, in all or from this "
                           "address; try again, with fewer requests at once");
  }
  return std::nullopt;
}

// `bytes` in all.
bool IngressConnection::ReserveMore(size_t bytes) {
  if (bytes <= reserved_) return true;
  if (!context_.budget.Take(group_, bytes - reserved_)) return false;
  reserved_ = bytes;
  return true;
}

void IngressConnection::ReleaseBody() {
  context_.budget.Return(group_, reserved_);
  reserved_ = 0;
}

std::optional<IngressConnection::Want> IngressConnection::WorkOnBody(absl::Duration now) {
  absl::StatusOr<bool> complete = false;
  if (const auto refused = ReserveBody()) {
    complete = *refused;
  } else {
    complete = reader_.ReadBody(&plain_, context_.max_body_bytes);
  }
  if (complete.ok() && !*complete) return std::nullopt;
  if (!complete.ok()) {
    close_ = true;
    Answer(context_.handler.Refuse(complete.status()), now);
    return Want::kWrite;
  }
  Enter(Phase::kPublishing, absl::InfiniteDuration());
  return Want::kPublish;
}

IngressRequest IngressConnection::TakeRequest() {
  return {std::move(principal_), reader_.head(), reader_.TakeBody()};
}

IngressConnection::Want IngressConnection::OnAnswer(HttpAnswer answer, absl::Duration now) {
  Answer(std::move(answer), now);
  return Advance(now);
}

void IngressConnection::Answer(HttpAnswer answer, absl::Duration now) {
  ReleaseBody();
  close_ |= answer.close || context_.draining;
  answer.close = close_;
  Queue(Serialise(answer, context_.handler.deps().clock.Now(), reader_.head().method == "HEAD"));
  reader_.Reset();
  reading_head_ = false;
  Enter(Phase::kAnswering, now + context_.times.write);
}

void IngressConnection::Queue(absl::string_view plain) {
  if (tls_ == nullptr) {
    absl::StrAppend(&out_, plain);
    return;
  }
  // In pieces, as the session keeps as much memory as it ever had to take at once.
  while (!plain.empty()) {
    const absl::string_view piece = plain.substr(0, kReadBytes);
    tls_->Write(piece);
    out_ += tls_->TakeOutput();
    plain.remove_prefix(piece.size());
  }
}

bool IngressConnection::Send() {
  size_t sent = 0;
  while (sent < out_.size()) {
    const ssize_t written = send(fd_.get(), out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (written > 0) {
      sent += static_cast<size_t>(written);
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    broken_ |= written < 0 && errno != EAGAIN && errno != EWOULDBLOCK;
    break;
  }
  // What the client does not take at once is kept for it, in as much memory as it had.
  if (sent < out_.size() && charged_ == 0) {
    charged_ = out_.size();
    context_.budget.Charge(group_, charged_);
  }
  out_.erase(0, sent);
  if (!out_.empty()) return false;
  context_.budget.Return(group_, std::exchange(charged_, 0));
  if (out_.capacity() > kKeptBytes) out_.shrink_to_fit();
  return true;
}

// The answer is on its way: the next request, or the end. A connection that is closed while
// bytes of the client wait unread is reset, and the answer may be lost with it; so we
// say that we are done and let the client end it.
IngressConnection::Want IngressConnection::AfterSend(absl::Duration now) {
  if (!close_) {
    Enter(Phase::kHead, now + context_.times.idle);
    return Want::kRead;
  }
  if (tls_ != nullptr) {
    tls_->Close();
    out_ += tls_->TakeOutput();
    Send();
  }
  if (ended_ || shutdown(fd_.get(), SHUT_WR) != 0) return Want::kClose;
  Enter(Phase::kLingering, now + context_.times.linger);
  return Want::kRead;
}

IngressConnection::Want IngressConnection::OnTrustChanged(absl::Duration now) {
  return context_.handler.MayStay(client_) ? Advance(now) : Want::kClose;
}

IngressConnection::Want IngressConnection::OnTimeout(absl::Duration now) {
  const bool asked = phase_ == Phase::kBody || (phase_ == Phase::kHead && !idle());
  if (!asked) return Want::kClose;
  close_ = true;
  Answer(context_.handler.Refuse(base::MakeError(base::Reason::kDeadlineExceeded,
                                                 "the request did not come within its time")),
         now);
  return Advance(now);
}

}  // namespace cdgate::http
