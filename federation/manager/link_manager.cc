#include "federation/manager/link_manager.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/manager/lifetime.h"
#include "federation/manager/link_refusal.h"
#include "federation/manager/peer_link.h"
#include "federation/manager/published_links.h"
#include "federation/manager/session_leases.h"
#include "federation/manager/timestamp.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"

namespace cdgate::manager {
namespace {

using admin::v1::LinkState;
using session::Session;

// All links are looked at this often; an agreement that ends before the next time is looked at
// when it does.
constexpr absl::Duration kTick = absl::Seconds(1);

absl::Status ShuttingDown() { return base::MakeError(base::Reason::kDraining, "shutting down"); }

}  // namespace

class LinkManager::Core : public std::enable_shared_from_this<LinkManager::Core> {
 public:
  explicit Core(LinkManagerDeps deps)
      : deps_(std::move(deps)),
        strand_(base::Strand::Create(deps_.session.executor)),
        frozen_(deps_.frozen) {}

  void Post(base::Task task) {
    // A dead strand: the process is ending.
    static_cast<void>(strand_->Post(std::move(task)));
  }

  void Begin() { ArmTick(); }
  void Reconcile(const state::ResourceSnapshot& resources);
  void Accept(const std::string& peer, rpc::FrameStreamPtr stream);
  void EndDialled(const std::string& peer, base::Reason reason, const std::string& message);
  void PostDrain();
  void EndAll();
  void Unfreeze();
  // Whether what was posted before PostDrain() has run and no session is left, after at most
  // `limit`. Then none begins any more.
  bool WaitIdle(absl::Duration limit) { return leases_.Close(limit); }
  const PublishedLinks& published() const { return published_; }
  const std::string& domain() const { return deps_.session.domain; }

 private:
  void ArmTick();
  void Tick();
  // What a tick does with one link.
  void LookAt(const std::string& domain);
  // The same at that time of Clock::Monotonic().
  void LookAtLater(const std::string& domain, absl::Duration when);
  void Adopt(const std::string& domain, const state::StoredResource& resource);
  // Why the link may not carry events now; none where it may.
  std::optional<link::Refuse> RefusalNow(const PeerLink& link) const;
  void Settle(const std::string& domain, PeerLink& link);
  void TimeTheEnd(const std::string& domain, PeerLink& link);
  void DialIfDue(const std::string& domain, PeerLink& link);
  void GiveNews(const std::string& domain, PeerLink& link);
  void StartSession(const std::string& domain, PeerLink& link, rpc::FrameStreamPtr stream,
                    bool dialled);
  bool KeepsOverNew(const std::string& domain, const PeerLink& link) const;
  void OnUp(const std::string& domain, uint64_t number);
  void OnEnd(const std::string& domain, uint64_t number, const link::CloseStream& close);
  void OnDone(const std::string& domain, uint64_t number);
  PeerLink* Find(const std::string& domain, uint64_t number);
  // How often a second other links that do not carry events would be tried (Redial).
  double TriesOfOthers(const PeerLink& than) const;
  void SetState(const std::string& domain, PeerLink& link, LinkState state, std::string reason,
                std::string message);
  void Publish(const std::string& domain, const PeerLink& link);
  void Drain();
  absl::Duration Monotonic() const { return deps_.session.clock.Monotonic(); }
  absl::Time Soon(absl::Duration delay) const { return absl::UnixEpoch() + Monotonic() + delay; }

  const LinkManagerDeps deps_;
  const std::shared_ptr<base::Strand> strand_;

  // --- on the strand
  std::map<std::string, std::unique_ptr<PeerLink>> links_;
  uint64_t next_number_ = 1;
  bool draining_ = false;
  bool frozen_ = false;

