// The passphrase of a private key, and where it comes from.
//
//   CDGATE_ASSIGN_OR_RETURN(auto passphrase,
//                           crypto::Passphrase::FromFile("/etc/cdgate/key.passphrase"));
//   CDGATE_ASSIGN_OR_RETURN(auto key, crypto::PrivateKey::FromPem(pem, passphrase));
//
// It is never an argument of a program, where every user of the machine could read it; its
// bytes are wiped with the object, and no message quotes them.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::crypto {

// A value; copies are wiped each by themselves. Thread-safe while nobody assigns to it.
class Passphrase {
 public:
  static constexpr size_t kMaxBytes = 1000;  // OpenSSL takes no longer ones

  // None: keys are read and written unencrypted.
  Passphrase() = default;
  // CREDENTIALS_INVALID where it is empty, longer than kMaxBytes or has a NUL byte or a line
  // feed inside.
  static absl::StatusOr<Passphrase> FromText(absl::string_view text);
  // The first line of a file that other users cannot read. FILE_UNREADABLE, or
  // CREDENTIALS_INVALID naming the file.
  static absl::StatusOr<Passphrase> FromFile(const std::string& path);
  // The first line of what an inherited descriptor has, a pipe's end say. It stays open.
  static absl::StatusOr<Passphrase> FromDescriptor(int fd);

  ~Passphrase();
  Passphrase(const Passphrase&) = default;
  Passphrase& operator=(const Passphrase& other);
  Passphrase(Passphrase&& other) noexcept;
  Passphrase& operator=(Passphrase&& other) noexcept;

  bool empty() const { return text_.empty(); }

  // For the .cc files of this library.
  absl::string_view text() const { return text_; }

 private:
  explicit Passphrase(absl::string_view text) : text_(text) {}
  void Wipe();

  std::string text_;
};

}  // namespace cdgate::crypto
