#include "tests/federation/session/test_node.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "federation/attestation/merkle.h"
#include "federation/attestation/signed_text.h"
#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::test {
namespace {

constexpr char kEventJson[] = R"({"context": {"version": "0.4.1", "id": "$0", "source": "$1",
 "type": "$2", "timestamp": "2026-01-02T03:04:05Z"},
 "subject": {"id": "s", $4}, "customData": {"filler": "$3"}})";
constexpr char kBuild[] = R"("type": "build", "content": {})";
constexpr char kIncident[] = R"("type": "incident", "content": {"environment": {"id": "e"}})";

std::string CloudEvent(const std::string& domain, const std::string& id, const std::string& type,
                       size_t data_bytes) {
  const std::string source = absl::StrCat("/", domain, "/ci");
  io::cloudevents::v1::CloudEvent event;
  event.set_id(id);
  event.set_source(source);
  event.set_spec_version("1.0");
  event.set_type(type);
  (*event.mutable_attributes())["datacontenttype"].set_ce_string("application/json");
  event.set_binary_data(absl::Substitute(kEventJson, id, source, type, std::string(data_bytes, 'x'),
                                         absl::StrContains(type, "incident") ? kIncident : kBuild));
  return event.SerializeAsString();
}

authz::Principal Service(const std::string& domain) {
  authz::Principal principal;
  principal.id = absl::StrCat("spiffe://", domain, "/service/ci");
  principal.domain = domain;
  return principal;
}

// A minute ahead of the system's, for what is counted.
const base::Clock& MinuteLater() {
  class Later final : public base::Clock {
    absl::Time Now() const override { return base::SystemClock().Now() + absl::Minutes(1); }
    absl::Duration Monotonic() const override { return base::SystemClock().Monotonic(); }
  };
  static const Later later;
  return later;
}

state::SignOrigin SignerOf(const std::string& domain,
                           const credentials::StatementSigner& attestor) {
  return [domain, &attestor](absl::Span<const crypto::Sha256Digest> leaves) {
    storage::v1::TreeSignature signature;
    signature.set_seed(base::SystemRandom().Bytes(attestation::kSeedBytes));
    signature.set_sign_time_nanos(absl::ToUnixNanos(base::SystemClock().Now()));
    attestation::MerkleTree tree;
    tree.Build(leaves, signature.seed());
    const auto done =
        attestor.Sign(attestation::OriginText(domain, signature.sign_time_nanos(), tree.root()));
    signature.set_key_id(done->key_id);
    signature.set_signature(done->signature);
    return std::optional<storage::v1::TreeSignature>(std::move(signature));
  };
}

}  // namespace

bool Eventually(const std::function<bool()>& claim) {
  base::Mutex mu;
  base::CondVar never;
  const absl::Duration end = base::SystemClock().Monotonic() + absl::Minutes(1);
  while (!claim()) {
    if (base::SystemClock().Monotonic() > end) return false;
    base::MutexLock lock(mu);
    never.WaitFor(mu, absl::Milliseconds(2));
  }
  return true;
}

// ---------------------------------------------------------------------- a run

class TestNode::Run::Dialer final : public manager::LinkDialer {
 public:
  Dialer(TestNetwork& network, std::string domain)
      : network_(network), domain_(std::move(domain)) {}
  rpc::FrameStreamPtr Dial(const admin::v1::Peer& peer) override {
    return network_.Dial(domain_, peer.domain());
  }

 private:
  TestNetwork& network_;
  const std::string domain_;
};

