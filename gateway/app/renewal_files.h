// Puts a renewed certificate in the place of the one in use, so that whoever starts after a crash
// finds the one or the other, whole.
//
//   RenewalFiles files(DATA_DIR/renewal, options);
//   CDGATE_RETURN_IF_ERROR(files.FinishInstall());          // at start: what a crash left
//   CDGATE_ASSIGN_OR_RETURN(std::string folder, files.MakeFolder());
//   ... fill the folder ...
//   CDGATE_RETURN_IF_ERROR(files.Install(now, in_use));     // checked, then installed
//
// The files are separate and no two can be replaced in one step. So a set that was checked is
// first put aside under the name "ready", in one step; from there on it is copied to its place,
// again at the next start where the copying was cut short.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"

namespace cdgate::app {

// Not thread-safe. All calls block.
class RenewalFiles {
 public:
  // `in_use`: the files that are replaced, and how a set of them is judged.
  RenewalFiles(std::string directory, credentials::IdentityOptions in_use)
      : directory_(std::move(directory)), in_use_(std::move(in_use)) {}

  // Copies a set that is ready and removes what was not. Nothing where there is none.
  absl::Status FinishInstall() const;

  // An empty folder of mode 0700. FILE_UNWRITABLE.
  absl::StatusOr<std::string> MakeFolder() const;
  // Whether something was put into it.
  bool HasCertificate() const;

  // Judges the folder's content as whatever has it in use does, and installs it. The bundle is the
  // affair of who connects: beside what signs statements none is installed. CREDENTIALS_INVALID
  // where it does not fit together, or is the certificate in use again or one from before it (null:
  // none is in use); FILE_UNWRITABLE. What is refused leaves the files in use as they were.
  absl::Status Install(absl::Time now, const credentials::IdentityInfo* in_use) const;

 private:
  std::string NewFolder() const;
  std::string ReadyFolder() const;
  bool HasBundle(const std::string& folder) const;
  absl::Status CopyReady() const;

  const std::string directory_;
  const credentials::IdentityOptions in_use_;
};

}  // namespace cdgate::app
