// What the command line reads: files, standard input, the events in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/random.h"
#include "gateway/cli/cli.h"
#include "gateway/event/structured_json.h"
#include "gateway/event/valid_event.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::cli {

// `argument`, or where it is "-" what standard input holds, without white space around.
// FILE_UNREADABLE, also where that has more than `max_bytes`.
absl::StatusOr<std::string> ArgumentOrInput(const std::string& argument, const Streams& streams,
                                            size_t max_bytes = 1 << 20);

// Asks on standard error and reads a line of standard input: whether it is "y" or "yes". What
// ends without a line is no yes. FILE_UNREADABLE.
absl::StatusOr<bool> Confirm(absl::string_view question, const Streams& streams);

// One JSON text of an input.
struct InputText {
  std::string file;  // as given; "-" for standard input
  size_t line = 1;   // where it begins
  std::string json;

  // "event.json", or "events.ndjson:7" behind the first line.
  std::string place() const;
};

struct InputEvents {
  // Called for every text; an error ends the reading and is returned.
  std::function<absl::Status(InputText text)> text;
  // Called where no more input is at hand and the next read may wait; may be null.
  std::function<absl::Status()> idle = nullptr;
  // Called now and then with the bytes read so far of all inputs, and of how many (0: not
  // known, as for a pipe); may be null.
  std::function<void(uint64_t done, uint64_t all)> progress = nullptr;
};

// Reads the files in order, "-" or no file at all for standard input, and hands out their
// JSON texts one by one, as they come. A file without any text gives one empty text.
// FILE_UNREADABLE before anything was handed out where a file cannot be opened.
absl::Status ReadInputs(const std::vector<std::string>& files, const Streams& streams,
                        const InputEvents& events);

// Makes CloudEvents of JSON texts. Not thread-safe; reuses its memory.
class EventReader {
 public:
  // With `new_ids`, every event gets a random id of its own in place of the one it has.
  EventReader(bool new_ids, base::Random& random) : new_ids_(new_ids), random_(random) {}

  // `json` is a CDEvent or a CloudEvent in JSON; its data keeps its bytes but for a new
  // id. Reasons of event::Admitter and event::StructuredReader.
  absl::Status Read(absl::string_view json, io::cloudevents::v1::CloudEvent* event);

 private:
  absl::Status ReadStructured(absl::string_view json, io::cloudevents::v1::CloudEvent* event);
  absl::StatusOr<std::string> WithNewId(absl::string_view cdevent, std::string* id);

  const bool new_ids_;
  base::Random& random_;
  event::JsonParser parser_;
  event::Admitter admitter_{{.max_event_bytes = size_t{64} << 20}};  // the gateway has its own
  event::StructuredReader structured_;
};

// A random UUID, version 4.
std::string NewUuid(base::Random& random);

}  // namespace cdgate::cli