TestNode::Run::Run(TestNode& node)
    : network(node.network_),
      domain(node.domain_),
      timers(base::SystemClock()),
      pool({.name = "node", .threads = 2, .max_queued = 4096}),
      log(node.log_disk_, base::SystemClock(), base::SystemRandom()) {
  state::StoreDeps deps{.log = log,
                        .clock = base::SystemClock(),
                        .random = base::SystemRandom(),
                        .metrics = metrics,
                        .background = pool};
  const credentials::StatementSigner* const attestor =
      node.attests_ ? &network.attestors().Of(domain) : nullptr;
  if (attestor != nullptr) deps.sign_origin = SignerOf(domain, *attestor);
  auto opened = state::Store::Open({}, deps, std::make_unique<state::MemoryKv>(node.fold_disk_));
  if (!opened.ok()) ADD_FAILURE() << opened.status();
  store = *std::move(opened);
  feed = std::make_unique<eventlog::Feed>(log, pool, metrics);

  admin::v1::Grant grant;
  grant.set_name("ci");
  grant.set_principal(Service(node.domain_).id);
  grant.set_role(admin::v1::ROLE_PUBLISHER);
  grant.add_sources("%");
  grants.Replace(*authz::Grants::Compile({&grant, 1}));
  admission.reset(
      new admission::Admission({.domain = node.domain_,
                                .limits = {},
                                .store = *store,
                                .grants = grants,
                                .schemas = schemas,
                                .clock = base::SystemClock(),
                                .random = base::SystemRandom(),
                                .metrics = metrics,
                                .attestation = [attests = node.attests_, fields = node.fields_] {
                                  return admission::OriginAttestation{attests, fields};
                                }}));

  const std::string key(crypto::SivSealer::kKeyBytes, static_cast<char>(node.key_number_));
  sealer = std::make_unique<session::SivTokenSealer>(
      *session::SivTokenSealer::Create(key, base::SystemRandom()));
  pseudonyms = std::make_unique<session::PseudonymKeeper>(
      *session::PseudonymKeeper::Create(key, base::SystemRandom()));
  dialer = std::make_unique<Dialer>(node.network_, node.domain_);
  MakeCounts(attestor);
  links.reset(new manager::LinkManager(
      {.session = {.domain = node.domain_,
                   .instance = "gw1",
                   .software = "test",
                   .store = *store,
                   .feed = *feed,
                   .admission = *admission,
                   .sealer = *sealer,
                   .attestor = attestor,
                   .attestors = &network.attestors(),
                   .pseudonyms = *pseudonyms,
                   .shared = shared,
                   .executor = pool,
                   .timers = timers,
                   .clock = base::SystemClock(),
                   .random = base::SystemRandom()},
       .metrics = metrics,
       .dialer = *dialer,
       .heartbeat = node.heartbeat_,
       .frozen = node.frozen_,
       .on_count_request = [this](absl::string_view peer,
                                  const auto& request) { counts->OnRequest(peer, request); },
       .on_count_answer = [this](absl::string_view peer,
                                 const auto& answer) { counts->OnAnswer(peer, answer); }}));
  network.SetLinks(domain, links.get());
  watch =
      store->Watch([this](state::ResourceSnapshotPtr now) { links->Reconcile(std::move(now)); });
}

void TestNode::Run::MakeCounts(const credentials::StatementSigner* attestor) {
  counts = std::make_unique<manager::CountExchange>(manager::CountDeps{
      .domain = domain,
      .store = *store,
      .log = log,
      .keeper = *pseudonyms,
      .link_facts =
          [this](absl::string_view peer) {
            const auto report = links->Report(peer);
            return session::LinkFacts{report ? report->sent_through : base::Sequence()};
          },
      .attestor = attestor,
      .attestors = network.attestors(),
      .send = [this](
                  absl::string_view peer,
                  federation::v1::Frame frame) { return links->SendCount(peer, std::move(frame)); },
      .knows_counts = [this](absl::string_view peer) { return links->KnowsCounts(peer); },
      .background = pool,
      .timers = timers,
      .clock = MinuteLater(),
      .random = base::SystemRandom(),
      .metrics = metrics});
}

TestNode::Run::~Run() {
  network.SetLinks(domain, nullptr);
  store->Unwatch(watch);
  links->Shutdown(absl::Seconds(3));
  feed->Shutdown();
  store->Shutdown();
  pool.Shutdown();
  links.reset();
  admission.reset();
  feed.reset();
  store.reset();
}

// --------------------------------------------------------------------- a node

TestNode::TestNode(TestNetwork& network, std::string domain)
    : network_(network),
      domain_(std::move(domain)),
      log_disk_(std::make_shared<eventlog::MemoryLogStorage>()),
      fold_disk_(std::make_shared<state::MemoryKvStorage>()) {
  Start();
}

TestNode::~TestNode() { Stop(); }

void TestNode::Stop() { run_.reset(); }
void TestNode::Start() { run_ = std::make_unique<Run>(*this); }

