#include "auth/crypto/verifying_key.h"

#include "auth/crypto/ecdsa_table.h"
#include "auth/crypto/signature.h"

namespace cdgate::crypto {

bool VerifyingKey::Fits(absl::string_view bytes, absl::string_view signature) const {
  used_.fetch_add(1, std::memory_order_relaxed);
  if (const auto table = this->table()) return table->Fits(bytes, signature);
  return SignatureFits(certificate_, bytes, signature);
}

bool VerifyingKey::Prepare() {
  if (prepared()) return true;
  std::shared_ptr<const EcdsaTable> table = EcdsaTable::Of(X509_get0_pubkey(certificate_.handle()));
  if (table == nullptr) can_be_prepared_.store(false, std::memory_order_relaxed);
  base::MutexLock lock(mu_);
  table_ = std::move(table);
  return table_ != nullptr;
}

void VerifyingKey::Forget() {
  base::MutexLock lock(mu_);
  table_ = nullptr;
}

bool VerifyingKey::prepared() const { return table() != nullptr; }

std::shared_ptr<const EcdsaTable> VerifyingKey::table() const {
  base::MutexLock lock(mu_);
  return table_;
}

}  // namespace cdgate::crypto
