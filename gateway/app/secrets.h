// What only this gateway knows: a master key in the data directory, and what is derived
// from it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/random.h"

namespace cdgate::app {

// Seals resume tokens of links and secrets of invites. The key is in
// DATA_DIR/secrets/sealing.key (0600), made at the first start; it belongs to the log:
// without it peers resume from the beginning of the agreement and open invites die.
class Secrets {
 public:
  // FILE_UNREADABLE or FILE_UNWRITABLE; CREDENTIALS_INVALID where the file is not a key.
  static absl::StatusOr<Secrets> Load(const std::string& data_dir, base::Random& random);

  // A key of crypto::SivSealer::kKeyBytes, another for each purpose.
  std::string KeyFor(absl::string_view purpose) const;

 private:
  explicit Secrets(std::string master) : master_(std::move(master)) {}
  std::string master_;
};

}  // namespace cdgate::app
