#include "federation/session/siv_token_sealer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

constexpr size_t kNonceBytes = 8;
constexpr size_t kPlainBytes = 3 * sizeof(uint64_t) + kNonceBytes;

void AppendNumber(uint64_t value, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

uint64_t NumberAt(absl::string_view bytes, size_t offset) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(value); ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[offset + i]);
  }
  return value;
}

void AppendText(absl::string_view text, std::string* out) {
  AppendNumber(text.size(), out);
  absl::StrAppend(out, text);
}

// Every part with its length, so that no two scopes give the same bytes.
std::string AssociatedData(const link::TokenScope& scope) {
  std::string aad;
  for (const absl::string_view part :
       {absl::string_view("cdgate/link-token/v1"), absl::string_view("export"),
        absl::string_view("live"), absl::string_view(scope.peer),
        absl::string_view(scope.agreement_id), absl::string_view(scope.log_epoch.value()),
        absl::string_view(scope.link_epoch)}) {
    AppendText(part, &aad);
  }
  return aad;
}

}  // namespace

absl::StatusOr<SivTokenSealer> SivTokenSealer::Create(absl::string_view key, base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(crypto::SivSealer sealer, crypto::SivSealer::Create(key));
  return SivTokenSealer(std::move(sealer), random);
}

std::string SivTokenSealer::Seal(const link::Place& place, const link::TokenScope& scope) const {
  std::string plain;
  plain.reserve(kPlainBytes);
  AppendNumber(place.sequence.value(), &plain);
  AppendNumber(place.position.value(), &plain);
  AppendNumber(place.mark, &plain);
  absl::StrAppend(&plain, random_->Bytes(kNonceBytes));
  return sealer_.Seal(plain, AssociatedData(scope));
}

absl::StatusOr<link::Place> SivTokenSealer::Open(absl::string_view token,
                                                 const link::TokenScope& scope) const {
  CDGATE_ASSIGN_OR_RETURN(const std::string plain, sealer_.Open(token, AssociatedData(scope)));
  if (plain.size() != kPlainBytes) {
    return base::MakeError(base::Reason::kTokenInvalid, "the token is of another kind");
  }
  return link::Place{base::Sequence(NumberAt(plain, 0)), base::Position(NumberAt(plain, 8)),
                     NumberAt(plain, 16)};
}

}  // namespace cdgate::session
