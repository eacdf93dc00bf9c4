// A log in memory with the events that a test publishes, and its methods, called as whoever the
// test says.
//
//   class EventQueriesTest : public EventWorld { ... api_.Register(router_) ... };
//   Publish({.id = "b1", .type = "dev.cdevents.build.queued.0.3.0"});
//   auto answer = Call<ListEventsResponse>("ListEvents", request);
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/authz/grants.h"
#include "auth/trust/spiffe_id.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/executor.h"
#include "gateway/eventlog/search_index.h"
#include "gateway/rpc/bytes.h"
#include "gateway/rpc/router.h"
#include "tests/federation/manager/test_domain.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/support/status_matchers.h"

namespace cdgate::api {

// An event to publish. `links` are elements of context.links, in JSON.
struct Sample {
  std::string id;
  std::string type = "dev.cdevents.build.finished.0.3.0";
  std::string source = "/ci";
  std::string subject = "build-1";
  std::string plane = {};
  std::string chain = {};
  std::vector<std::string> links = {};
  std::string origin = "alpha.example";       // another: it came from there
  std::vector<std::string> withheld = {};     // RFC 6901
  std::vector<std::string> substituted = {};  // likewise
};

inline std::string Path(absl::string_view from) {
  return absl::StrCat(R"({"linkType":"PATH","from":{"contextId":")", from, R"("}})");
}
inline std::string Relation(absl::string_view kind, absl::string_view target) {
  return absl::StrCat(R"({"linkType":"RELATION","linkKind":")", kind,
                      R"(","target":{"contextId":")", target, R"("}})");
}

class EventWorld : public testing::Test {
 protected:
  EventWorld() { Grant(""); }
  ~EventWorld() override { pool_.Shutdown(); }

  // What the reader may read from now on; empty: everything.
  void Grant(const std::string& filter) {
    admin::v1::Grant grant;
    grant.set_name("readers");
    grant.set_principal(Reader().id);
    grant.set_role(admin::v1::ROLE_SUBSCRIBER);
    grant.set_filter(filter);
    grants_.Replace(*authz::Grants::Compile({&grant, 1}));
  }
  static authz::Principal Reader() {
    return authz::Principal::Spiffe(*trust::SpiffeId::Service("alpha.example", "reader"));
  }

  static storage::v1::StoredEvent Stored(const Sample& sample, absl::Time now) {
    const std::string json = absl::StrCat(
        R"({"context":{"id":")", sample.id, R"(")",
        sample.chain.empty() ? "" : absl::StrCat(R"(,"chainId":")", sample.chain, R"(")"),
        R"(,"links":[)", absl::StrJoin(sample.links, ","), "]}}");
    storage::v1::StoredEvent stored = test::Published(sample.id, json, now);
    io::cloudevents::v1::CloudEvent cloud;
    cloud.ParseFromString(stored.cloud_event());
    cloud.set_type(sample.type);
    cloud.set_source(sample.source);
    (*cloud.mutable_attributes())["subject"].set_ce_string(sample.subject);
    stored.set_cloud_event(cloud.SerializeAsString());
    stored.set_plane(sample.plane);
    stored.set_origin(sample.origin);
    for (const std::string& pointer : sample.withheld) stored.add_withheld(pointer);
    for (const std::string& pointer : sample.substituted) stored.add_substituted(pointer);
    if (sample.origin != "alpha.example") {
      stored.set_received_from(sample.origin);
      stored.set_import_rule("all@1");
      stored.add_path(sample.origin);
    }
    return stored;
  }
  // Each is a commit of its own, a second after the one before.
  void Publish(const Sample& sample) {
    world_.clock.Advance(absl::Seconds(1));
    const state::Outcome outcome =
        world_.Propose(world_.OfEvents({Stored(sample, world_.clock.Now())}));
    CDGATE_ASSERT_OK(outcome.status);
  }
  // One commit of `count` events "fill-N" of no chain.
  void Fill(int count) {
    std::vector<storage::v1::StoredEvent> events;
    for (int i = 0; i < count; ++i) {
      events.push_back(Stored({.id = absl::StrCat("fill-", ++filled_)}, world_.clock.Now()));
    }
    CDGATE_ASSERT_OK(world_.Propose(world_.OfEvents(events)).status);
  }

  template <typename Response>
  absl::StatusOr<Response> Call(absl::string_view name,
                                const google::protobuf::MessageLite& request) {
    const std::string method = absl::StrCat("/cdgate.events.v1.EventsService/", name);
    const rpc::Router::Entry* const entry = router_.Find(method);
    if (entry == nullptr) return absl::UnimplementedError(method);
    auto call = std::make_shared<rpc::Call>();
    call->method = method;
    call->listener = authz::Listener::kApi;
    call->principal = Reader();
    call->row = entry->row;
    const test::Answer<grpc::ByteBuffer> answer;
    entry->guarded.handler().unary(call, rpc::Serialise(request), answer.Taker());
    const absl::StatusOr<grpc::ByteBuffer> bytes = answer.Wait();
    if (!bytes.ok()) return bytes.status();
    Response response;
    CDGATE_EXPECT_OK(rpc::Parse(*bytes, &response));
    return response;
  }

  // Of one hour's retention.
  class World : public test::StoreWorld {
   public:
    World() {
      options.retention = absl::Hours(1);
      Open();
    }
  };
  World world_;
  eventlog::SearchIndex index_{*world_.log, world_.clock};
  authz::GrantRegistry grants_;
  base::ThreadPool pool_{{.name = "api", .threads = 2}};
  rpc::Router router_;
  int filled_ = 0;
};

}  // namespace cdgate::api
