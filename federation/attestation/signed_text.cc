#include "federation/attestation/signed_text.h"

#include "gateway/event/digests.h"
#include "gateway/event/event_fields.h"

namespace cdgate::attestation {
namespace {

using event::AppendBigEndian32;
using event::AppendBigEndian64;
using event::AppendWithLength;
using event::AsBytes;

// A label and the zero byte behind it.
template <size_t n>
std::string Begin(const char (&label)[n]) {
  return std::string(label, n);
}

void AppendDigest(const Digest& digest, std::string* out) {
  const absl::string_view bytes = AsBytes(digest);
  out->append(bytes.data(), bytes.size());
}

Digest Hash(absl::string_view bytes) {
  crypto::Sha256Hasher hasher;
  hasher.Update(bytes);
  return hasher.FinalTo();
}

}  // namespace

std::string OriginText(absl::string_view domain, int64_t sign_time_nanos, const Digest& root) {
  std::string text = Begin("cdgate/origin-statement/v1");
  AppendWithLength(domain, &text);
  AppendBigEndian64(static_cast<uint64_t>(sign_time_nanos), &text);
  AppendDigest(root, &text);
  return text;
}

std::string ExportText(absl::string_view sender, absl::string_view receiver,
                       int64_t sign_time_nanos, const Digest& link, const Digest& root) {
  std::string text = Begin("cdgate/export-statement/v1");
  AppendWithLength(sender, &text);
  AppendWithLength(receiver, &text);
  AppendBigEndian64(static_cast<uint64_t>(sign_time_nanos), &text);
  AppendDigest(link, &text);
  AppendDigest(root, &text);
  return text;
}

Digest LinkDigest(const BatchPlace& place) {
  std::string input = Begin("cdgate/link/v1");
  input.append(place.seed.data(), place.seed.size());
  AppendWithLength(place.agreement, &input);
  AppendWithLength(place.link_epoch, &input);
  AppendBigEndian64(place.first_position, &input);
  AppendBigEndian32(place.count, &input);
  AppendDigest(place.before, &input);
  return Hash(input);
}

Digest NextDigest(const Digest& before, uint64_t first_position, uint32_t count,
                  const Digest& root) {
  std::string input = Begin("cdgate/checkpoint/v1");
  AppendDigest(before, &input);
  AppendBigEndian64(first_position, &input);
  AppendBigEndian32(count, &input);
  AppendDigest(root, &input);
  return Hash(input);
}

std::string ReceiptText(const ReceiptClaim& claim) {
  std::string text = Begin("cdgate/receipt/v1");
  AppendWithLength(claim.receiver, &text);
  AppendWithLength(claim.sender, &text);
  AppendWithLength(claim.agreement, &text);
  AppendWithLength(claim.link_epoch, &text);
  AppendBigEndian64(claim.position, &text);
  AppendDigest(claim.digest, &text);
  AppendBigEndian64(static_cast<uint64_t>(claim.sign_time_nanos), &text);
  return text;
}

}  // namespace cdgate::attestation