  SessionLeases leases_{deps_.session.clock};
  PublishedLinks published_;
};

// ------------------------------------------------------------- what is wanted

void LinkManager::Core::Reconcile(const state::ResourceSnapshot& resources) {
  for (auto& [domain, link] : links_) link->removed = true;
  for (const state::ResourcePtr& resource : resources.List(state::kPeerKind)) {
    Adopt(resource->name, *resource);
  }
  for (auto it = links_.begin(); it != links_.end();) {
    const std::string domain = it->first;
    PeerLink& link = *it->second;
    ++it;  // Settle may erase the entry
    if (link.removed) link.ended_text = EndedText(resources, deps_.session.domain, domain);
    if (link.session != nullptr) link.session->RefreshPolicy();
    GiveNews(domain, link);
    Settle(domain, link);
  }
}

void LinkManager::Core::Adopt(const std::string& domain, const state::StoredResource& resource) {
  auto peer = resource.As<admin::v1::Peer>();
  if (!peer.ok()) {
    base::LogError(base::LogLevel::kError, "peer ignored", peer.status(), {{"peer", domain}});
    return;
  }
  std::unique_ptr<PeerLink>& slot = links_[domain];
  if (slot == nullptr) {
    slot = std::make_unique<PeerLink>(deps_.metrics, domain, deps_.backoff);
    slot->since = deps_.session.clock.Now();
  }
  slot->EndWhatChanges(*peer);
  if (slot->version != resource.version) {
    slot->peer = *std::move(peer);
    slot->version = resource.version;
    slot->BeginAnew();
    slot->end_is_timed = false;
    if (slot->session == nullptr) {
      slot->acknowledged_through = session::AcknowledgedThrough(deps_.session.store, slot->peer);
    }
  }
  slot->removed = false;
  slot->ended_text.clear();
}

std::optional<link::Refuse> LinkManager::Core::RefusalNow(const PeerLink& link) const {
  return RefusalOf(link.peer, {.domain = deps_.session.domain,
                               .ended_text = link.ended_text,
                               .draining = draining_,
                               .started_frozen = frozen_,
                               .suspended_for = link.suspension.left(Monotonic()),
                               .offence = link.suspension.what(),
                               .now = deps_.session.clock.Now()});
}

void LinkManager::Core::Settle(const std::string& domain, PeerLink& link) {
  const auto refusal = RefusalNow(link);
  if (refusal) {
    if (link.session != nullptr && !link.ended) {
      link.session->End(refusal->reason, refusal->message, refusal->retry_after);
    }
    SetState(domain, link, admin::v1::LINK_STATE_STOPPED, base::ReasonLabel(refusal->reason),
             refusal->message);
    if (link.removed && link.session == nullptr) {
      published_.Erase(domain);
      links_.erase(domain);
    }
    return;
  }
  if (link.state == admin::v1::LINK_STATE_STOPPED) {
    SetState(domain, link, admin::v1::LINK_STATE_DOWN, "", "not connected yet");
  }
  TimeTheEnd(domain, link);
  DialIfDue(domain, link);
  Publish(domain, link);
}

// The wall clock may be set, so only what the next look would miss has a timer.
void LinkManager::Core::TimeTheEnd(const std::string& domain, PeerLink& link) {
  const absl::Duration left = EndOf(link.peer) - deps_.session.clock.Now();
  if (left > 2 * kTick || link.end_is_timed) return;
  link.end_is_timed = true;
  LookAtLater(domain, Monotonic() + left);
}

void LinkManager::Core::DialIfDue(const std::string& domain, PeerLink& link) {
  if (!link.peer.dial() || link.peer.endpoint().empty() || link.session != nullptr) return;
  if (link.next_try > absl::UnixEpoch() + Monotonic()) return;
  SetState(domain, link, admin::v1::LINK_STATE_CONNECTING, link.reason, link.message);
  StartSession(domain, link, deps_.dialer.Dial(link.peer), true);
}

void LinkManager::Core::StartSession(const std::string& domain, PeerLink& link,
                                     rpc::FrameStreamPtr stream, bool dialled) {
  std::shared_ptr<void> lease = leases_.Take(shared_from_this());
  if (lease == nullptr) return stream->Close(ShuttingDown());
  const uint64_t number = next_number_++;
  link.session_number = number;
  link.dialled = dialled;
  link.ended = false;
  link.ForgetNews();
  session::SessionOptions options;
  options.peer = link.peer;
  options.dialled = dialled;
  options.refuse = RefusalNow(link);
  options.begin_anew = std::exchange(link.begin_anew, false);
  options.retry_after_offence = link.suspension.AfterNext(Monotonic());
  options.paces = link.paces;
  options.heartbeat = deps_.heartbeat;
  options.lease = std::move(lease);
  // The callbacks of a session may outlive the manager's users, not its core.
  const auto self = shared_from_this();
  const auto tell = [self, domain](auto listener) {
    return [self, domain, listener](auto&& told) {
      if (self->deps_.*listener) {
        (self->deps_.*listener)(domain, std::forward<decltype(told)>(told));
      }
    };
  };
  Session::Callbacks callbacks{
      .on_up = [self, domain, number] { self->Post([=] { self->OnUp(domain, number); }); },
      .on_groups = tell(&LinkManagerDeps::on_groups),
      .on_trust = tell(&LinkManagerDeps::on_trust),
      .on_attestors = tell(&LinkManagerDeps::on_attestors),
      .on_catalogue = tell(&LinkManagerDeps::on_catalogue),
      .on_end =
          [self, domain, number](const link::CloseStream& close) {
            self->Post([=] { self->OnEnd(domain, number, close); });
          },
      .on_done = [self, domain, number] { self->Post([=] { self->OnDone(domain, number); }); }};
  if (deps_.on_count_request) {
    callbacks.on_count_request = tell(&LinkManagerDeps::on_count_request);
    callbacks.on_count_answer = tell(&LinkManagerDeps::on_count_answer);
  }
  link.session = Session::Start(deps_.session, std::move(options), link.metrics, std::move(stream),
                                std::move(callbacks));
  GiveNews(domain, link);
  Publish(domain, link);
}

// Files of our identity change, and lists are signed again from time to time: looked at with
// every change and every tick.
void LinkManager::Core::GiveNews(const std::string& domain, PeerLink& link) {
  if (link.session == nullptr || link.ended) return;
  auto trust = deps_.own_trust ? deps_.own_trust() : nullptr;
  if (trust != nullptr && trust != link.trust) {
    link.session->SetTrust(*trust);
    link.trust = std::move(trust);
  }
  if (deps_.catalogue_of) link.GiveCatalogue(deps_.catalogue_of(domain));
  if (!deps_.groups_of) return;
  federation::v1::Groups groups = deps_.groups_of(domain);
  std::string bytes = groups.SerializeAsString();
  if (bytes == link.groups) return;
  link.groups = std::move(bytes);
  link.session->SetGroups(std::move(groups));
}

// Whether the link we have stays although the peer opened another stream. Both sides
// judge alike, so exactly one of two crossing dials survives.
bool LinkManager::Core::KeepsOverNew(const std::string& domain, const PeerLink& link) const {
  if (link.session == nullptr || link.ended) return false;
  // The same side has dialled twice: it knows best which of the two lives.
  if (!link.dialled) return false;
  if (deps_.session.domain > domain) return false;
  if (link.state != admin::v1::LINK_STATE_UP) return true;
  return Monotonic() - link.session->status().heard_at < 1.5 * deps_.heartbeat;
}

void LinkManager::Core::Accept(const std::string& peer, rpc::FrameStreamPtr stream) {
  const auto it = links_.find(peer);
  if (it == links_.end() || it->second->removed) {
    return stream->Close(
        base::MakeError(base::Reason::kNoAgreement, absl::StrCat("no agreement with ", peer)));
  }
  PeerLink& link = *it->second;
  if (KeepsOverNew(peer, link)) {
    return stream->Close(
        base::MakeError(base::Reason::kDuplicateLink, "the link that this side dialled stays"));
  }
  if (link.waiting != nullptr) {
    link.waiting->Close(
        base::MakeError(base::Reason::kDuplicateLink, "a newer stream took its place"));
  }
  if (link.session == nullptr) return StartSession(peer, link, std::move(stream), false);
  link.waiting = std::move(stream);
  if (!link.ended) {
    link.session->End(base::Reason::kDuplicateLink, "a newer stream of the peer took its place");
  }
}

void LinkManager::Core::EndDialled(const std::string& peer, base::Reason reason,
                                   const std::string& message) {
  const auto it = links_.find(peer);
  const PeerLink* link = it == links_.end() ? nullptr : it->second.get();
  const bool ours = link != nullptr && link->session != nullptr && link->dialled && !link->ended;
  if (ours) link->session->End(reason, message);
}

PeerLink* LinkManager::Core::Find(const std::string& domain, uint64_t number) {
  const auto it = links_.find(domain);
  if (it == links_.end() || it->second->session_number != number) return nullptr;
  return it->second.get();
}

void LinkManager::Core::OnUp(const std::string& domain, uint64_t number) {
  PeerLink* link = Find(domain, number);
  if (link == nullptr || link->ended) return;
  link->NoteUp(Monotonic());
  link->told_ended.clear();
  SetState(domain, *link, admin::v1::LINK_STATE_UP, "", "");
  base::Log(base::LogLevel::kInfo, "link up",
            {{"peer", domain}, {"dialled", link->dialled ? "true" : "false"}});
}

void LinkManager::Core::OnEnd(const std::string& domain, uint64_t number,
                              const link::CloseStream& close) {
  PeerLink* link = Find(domain, number);
  if (link == nullptr) return;
  link->ended = true;
  link->acknowledged_through = link->session->status().acknowledged_through;
  // The peer cannot read our place any more (its log began a new life, or it lost its
  // key): from the beginning of the agreement; duplicates are told by identity.
  if (close.by_peer && close.reason == base::Reason::kTokenInvalid) link->begin_anew = true;
  link->next_try =
      Soon(link->NoteEnd(close, TriesOfOthers(*link), Monotonic(), deps_.session.random.Unit()));
  base::Log(base::LogLevel::kInfo, "link down",
            {{"peer", domain},
             {"reason", base::ReasonLabel(close.reason)},
             {"message", close.message},
             {"by_peer", close.by_peer ? "true" : "false"}});
  if (close.by_peer && close.reason == base::Reason::kNoAgreement) link->told_ended = close.message;
  if (link->state == admin::v1::LINK_STATE_STOPPED) return;
  // It has forgotten our bundle, so that dialling it fails in the handshake from now on.
  const bool ended = !link->told_ended.empty();
  SetState(domain, *link, admin::v1::LINK_STATE_DOWN,
           base::ReasonLabel(ended ? base::Reason::kNoAgreement : close.reason),
           ended ? link->told_ended : close.message);
}

void LinkManager::Core::OnDone(const std::string& domain, uint64_t number) {
  PeerLink* link = Find(domain, number);
  if (link == nullptr) return;
  link->session = nullptr;
  if (link->waiting != nullptr) {
    StartSession(domain, *link, std::exchange(link->waiting, nullptr), false);
    return;
  }
  if (link->peer.dial() && !draining_ && !link->removed) {
    LookAtLater(domain, link->next_try - absl::UnixEpoch());
  }
  Settle(domain, *link);
}

void LinkManager::Core::ArmTick() {
  deps_.session.timers.At(Monotonic() + kTick, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->Post([self] { self->Tick(); });
    self->ArmTick();
  });
}

