#include "auth/credentials/observer.h"

#include <utility>

namespace cdgate::credentials {
namespace {

class AddressedObserver final : public VerificationObserver {
 public:
  AddressedObserver(std::shared_ptr<VerificationObserver> observer, std::string address)
      : observer_(std::move(observer)), address_(std::move(address)) {}

  void OnRefused(const Refusal& refusal) override {
    Refusal addressed = refusal;
    addressed.address = address_;
    observer_->OnRefused(addressed);
  }

 private:
  const std::shared_ptr<VerificationObserver> observer_;
  const std::string address_;
};

}  // namespace

std::shared_ptr<VerificationObserver> WithAddress(std::shared_ptr<VerificationObserver> observer,
                                                  std::string address) {
  if (observer == nullptr) return nullptr;
  return std::make_shared<AddressedObserver>(std::move(observer), std::move(address));
}

}  // namespace cdgate::credentials
