#include "gateway/cli/passphrase_flags.h"

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"

namespace cdgate::cli {

void PassphraseFlags::AddTo(CLI::App* verb, const std::string& of) {
  const char* const group = "Passphrase";
  CLI::Option* const from_file =
      verb->add_option("--passphrase-file", file, "File with the passphrase " + of)
          ->option_text("FILE")
          ->group(group);
  CLI::Option* const from_variable =
      verb->add_option("--passphrase-env", variable, "Environment variable that has it")
          ->option_text("NAME")
          ->group(group);
  CLI::Option* const from_descriptor =
      verb->add_option("--passphrase-fd", descriptor, "Inherited file descriptor that has it")
          ->check(CLI::NonNegativeNumber)
          ->option_text("N")
          ->group(group);
  from_file->excludes(from_variable);
  from_file->excludes(from_descriptor);
  from_variable->excludes(from_descriptor);
}

absl::StatusOr<crypto::Passphrase> PassphraseFlags::Read(const Invocation& run) const {
  if (!file.empty()) return crypto::Passphrase::FromFile(file);
  if (descriptor >= 0) return crypto::Passphrase::FromDescriptor(descriptor);
  if (variable.empty()) return crypto::Passphrase();
  const std::string value = run.streams().environment(variable.c_str());
  if (value.empty()) {
    return UsageError(
        absl::StrCat("the environment variable ", base::Shorten(variable), " is not set"));
  }
  return crypto::Passphrase::FromText(value);
}

}  // namespace cdgate::cli