void LinkManager::Core::Tick() {
  std::vector<std::string> domains;
  for (const auto& [domain, link] : links_) domains.push_back(domain);
  for (const std::string& domain : domains) LookAt(domain);  // which may erase it
}

void LinkManager::Core::LookAt(const std::string& domain) {
  const auto it = links_.find(domain);
  if (it == links_.end()) return;
  GiveNews(domain, *it->second);
  Settle(domain, *it->second);
}

void LinkManager::Core::LookAtLater(const std::string& domain, absl::Duration when) {
  deps_.session.timers.At(when, [weak = weak_from_this(), domain] {
    if (const auto self = weak.lock()) self->Post([self, domain] { self->LookAt(domain); });
  });
}

void LinkManager::Core::PostDrain() {
  leases_.ExpectStep();
  if (!strand_->Post([self = shared_from_this()] { self->Drain(); })) leases_.StepIsDone();
}

void LinkManager::Core::Drain() {
  draining_ = true;
  for (auto& [domain, link] : links_) {
    if (link->waiting != nullptr) {
      link->waiting->Close(ShuttingDown());
      link->waiting = nullptr;
    }
    if (link->session != nullptr) link->session->Drain();
  }
  leases_.StepIsDone();
}

void LinkManager::Core::Unfreeze() {
  if (!std::exchange(frozen_, false)) return;
  for (auto& [domain, link] : links_) link->next_try = absl::InfinitePast();
  Tick();
}

