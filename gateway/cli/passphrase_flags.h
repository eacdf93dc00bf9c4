// Where a verb takes the passphrase of a private key from; never from its arguments, which
// every user of the machine can read.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "absl/status/statusor.h"
#include "auth/crypto/passphrase.h"
#include "gateway/cli/invocation.h"

namespace cdgate::cli {

struct PassphraseFlags {
  std::string file;
  std::string variable;
  int descriptor = -1;

  // --passphrase-file, --passphrase-env, --passphrase-fd, of which at most one is given. `of` ends
  // the line of help: "of the CA's keys". This must outlive the verb.
  void AddTo(CLI::App* verb, const std::string& of);

  // None where no flag is given. Errors of crypto::Passphrase, and a usage error for a variable
  // that is not set.
  absl::StatusOr<crypto::Passphrase> Read(const Invocation& run) const;
};

}  // namespace cdgate::cli
