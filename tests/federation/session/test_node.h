// A gateway's inside without its listeners: log, store, feed, admission and links, in
// memory, and a network that connects several of them.
//
//   test::TestNetwork network;
//   test::TestNode& alpha = network.Add("alpha.example");
//   test::TestNode& beta = network.Add("beta.example");
//   network.Peer("alpha.example", "beta.example");    // alpha dials
//   alpha.ApplyPolicy("beta.example", kAllowAll);
//   alpha.Publish("id-1", "dev.cdevents.build.finished.0.2.0");
//   beta.WaitForEvents(1);
//
// Time is real: what a test waits for it waits for with Eventually().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/manager/count_exchange.h"
#include "federation/manager/link_manager.h"
#include "federation/session/session_types.h"
#include "federation/session/siv_token_sealer.h"
#include "gateway/admission/admission.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/timer_queue.h"
#include "gateway/eventlog/feed.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "gateway/state/memory_kv.h"
#include "gateway/state/store.h"
#include "tests/federation/session/memory_stream.h"
#include "tests/federation/session/test_attestors.h"

namespace cdgate::test {

// True as soon as `claim` holds; false where it does not within a minute: machines that
// run tests are busy.
bool Eventually(const std::function<bool()>& claim);

// Policies as text protos of cdgate.admin.v1.Policy, without `peer`.
inline constexpr char kAllowAll[] =
    "export {rules {name: 'all' action: ACTION_ALLOW}}"
    "import {rules {name: 'all' action: ACTION_ALLOW}}";

class TestNetwork;

class TestNode {
 public:
  TestNode(TestNetwork& network, std::string domain);
  ~TestNode();

  const std::string& domain() const { return domain_; }
  state::Store& store() { return *run_->store; }
  eventlog::EventLog& log() { return run_->log; }
  manager::LinkManager& links() { return *run_->links; }
  base::Metrics& metrics() { return run_->metrics; }
  // For them it is a minute later than it is, so that what just crossed is old enough.
  manager::CountExchange& counts() { return *run_->counts; }

  // Ends the process, as far as one can; Start() begins another on the same disk.
  void Stop();
  void Start();
  // At the next Start().
  void set_heartbeat(absl::Duration heartbeat) { heartbeat_ = heartbeat; }
  void set_frozen(bool frozen) { frozen_ = frozen; }
  // Signs what it sends and accepts, from the next Start() on; its events are committed to by
  // their fields where that is said.
  void set_attests(bool attests, bool fields = false) {
    attests_ = attests;
    fields_ = fields;
  }
  // The key of its tokens is lost at the next Start().
  void LoseTokenKey() { ++key_number_; }

  void Apply(absl::string_view kind, const std::string& name,
             const google::protobuf::MessageLite& resource);
  void ApplyPolicy(const std::string& peer, const std::string& text);
  void EditPeer(const std::string& peer, const std::function<void(admin::v1::Peer*)>& edit);
  void Remove(absl::string_view kind, const std::string& name);

  // One CDEvent of source "/DOMAIN/ci"; waits until it is on disk.
  void Publish(const std::string& id, const std::string& type, size_t data_bytes = 0);
  void PublishMany(const std::string& prefix, int events, const std::string& type);

  // Ids in our log that came from another domain, in order.
  std::vector<std::string> Received();
  // The data of the event `id` that came from another domain; "" where there is none.
  std::string DataOf(const std::string& id);
  // Of the event as it is stored.
  storage::v1::StoredEvent Stored(const std::string& id);
  admin::v1::LinkStatus LinkTo(const std::string& peer);
  bool IsUp(const std::string& peer);
  // What the ledger says of our event `id` and `peer`: "accepted", "refused:REASON", …;
  // "waiting" where nothing.
  std::string Outcome(const std::string& id, const std::string& peer);
  // How often each outcome was counted, "state:reason", in the rows of `peer` that are of a job
  // or, with 0, of the live lane. Of the whole log, as it was written.
  std::map<std::string, uint64_t> Counts(const std::string& peer, uint64_t replay);
  // The jobs that `peer` is still offered past events by.
  int ReplayJobs(const std::string& peer);

 private:
  TestNetwork& network_;
  const std::string domain_;
  const std::shared_ptr<eventlog::MemoryLogStorage> log_disk_;
  const std::shared_ptr<state::MemoryKvStorage> fold_disk_;
  int key_number_ = 1;
  absl::Duration heartbeat_ = absl::Seconds(5);
  bool frozen_ = false;
  bool attests_ = false;
  bool fields_ = false;

  struct Run {
    explicit Run(TestNode& node);
    ~Run();

    class Dialer;
    void MakeCounts(const credentials::StatementSigner* attestor);

    TestNetwork& network;
    const std::string domain;
    base::Metrics metrics;
    base::ThreadTimerQueue timers;
    base::ThreadPool pool;
    eventlog::MemoryLog log;
    std::unique_ptr<state::Store> store;
    std::unique_ptr<eventlog::Feed> feed;
    authz::GrantRegistry grants;
    schema::SchemaRegistry schemas;
    std::unique_ptr<admission::Admission> admission;
    std::unique_ptr<session::SivTokenSealer> sealer;
    std::unique_ptr<session::PseudonymKeeper> pseudonyms;
    policy::SharedDecisions shared{domain};
    std::unique_ptr<Dialer> dialer;
    std::unique_ptr<manager::CountExchange> counts;
    std::unique_ptr<manager::LinkManager> links;
    uint64_t watch = 0;
  };
  std::unique_ptr<Run> run_;
};

class TestNetwork {
 public:
  TestNetwork();
  ~TestNetwork();

  TestNode& Add(const std::string& domain);
  // An approved agreement on both sides; `dialler` dials.
  void Peer(const std::string& dialler, const std::string& other);

  // Streams that were opened so far.
  size_t dials() const;
  // The newest stream that is open, or was.
  std::shared_ptr<MemoryWire> last_wire() const;
  TestAttestors& attestors() { return attestors_; }
  // No stream can be opened.
  void SetDown(bool down);
  // A stream that `from` opened to `at`, which runs.
  void Accept(const std::string& from, const std::string& at, rpc::FrameStreamPtr stream);

 private:
  friend class TestNode;
  rpc::FrameStreamPtr Dial(const std::string& from, const std::string& to);
  // Null: the node does not run.
  void SetLinks(const std::string& domain, manager::LinkManager* links);

  TestAttestors attestors_;
  base::ThreadPool pool_;
  mutable base::Mutex mu_;
  std::map<std::string, std::unique_ptr<TestNode>> nodes_ CDGATE_GUARDED_BY(mu_);
  std::map<std::string, manager::LinkManager*> links_ CDGATE_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<MemoryWire>> wires_ CDGATE_GUARDED_BY(mu_);
  bool down_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::test