void LinkManager::Core::EndAll() {
  for (auto& [domain, link] : links_) {
    if (link->session != nullptr) link->session->End(base::Reason::kDraining, "shutting down");
  }
}

double LinkManager::Core::TriesOfOthers(const PeerLink& than) const {
  double tries = 0;
  for (const auto& [domain, link] : links_) {
    const bool trying = link->ended || link->state == admin::v1::LINK_STATE_DOWN ||
                        link->state == admin::v1::LINK_STATE_CONNECTING;
    if (link.get() != &than && link->peer.dial() && trying) tries += link->redial.tries();
  }
  return tries;
}

void LinkManager::Core::SetState(const std::string& domain, PeerLink& link, LinkState state,
                                 std::string reason, std::string message) {
  if (link.state != state) link.since = deps_.session.clock.Now();
  link.state = state;
  link.reason = std::move(reason);
  link.message = std::move(message);
  Publish(domain, link);
}

void LinkManager::Core::Publish(const std::string& domain, const PeerLink& link) {
  LinkReport report;
  admin::v1::LinkStatus& status = report.status;
  status.set_state(link.state);
  status.set_reason(link.reason);
  status.set_message(link.message);
  *status.mutable_since() = ToTimestamp(link.since);
  status.set_dialled(link.dialled);
  const absl::Time now = absl::UnixEpoch() + Monotonic();
  if (link.state == admin::v1::LINK_STATE_DOWN && link.peer.dial() && link.next_try > now) {
    *status.mutable_next_try() = ToTimestamp(deps_.session.clock.Now() + (link.next_try - now));
  }
  report.acknowledged_through = link.acknowledged_through;
  published_.Set(domain, std::move(report), link.ended ? nullptr : link.session);
}

