// Any bytes as a commit record: an error, or a commit that every reader can walk.
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/backend.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto commit = cdgate::event::ParseCommit({reinterpret_cast<const char*>(data), size});
  if (!commit.ok()) return 0;
  size_t bytes = 0;
  for (const cdgate::event::Record& record : (*commit)->events) {
    bytes += record.id().size() + record.source().size() + record.type().size() +
             record.data().size() + record.subject().size() + record.time_text().size();
  }
  if (bytes > 16 * size + 64 * (*commit)->events.size()) abort();
  (void)cdgate::eventlog::HeadAfter(**commit);
  const auto again = cdgate::event::ParseCommit((*commit)->record.SerializeAsString());
  if (!again.ok() || (*again)->events.size() != (*commit)->events.size()) abort();
  return 0;
}
