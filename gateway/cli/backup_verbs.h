// The verbs of backups and restores.
#pragma once

#include "gateway/cli/verbs.h"

namespace cdgate::cli {

void AddBackupVerbs(Verbs& verbs);   // backup, backup verify
void AddRestoreVerbs(Verbs& verbs);  // restore, restore status, restore fetch

}  // namespace cdgate::cli
