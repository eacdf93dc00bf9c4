#include "auth/crypto/tls_look.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/openssl.h"
#include "auth/crypto/private_key.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::crypto {
namespace {

constexpr unsigned char kHttp2[] = {2, 'h', '2'};
constexpr long kMaxChainBytes = 64 << 10;  // of what a server shows

using ContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

absl::Status Failed(absl::string_view why) {
  return base::MakeError(base::Reason::kTlsHandshakeFailed,
                         absl::StrCat("no TLS handshake: ", why));
}

absl::StatusOr<ContextPtr> MakeContext(absl::string_view chain_pem, absl::string_view key_pem) {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<Certificate> chain,
                          Certificate::ParsePemChain(chain_pem));
  CDGATE_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::FromPem(key_pem));
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  CheckOpenSsl(context != nullptr, "SSL_CTX_new");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_max_cert_list(context.get(), kMaxChainBytes);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  bool good = SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
              SSL_CTX_use_certificate(context.get(), chain.front().handle()) == 1 &&
              SSL_CTX_use_PrivateKey(context.get(), key.handle()) == 1 &&
              SSL_CTX_set_alpn_protos(context.get(), kHttp2, sizeof(kHttp2)) == 0;
  for (size_t i = 1; i < chain.size(); ++i) {
    good = good && SSL_CTX_add1_chain_cert(context.get(), chain[i].handle()) == 1;
  }
  if (good) return context;
  return base::MakeError(base::Reason::kCredentialsInvalid,
                         absl::StrCat("certificate and key are of no use: ", TakeOpenSslError()));
}

// Waits until the handshake can go on; false where the time is over.
bool AwaitSocket(int fd, bool to_write, absl::Duration end, const base::Clock& clock) {
  const absl::Duration left = end - clock.Monotonic();
  if (left <= absl::ZeroDuration()) return false;
  pollfd wanted{.fd = fd, .events = static_cast<short>(to_write ? POLLOUT : POLLIN), .revents = 0};
  return poll(&wanted, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) > 0;
}

absl::Status Handshake(SSL* session, int fd, absl::Duration limit, const base::Clock& clock) {
  const absl::Duration end = clock.Monotonic() + limit;
  for (;;) {
    const int result = SSL_connect(session);
    if (result == 1) return absl::OkStatus();
    const int error = SSL_get_error(session, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      if (AwaitSocket(fd, error == SSL_ERROR_WANT_WRITE, end, clock)) continue;
      return Failed("the other side said nothing in time");
    }
    if (error == SSL_ERROR_SSL) return Failed(TakeOpenSslError());
    return Failed("the other side closed the connection");
  }
}

void AppendPem(X509* certificate, std::string* out) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CheckOpenSsl(bio != nullptr && PEM_write_bio_X509(bio.get(), certificate) == 1, "PEM");
  out->append(Contents(bio.get()));
}

}  // namespace

absl::StatusOr<ShownChain> LookAtServer(int fd, absl::string_view chain_pem,
                                        absl::string_view key_pem, absl::Duration limit,
                                        const base::Clock& clock) {
  const ErrorScope errors;
  CDGATE_ASSIGN_OR_RETURN(const ContextPtr context, MakeContext(chain_pem, key_pem));
  const SessionPtr session(SSL_new(context.get()));
  CheckOpenSsl(session != nullptr, "SSL_new");
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
      SSL_set_fd(session.get(), fd) != 1) {
    return Failed("the socket cannot be used");
  }
  CDGATE_RETURN_IF_ERROR(Handshake(session.get(), fd, limit, clock));
  ShownChain shown;
  const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(session.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* const certificate = sk_X509_value(chain, i);
    if (i == 0) AppendPem(certificate, &shown.leaf_pem);
    AppendPem(certificate, &shown.chain_pem);
  }
  SSL_shutdown(session.get());  // in order; whether the other side hears it does not matter
  if (shown.leaf_pem.empty()) return Failed("the other side showed no certificate");
  return shown;
}

}  // namespace cdgate::crypto
