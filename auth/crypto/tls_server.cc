#include "auth/crypto/tls_server.h"

#include <openssl/ssl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/openssl.h"
#include "auth/crypto/private_key.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::crypto {
namespace {

using base::Reason;

constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr long kMaxChainBytes = 64 << 10;  // of what a client shows
constexpr int kMaxPlainRecord = 16 << 10;

// A client that offers protocols must have HTTP/1.1 among them.
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof(kHttp11), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

absl::Status CannotServe() {
  return base::MakeError(
      Reason::kCredentialsInvalid,
      absl::StrCat("no TLS server can be made of certificate and key: ", TakeOpenSslError()));
}

bool UseIdentity(SSL_CTX* context, const std::vector<Certificate>& chain, const PrivateKey& key) {
  if (SSL_CTX_use_certificate(context, chain.front().handle()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.handle()) != 1) {
    return false;
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].handle()) != 1) return false;
  }
  return true;
}

bool Restrict(SSL_CTX* context) {
  SSL_CTX_set_options(context,
                      SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, kMaxChainBytes);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(context, SelectProtocol, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_early_data(context, 0) == 1 && SSL_CTX_set_num_tickets(context, 0) == 1;
}

// The alert that a reason becomes.
int VerifyErrorOf(Reason reason) {
  switch (reason) {
    case Reason::kCertificateExpired: return X509_V_ERR_CERT_HAS_EXPIRED;
    case Reason::kCertificateNotYetValid: return X509_V_ERR_CERT_NOT_YET_VALID;
    case Reason::kCertificateRevoked: return X509_V_ERR_CERT_REVOKED;
    case Reason::kUnknownTrustDomain: return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    default: return X509_V_ERR_CERT_REJECTED;
  }
}

std::string PemOf(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CheckOpenSsl(bio != nullptr && PEM_write_bio_X509(bio.get(), certificate) == 1, "PEM");
  return Contents(bio.get());
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TlsServerContext>> TlsServerContext::Create(
    absl::string_view chain_pem, absl::string_view key_pem) {
  const ErrorScope errors;
  CDGATE_ASSIGN_OR_RETURN(const std::vector<Certificate> chain,
                          Certificate::ParsePemChain(chain_pem));
  CDGATE_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::FromPem(key_pem));
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr || !UseIdentity(context.get(), chain, key) || !Restrict(context.get())) {
    return CannotServe();
  }
  SSL_CTX_set_cert_verify_callback(context.get(), &TlsServerSession::OnCertificate, nullptr);
  return std::shared_ptr<const TlsServerContext>(new TlsServerContext(context));
}

TlsServerSession::TlsServerSession(std::shared_ptr<const TlsServerContext> context, Verify verify)
    : context_(std::move(context)),
      verify_(std::move(verify)),
      ssl_(SSL_new(context_->handle())),
      in_(BIO_new(BIO_s_mem())),
      out_(BIO_new(BIO_s_mem())) {
  CheckOpenSsl(ssl_ != nullptr && in_ != nullptr && out_ != nullptr, "SSL_new");
  BIO_set_mem_eof_return(in_, -1);  // empty: wait for more
  BIO_set_mem_eof_return(out_, -1);
  SSL_set_bio(ssl_, in_, out_);
  SSL_set_app_data(ssl_, this);
  SSL_set_verify(ssl_, SSL_VERIFY_PEER, nullptr);
  SSL_set_accept_state(ssl_);
}

TlsServerSession::~TlsServerSession() { SSL_free(ssl_); }

int TlsServerSession::OnCertificate(X509_STORE_CTX* shown, void*) {
  const auto* const ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(shown, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return static_cast<TlsServerSession*>(SSL_get_app_data(ssl))->Judge(shown) ? 1 : 0;
}

bool TlsServerSession::Judge(X509_STORE_CTX* shown) {
  leaf_pem_ = PemOf(X509_STORE_CTX_get0_cert(shown));
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_untrusted(shown);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    absl::StrAppend(&chain_pem_, PemOf(sk_X509_value(chain, i)));
  }
  failure_ = verify_(leaf_pem_, chain_pem_);
  X509_STORE_CTX_set_error(
      shown, failure_.ok() ? X509_V_OK
                           : VerifyErrorOf(base::ReasonOf(failure_).value_or(Reason::kInternal)));
  return failure_.ok();
}

void TlsServerSession::Feed(absl::string_view bytes) {
  if (bytes.empty()) return;
  CheckOpenSsl(BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())) ==
                   static_cast<int>(bytes.size()),
               "BIO_write");
}

TlsServerSession::State TlsServerSession::Fail() {
  if (failure_.ok()) {
    failure_ = base::MakeError(Reason::kTlsHandshakeFailed,
                               absl::StrCat("TLS failed: ", TakeOpenSslError()));
  }
  return State::kFailed;
}

TlsServerSession::State TlsServerSession::Read(std::string* plain) {
  const ErrorScope errors;
  if (!failure_.ok()) return State::kFailed;
  char buffer[kMaxPlainRecord];
  while (true) {
    size_t got = 0;
    const int result = SSL_read_ex(ssl_, buffer, sizeof(buffer), &got);
    if (result == 1) {
      plain->append(buffer, got);
      continue;
    }
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: return State::kOpen;
      case SSL_ERROR_ZERO_RETURN: return State::kClosed;
      default: return Fail();
    }
  }
}

void TlsServerSession::Write(absl::string_view plain) {
  const ErrorScope errors;
  while (!plain.empty()) {
    size_t written = 0;
    // Memory takes everything, so only a broken session ends this early.
    if (SSL_write_ex(ssl_, plain.data(), plain.size(), &written) != 1) {
      Fail();
      return;
    }
    plain.remove_prefix(written);
  }
}

void TlsServerSession::Close() {
  const ErrorScope errors;
  if (failure_.ok() && handshake_done()) SSL_shutdown(ssl_);
}

std::string TlsServerSession::TakeOutput() {
  std::string out(BIO_ctrl_pending(out_), '\0');
  if (!out.empty()) BIO_read(out_, out.data(), static_cast<int>(out.size()));
  return out;
}

bool TlsServerSession::handshake_done() const { return SSL_is_init_finished(ssl_) == 1; }

}  // namespace cdgate::crypto