void TestNode::Apply(absl::string_view kind, const std::string& name,
                     const google::protobuf::MessageLite& resource) {
  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = std::string(kind);
  edit.name = name;
  edit.value = resource.SerializeAsString();
  edit.author = "test";
  proposal.resources.push_back(std::move(edit));
  std::atomic<bool> done{false};
  const absl::Status queued = store().Propose(std::move(proposal), [&done](state::Outcome outcome) {
    if (!outcome.status.ok()) ADD_FAILURE() << outcome.status;
    done = true;
  });
  ASSERT_TRUE(queued.ok()) << queued;
  ASSERT_TRUE(Eventually([&] { return done.load(); }));
}

void TestNode::Remove(absl::string_view kind, const std::string& name) {
  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = std::string(kind);
  edit.name = name;
  edit.deleted = true;
  proposal.resources.push_back(std::move(edit));
  std::atomic<bool> done{false};
  const absl::Status queued =
      store().Propose(std::move(proposal), [&done](state::Outcome) { done = true; });
  ASSERT_TRUE(queued.ok()) << queued;
  ASSERT_TRUE(Eventually([&] { return done.load(); }));
}

void TestNode::ApplyPolicy(const std::string& peer, const std::string& text) {
  admin::v1::Policy policy;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &policy)) << text;
  policy.set_peer(peer);
  Apply(state::kPolicyKind, peer, policy);
}

void TestNode::EditPeer(const std::string& peer,
                        const std::function<void(admin::v1::Peer*)>& edit) {
  auto resource = store().Resources()->Find(state::kPeerKind, peer);
  ASSERT_NE(resource, nullptr);
  auto message = resource->As<admin::v1::Peer>();
  ASSERT_TRUE(message.ok());
  edit(&*message);
  Apply(state::kPeerKind, peer, *message);
}

void TestNode::Publish(const std::string& id, const std::string& type, size_t data_bytes) {
  const std::string bytes = CloudEvent(domain_, id, type, data_bytes);
  const absl::string_view view = bytes;
  std::atomic<bool> done{false};
  run_->admission->Publish(Service(domain_), {&view, 1},
                           [&done](std::vector<admission::Result> results) {
                             if (!results[0].status.ok()) ADD_FAILURE() << results[0].status;
                             done = true;
                           });
  ASSERT_TRUE(Eventually([&] { return done.load(); }));
}

void TestNode::PublishMany(const std::string& prefix, int events, const std::string& type) {
  std::atomic<int> waiting{0};
  for (int i = 0; i < events;) {
    std::vector<std::string> bytes;
    for (; i < events && bytes.size() < 100; ++i) {
      bytes.push_back(CloudEvent(domain_, absl::StrCat(prefix, i), type, 0));
    }
    const std::vector<absl::string_view> views(bytes.begin(), bytes.end());
    ++waiting;
    run_->admission->Publish(Service(domain_), views,
                             [&waiting](std::vector<admission::Result> results) {
                               for (const auto& result : results) {
                                 if (!result.status.ok()) ADD_FAILURE() << result.status;
                               }
                               --waiting;
                             });
  }
  ASSERT_TRUE(Eventually([&] { return waiting.load() == 0; }));
}

