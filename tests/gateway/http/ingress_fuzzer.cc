// Whatever bytes a client sends, they are requests or are refused with a registered
// reason; what becomes of a request's events does too; and how the bytes are cut on their
// way makes no difference.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/base/errors.h"
#include "gateway/event/valid_event.h"
#include "gateway/http/http_reader.h"
#include "gateway/http/ingress_answer.h"
#include "gateway/http/ingress_request.h"

namespace {

using namespace cdgate;

constexpr size_t kMaxBody = 1 << 16;

void Check(bool ok) {
  if (!ok) abort();
}

std::string ShownOf(const http::IngressEvents& in) {
  std::string shown(http::ModeName(in.mode));
  for (const http::IngressEvent& event : in.events) shown += event.id + "\n" + event.cloud_event;
  return shown;
}

// What the bytes are read as, for comparison.
std::string ReadAll(absl::string_view bytes, size_t step) {
  static http::RequestReader requests;  // reused, as workers do
  static event::Admitter admitter;
  http::HttpReader reader({.max_head_bytes = 4096, .max_fields = 32});
  std::string buffer, shown;
  bool have_head = false;
  while (true) {
    auto done = have_head ? reader.ReadBody(&buffer, kMaxBody) : reader.ReadHead(&buffer);
    if (!done.ok()) {
      Check(base::ReasonOf(done.status()).has_value());
      return shown + std::string(done.status().message());
    }
    if (*done && !have_head) {
      have_head = true;
      continue;
    }
    if (*done) {
      const auto in = requests.Read(reader.head(), reader.body());
      if (!in.ok()) Check(base::ReasonOf(in.status()).has_value());
      std::vector<admission::Result> results;
      for (size_t i = 0; in.ok() && i < in->events.size(); ++i) {
        const http::IngressEvent& event = in->events[i];
        Check(event.status.ok() || base::ReasonOf(event.status).has_value());
        if (!event.status.ok()) continue;
        results.push_back({{}, false, admitter.Admit(event.cloud_event).status()});
      }
      const http::HttpAnswer answer =
          in.ok() ? http::ResultsAnswer(*in, results, {}) : http::ProblemAnswer(in.status());
      simdjson::dom::parser parser;
      Check(parser.parse(answer.body).error() == simdjson::SUCCESS);
      shown += in.ok() ? ShownOf(*in) : std::string(in.status().message());
      reader.Reset();
      have_head = false;
      continue;
    }
    if (bytes.empty()) return shown;
    const size_t taken = std::min(step, bytes.size());
    buffer.append(bytes.data(), taken);
    bytes.remove_prefix(taken);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > kMaxBody) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  Check(ReadAll(bytes, size + 1) == ReadAll(bytes, 7));
  return 0;
}
