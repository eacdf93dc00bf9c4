#include "gateway/cli/event_key.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/cli/exit.h"

namespace cdgate::cli {

void AddEventKeyFlags(CLI::App* verb, EventKeyFlags* flags) {
  verb->add_option("EVENT", flags->event, "Id of the event")->required();
  verb->add_option("--source", flags->source, "Its source, where several have the id")
      ->option_text("SOURCE");
  verb->add_option("--origin", flags->origin, "Its origin domain, where several have the id")
      ->option_text("DOMAIN");
  verb->add_flag("--sequence", flags->is_sequence, "EVENT is a sequence of this gateway's log");
}

absl::StatusOr<admin::v1::EventKey> ToEventKey(const EventKeyFlags& flags) {
  admin::v1::EventKey key;
  uint64_t sequence = 0;
  if (!flags.is_sequence) {
    key.set_id(flags.event);
  } else if (absl::SimpleAtoi(flags.event, &sequence)) {
    key.set_sequence(sequence);
  } else {
    return UsageError(absl::StrCat("'", base::Shorten(flags.event), "' is not a sequence"));
  }
  key.set_source(flags.source);
  key.set_origin(flags.origin);
  return key;
}

}  // namespace cdgate::cli