std::vector<std::string> TestNode::Received() {
  std::vector<std::string> ids;
  base::Sequence next = store().first().sequence;
  for (;;) {
    const auto commits = run_->log.Read({.sequence = next}, {.max_events = 100'000});
    if (!commits.ok() || commits->empty()) return ids;
    for (const event::CommitPtr& commit : *commits) {
      for (const event::Record& record : commit->events) {
        if (!record.stored().received_from().empty()) ids.emplace_back(record.id());
        next = record.sequence().Next();
      }
    }
    if (next > store().head().sequence) return ids;
  }
}

storage::v1::StoredEvent TestNode::Stored(const std::string& id) {
  storage::v1::StoredEvent event;
  const auto sequences = store().FindById(id);
  if (!sequences.ok() || sequences->empty()) return event;
  const auto read = store().ReadEvent(sequences->back());
  if (!read.ok()) return event;
  const absl::string_view bytes = read->record->stored().bytes();
  event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return event;
}

std::string TestNode::DataOf(const std::string& id) {
  io::cloudevents::v1::CloudEvent event;
  event.ParseFromString(Stored(id).cloud_event());
  return event.binary_data();
}

admin::v1::LinkStatus TestNode::LinkTo(const std::string& peer) {
  const auto report = links().Report(peer);
  return report ? report->status : admin::v1::LinkStatus();
}

bool TestNode::IsUp(const std::string& peer) {
  return LinkTo(peer).state() == admin::v1::LINK_STATE_UP;
}

std::string TestNode::Outcome(const std::string& id, const std::string& peer) {
  const auto sequences = store().FindById(id);
  if (!sequences.ok() || sequences->empty()) return "unknown";
  const auto facts = store().Ledger(peer, sequences->back());
  if (!facts.ok()) return facts.status().ToString();
  if (facts->exception) {
    return absl::StrCat(facts->exception->state(), ":", facts->exception->reason());
  }
  if (!facts->acknowledged) return "waiting";
  return facts->acknowledged->state().empty() ? "as decided" : facts->acknowledged->state();
}

std::map<std::string, uint64_t> TestNode::Counts(const std::string& peer, uint64_t replay) {
  std::map<std::string, uint64_t> out;
  const eventlog::First first = store().first();
  const auto commits = run_->log.Read({.sequence = first.sequence, .commit = first.commit},
                                      {.max_events = 100'000, .max_bytes = 1 << 30});
  if (!commits.ok()) return {{commits.status().ToString(), 1}};
  for (const event::CommitPtr& commit : *commits) {
    for (const storage::v1::LedgerRow& row : commit->record.ledger()) {
      if (row.peer() != peer || row.replay() != replay) continue;
      for (const auto& c : row.counts()) out[absl::StrCat(c.state(), ":", c.reason())] += c.count();
    }
  }
  return out;
}

int TestNode::ReplayJobs(const std::string& peer) {
  const auto resource = store().Resources()->Find(state::kReplayKind, peer);
  if (resource == nullptr) return 0;
  const auto jobs = resource->As<storage::v1::ReplayJobs>();
  return jobs.ok() ? jobs->jobs_size() : -1;
}

// ---------------------------------------------------------------- the network

TestNetwork::TestNetwork() : pool_({.name = "network", .threads = 2, .max_queued = 4096}) {}

TestNetwork::~TestNetwork() {
  std::map<std::string, std::unique_ptr<TestNode>> nodes;
  {
    base::MutexLock lock(mu_);
    nodes.swap(nodes_);
  }
  for (auto& [domain, node] : nodes) node->Stop();
  pool_.Shutdown();
}

TestNode& TestNetwork::Add(const std::string& domain) {
  auto node = std::make_unique<TestNode>(*this, domain);
  base::MutexLock lock(mu_);
  return *(nodes_[domain] = std::move(node));
}

void TestNetwork::Peer(const std::string& dialler, const std::string& other) {
  for (const auto& [own, peer_domain, dial] :
       {std::tuple(dialler, other, true), std::tuple(other, dialler, false)}) {
    admin::v1::Peer peer;
    peer.set_domain(peer_domain);
    peer.set_agreement_id("agreement-1");
    peer.set_state(admin::v1::PEER_STATE_APPROVED);
    peer.set_endpoint("memory:1");
    peer.set_dial(dial);
    TestNode* node;
    {
      base::MutexLock lock(mu_);
      node = nodes_.at(own).get();
    }
    node->Apply(state::kPeerKind, peer_domain, peer);
  }
}

rpc::FrameStreamPtr TestNetwork::Dial(const std::string& from, const std::string& to) {
  auto wire = MemoryWire::Create(pool_);
  base::MutexLock lock(mu_);
  wires_.push_back(wire);
  const auto it = links_.find(to);
  if (down_ || it == links_.end()) {
    wire->Cut();
  } else {
    it->second->Accept(from, wire->server());
  }
  return wire->client();
}

void TestNetwork::SetLinks(const std::string& domain, manager::LinkManager* links) {
  base::MutexLock lock(mu_);
  links_.erase(domain);
  if (links != nullptr) links_[domain] = links;
}

void TestNetwork::Accept(const std::string& from, const std::string& at,
                         rpc::FrameStreamPtr stream) {
  base::MutexLock lock(mu_);
  links_.at(at)->Accept(from, std::move(stream));
}

size_t TestNetwork::dials() const {
  base::MutexLock lock(mu_);
  return wires_.size();
}

std::shared_ptr<MemoryWire> TestNetwork::last_wire() const {
  base::MutexLock lock(mu_);
  return wires_.empty() ? nullptr : wires_.back();
}

void TestNetwork::SetDown(bool down) {
  base::MutexLock lock(mu_);
  down_ = down;
}

}  // namespace cdgate::test
