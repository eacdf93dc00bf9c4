#include "auth/crypto/passphrase.h"

#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::crypto {
namespace {

absl::Status Invalid(absl::string_view what) {
  return base::MakeError(base::Reason::kCredentialsInvalid, what);
}

void WipeText(std::string& text) {
  if (!text.empty()) OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

absl::string_view FirstLine(absl::string_view text) {
  return absl::StripSuffix(text.substr(0, text.find('\n')), "\r");
}

}  // namespace

absl::StatusOr<Passphrase> Passphrase::FromText(absl::string_view text) {
  if (text.empty()) return Invalid("the passphrase is empty");
  if (text.size() > kMaxBytes) {
    return Invalid(absl::StrCat("the passphrase has more than ", kMaxBytes, " bytes"));
  }
  if (text.find_first_of(absl::string_view("\0\n", 2)) != absl::string_view::npos) {
    return Invalid("the passphrase has a NUL byte or a line feed inside");
  }
  return Passphrase(text);
}

absl::StatusOr<Passphrase> Passphrase::FromFile(const std::string& path) {
  CDGATE_ASSIGN_OR_RETURN(std::string text, base::ReadFile(path, 2 * kMaxBytes));
  absl::StatusOr<Passphrase> passphrase = FromText(FirstLine(text));
  WipeText(text);
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & S_IRWXO) != 0) {
    return Invalid(
        absl::StrCat(path, ": every user of this machine can read the passphrase: chmod 600 it"));
  }
  return passphrase.ok() ? passphrase : base::Annotate(passphrase.status(), path);
}

absl::StatusOr<Passphrase> Passphrase::FromDescriptor(int fd) {
  char bytes[kMaxBytes + 1];
  size_t size = 0;
  while (size < sizeof bytes) {
    const ssize_t got = read(fd, bytes + size, sizeof bytes - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return base::MakeError(
          base::Reason::kFileUnreadable,
          absl::StrCat("descriptor ", fd, " cannot be read: ", std::strerror(errno)));
    }
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  absl::StatusOr<Passphrase> passphrase = FromText(FirstLine(absl::string_view(bytes, size)));
  OPENSSL_cleanse(bytes, sizeof bytes);
  return passphrase;
}

Passphrase::~Passphrase() { Wipe(); }

Passphrase::Passphrase(Passphrase&& other) noexcept : text_(other.text_) { other.Wipe(); }

Passphrase& Passphrase::operator=(const Passphrase& other) {
  if (this == &other) return *this;
  Wipe();
  text_ = other.text_;
  return *this;
}

Passphrase& Passphrase::operator=(Passphrase&& other) noexcept {
  if (this == &other) return *this;
  Wipe();
  text_ = other.text_;
  other.Wipe();
  return *this;
}

void Passphrase::Wipe() { WipeText(text_); }

}  // namespace cdgate::crypto
