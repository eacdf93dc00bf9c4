// The server's side of TLS 1.3 for listeners that are not gRPC's, without sockets: bytes
// go in and out, and whoever has the socket moves them.
//
//   CDGATE_ASSIGN_OR_RETURN(auto context, crypto::TlsServerContext::Create(chain, key));
//   crypto::TlsServerSession session(context, verify);
//   session.Feed(bytes_from_the_socket);
//   std::string plain;
//   switch (session.Read(&plain)) { ... }       // also makes the handshake
//   SendToSocket(session.TakeOutput());
//
// TLS 1.3 only, no session tickets, no early data, no renegotiation, ALPN "http/1.1". A
// client may show a certificate or none. One that is shown is judged by `verify`, inside
// the handshake and instead of the library's own check; where it is refused the client
// gets an alert that fits and the handshake fails. That the client has the certificate's
// key, the library checks.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct ssl_ctx_st;
struct ssl_st;
struct bio_st;
struct x509_store_ctx_st;

namespace cdgate::crypto {

// What a server shows. Immutable; thread-safe; sessions keep it.
class TlsServerContext {
 public:
  // A PEM chain, leaf first, and its key. CREDENTIALS_INVALID where they are not that.
  static absl::StatusOr<std::shared_ptr<const TlsServerContext>> Create(absl::string_view chain_pem,
                                                                        absl::string_view key_pem);

  // For tls_server.cc.
  ssl_ctx_st* handle() const { return context_.get(); }

 private:
  explicit TlsServerContext(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}
  std::shared_ptr<ssl_ctx_st> context_;
};

// One connection. Not thread-safe, but may move from thread to thread.
class TlsServerSession {
 public:
  // Whether a client that shows this certificate may connect. Runs in Read().
  using Verify =
      std::function<absl::Status(absl::string_view leaf_pem, absl::string_view chain_pem)>;

  TlsServerSession(std::shared_ptr<const TlsServerContext> context, Verify verify);
  ~TlsServerSession();
  TlsServerSession(const TlsServerSession&) = delete;
  TlsServerSession& operator=(const TlsServerSession&) = delete;

  // Takes what came from the client, to be read by Read().
  void Feed(absl::string_view bytes);

  enum class State {
    kOpen,    // more may come
    kClosed,  // the client said that nothing more comes
    kFailed,  // failure() says why; send TakeOutput(), which may hold an alert, and close
  };
  // Handshakes as far as what was fed allows, then appends what the client said to `plain`.
  State Read(std::string* plain);
  // Encrypts `plain`, for TakeOutput(). After the handshake only, and not after a failure.
  void Write(absl::string_view plain);
  // Says that nothing more comes from us.
  void Close();
  // What is to be sent to the client now.
  std::string TakeOutput();

  bool handshake_done() const;
  // What `verify` found OK; both empty where the client showed none.
  const std::string& leaf_pem() const { return leaf_pem_; }
  const std::string& chain_pem() const { return chain_pem_; }
  // The error of `verify`, or TLS_HANDSHAKE_FAILED.
  const absl::Status& failure() const { return failure_; }

 private:
  friend class TlsServerContext;
  static int OnCertificate(x509_store_ctx_st* shown, void*);
  bool Judge(x509_store_ctx_st* shown);
  State Fail();

  std::shared_ptr<const TlsServerContext> context_;
  const Verify verify_;
  ssl_st* ssl_;
  bio_st* in_;   // the session's
  bio_st* out_;  // the session's
  std::string leaf_pem_;
  std::string chain_pem_;
  absl::Status failure_;
};

}  // namespace cdgate::crypto
