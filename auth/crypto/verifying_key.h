// The key of a certificate, for whoever verifies many signatures of it.
//
//   const auto key = std::make_shared<crypto::VerifyingKey>(certificate);
//   if (!key->Fits(bytes, signature)) return Refuse();
//   ...now and then, where there is time:
//   if (key->used() >= kMany) key->Prepare();
//
// It says exactly what SignatureFits() (signature.h) says; once prepared, P-256 in half the time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "auth/crypto/certificate.h"
#include "gateway/base/mutex.h"

namespace cdgate::crypto {

class EcdsaTable;

// Thread-safe.
class VerifyingKey {
 public:
  explicit VerifyingKey(Certificate certificate) : certificate_(std::move(certificate)) {}
  VerifyingKey(const VerifyingKey&) = delete;
  VerifyingKey& operator=(const VerifyingKey&) = delete;

  // SignatureFits() of the certificate.
  [[nodiscard]] bool Fits(absl::string_view bytes, absl::string_view signature) const;

  // Takes some two milliseconds and 150 KiB; verifications go on meanwhile. False where nothing
  // can be prepared: the key is not of P-256. Does nothing where it is prepared.
  bool Prepare();
  // False once Prepare() said so.
  bool can_be_prepared() const { return can_be_prepared_.load(std::memory_order_relaxed); }
  // Gives back what Prepare() took, as soon as nobody uses it.
  void Forget();
  bool prepared() const;

  // How many signatures it was asked about.
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  const Certificate& certificate() const { return certificate_; }

 private:
  std::shared_ptr<const EcdsaTable> table() const;

  const Certificate certificate_;
  mutable std::atomic<uint64_t> used_{0};
  std::atomic<bool> can_be_prepared_{true};
  mutable base::Mutex mu_;
  std::shared_ptr<const EcdsaTable> table_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::crypto