// ------------------------------------------------------------------- surface

LinkManager::LinkManager(LinkManagerDeps deps) : core_(std::make_shared<Core>(std::move(deps))) {
  core_->Begin();
}

LinkManager::~LinkManager() { Shutdown(absl::ZeroDuration()); }

void LinkManager::Reconcile(state::ResourceSnapshotPtr resources) {
  core_->Post([core = core_, resources = std::move(resources)] { core->Reconcile(*resources); });
}

void LinkManager::Accept(std::string peer, rpc::FrameStreamPtr stream) {
  core_->Post([core = core_, peer = std::move(peer), stream = std::move(stream)] {
    core->Accept(peer, stream);
  });
}

void LinkManager::EndDialled(std::string peer, base::Reason reason, std::string message) {
  core_->Post([core = core_, peer = std::move(peer), reason, message = std::move(message)] {
    core->EndDialled(peer, reason, message);
  });
}

void LinkManager::Unfreeze() {
  core_->Post([core = core_] { core->Unfreeze(); });
}

void LinkManager::Drain() { core_->PostDrain(); }

void LinkManager::Shutdown(absl::Duration limit) {
  Drain();
  if (core_->WaitIdle(limit)) return;
  core_->Post([core = core_] { core->EndAll(); });
  // End() bounds itself by the grace of its last frame and the cut of its stream.
  if (!core_->WaitIdle(absl::Seconds(5))) {
    base::Log(base::LogLevel::kError, "a link did not end in time");
  }
}

bool LinkManager::SendCount(absl::string_view peer, federation::v1::Frame frame) const {
  const std::shared_ptr<Session> session = core_->published().CountingSession(peer);
  if (session == nullptr) return false;
  session->SendCount(std::move(frame));
  return true;
}

bool LinkManager::KnowsCounts(absl::string_view peer) const {
  return core_->published().CountingSession(peer) != nullptr;
}

std::optional<LinkReport> LinkManager::Report(absl::string_view peer) const {
  return core_->published().Report(core_->domain(), peer);
}

}  // namespace cdgate::manager
