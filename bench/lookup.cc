// cdgate_bench_lookup: how long it takes to get one event of a log, over one connection.
//
//   cdgate_bench_lookup --port P --ca F --cert F --key F --by sequence --count 1000000
//   cdgate_bench_lookup ... --by id --run RUN --count 900000
//   cdgate_bench_lookup ... --by absent --run RUN --count 900000
//
// By id: those that cdgate_bench_pub --run made; absent: ids like these that no event has.
//
// --lookups N (default 2,000), one after another, of events drawn from the first --count by --seed.
// Prints {"lookups":N,"p50_us":X,"p99_us":Y}; ends with status 2 where an answer is not as
// expected.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/client.h"
#include "cdgate/events/v1/events.grpc.pb.h"

namespace cdgate::bench_client {
namespace {

using bench::Args;

// As EventTemplate of common.hpp writes them; `variant` is '8' there.
std::string IdOf(const std::string& run, char variant, uint64_t number) {
  return absl::StrFormat("%s-%s-4%s-%c000-%012d", run.substr(0, 8), run.substr(8, 4),
                         run.substr(12, 3), variant, number);
}

events::v1::GetEventRequest RequestFor(const Args& args, uint64_t number) {
  events::v1::GetEventRequest request;
  const std::string by = args.need("by");
  if (by == "sequence") {
    request.set_sequence(number + 1);
  } else if (by == "id" || by == "absent") {
    request.set_id(IdOf(args.need("run"), by == "id" ? '8' : '9', number));
  } else {
    bench::die("--by is sequence, id or absent");
  }
  return request;
}

void Check(const Args& args, const events::v1::GetEventRequest& request, const grpc::Status& status,
           const events::v1::DeliveredEvent& event) {
  if (args.s("by") == "absent") {
    if (status.error_code() != grpc::StatusCode::NOT_FOUND) bench::die("it is not absent");
    return;
  }
  if (!status.ok()) bench::die(status.error_message());
  const bool same = request.has_id() ? event.event().id() == request.id()
                                     : event.sequence() == request.sequence();
  if (!same) bench::die("another event was found");
}

int Main(int argc, char** argv) {
  const Args args(argc, argv);
  const auto stub = events::v1::EventsService::NewStub(Dial(args, 0));
  std::mt19937_64 random(args.u("seed", 1));
  std::uniform_int_distribution<uint64_t> draw(0, args.u("count", 1) - 1);
  std::vector<double> took;
  const uint64_t lookups = args.u("lookups", 2000);
  constexpr uint64_t kWarm = 50;  // the handshake is among them
  for (uint64_t i = 0; i < lookups + kWarm; ++i) {
    const auto request = RequestFor(args, draw(random));
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    events::v1::DeliveredEvent event;
    const uint64_t began = bench::now_ns();
    const grpc::Status status = stub->GetEvent(&context, request, &event);
    if (i >= kWarm) took.push_back(static_cast<double>(bench::now_ns() - began) / 1000);
    Check(args, request, status, event);
  }
  std::sort(took.begin(), took.end());
  const auto at = [&](double share) {
    return took[static_cast<size_t>(share * static_cast<double>(took.size() - 1))];
  };
  absl::PrintF("{\"lookups\":%d,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", lookups, at(0.5), at(0.99));
  return 0;
}

}  // namespace
}  // namespace cdgate::bench_client

int main(int argc, char** argv) { return cdgate::bench_client::Main(argc, argv); }
