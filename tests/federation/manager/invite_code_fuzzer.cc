// Tokens and reply codes: the text as it comes, and the message inside with a good checksum,
// which no random text would find. What decodes is well-formed and encodes to the same again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "federation/manager/invite.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace {

using cdgate::base::ReasonOf;
using namespace cdgate::invite;  // the subject

std::string WithChecksum(const char* prefix, absl::string_view message) {
  std::string bytes = absl::StrCat("\x01", message);
  absl::StrAppend(&bytes, cdgate::crypto::Sha256(bytes).substr(0, 4));
  return absl::StrCat(prefix, cdgate::base::Base64UrlEncode(bytes));
}

void TryToken(absl::string_view text) {
  const auto token = DecodeToken(text);
  if (!token.ok()) {
    if (!ReasonOf(token.status())) std::abort();
    return;
  }
  if (token->secret.size() != kSecretBytes) std::abort();
  const auto again = DecodeToken(EncodeToken(*token).value());
  if (!again.ok() || again->invite_id != token->invite_id) std::abort();
}

void TryReply(absl::string_view text) {
  const auto reply = DecodeReply(text);
  if (!reply.ok()) {
    if (!ReasonOf(reply.status())) std::abort();
    return;
  }
  if (!CheckParty(reply->party).ok() || !DecodeReply(EncodeReply(*reply).value()).ok()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  TryToken(text);
  TryReply(text);
  if (size <= 16 * 1024) {
    TryToken(WithChecksum(kTokenPrefix, text));
    TryReply(WithChecksum(kReplyPrefix, text));
  }
  (void)ValidEndpoint(text);
  return 0;
}
