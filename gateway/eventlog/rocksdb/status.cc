#include "gateway/eventlog/rocksdb/status.h"

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::eventlog {

absl::Status FromRocks(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const base::Reason reason = status.IsIOError() || status.IsNoSpace()
                                  ? base::Reason::kFileUnwritable
                                  : base::Reason::kLogCorrupt;
  return base::MakeError(reason, absl::StrCat(what, ": ", status.ToString()));
}

}  // namespace cdgate::eventlog
