#include "gateway/api/subscribe_api.h"

#include <utility>

#include "gateway/base/status_macros.h"

namespace cdgate::api {

absl::Status RegisterSubscribe(rpc::Router& router, const delivery::SubscribeDeps& deps) {
  CDGATE_RETURN_IF_ERROR(router.Register(rpc::Guarded::Bidi(
      "/cdgate.events.v1.EventsService/Subscribe", [deps](rpc::ServerStreamPtr stream) {
        delivery::SubscribeStream::Subscribe(std::move(stream), deps);
      })));
  return router.Register(rpc::Guarded::ServerStreaming<events::v1::WatchRequest>(
      "/cdgate.events.v1.EventsService/Watch",
      [deps](rpc::ServerStreamPtr stream, const events::v1::WatchRequest& request) {
        delivery::SubscribeStream::Watch(std::move(stream), request, deps);
      }));
}

}  // namespace cdgate::api
