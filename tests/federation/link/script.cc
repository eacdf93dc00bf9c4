#include "tests/federation/link/script.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "federation/link/codec.h"
#include "federation/link/link.h"
#include "tests/federation/link/describe.h"
#include "tests/federation/link/fake_sealer.h"
#include "tests/federation/link/fake_signer.h"
#include "tests/federation/link/received.h"

namespace cdgate::test {
namespace {

using base::Position;
using base::Reason;
using base::Sequence;
using federation::v1::Frame;

// The words of a command behind its name: "key=value" and plain ones.
class Arguments {
 public:
  explicit Arguments(std::vector<std::string> words) {
    for (std::string& word : words) {
      const std::pair<std::string, std::string> kv = absl::StrSplit(word, absl::MaxSplits('=', 1));
      if (word.find('=') == std::string::npos) {
        plain_.push_back(word);
      } else {
        named_.insert(kv);
      }
    }
  }

  std::string Text(const std::string& key, std::string otherwise = "") const {
    const auto it = named_.find(key);
    if (it == named_.end()) return otherwise;
    // Tokens have blanks; scripts write them with underscores.
    std::string value = it->second;
    if (key == "token" || key == "cursor") std::replace(value.begin(), value.end(), '_', ' ');
    return value;
  }
  uint64_t Number(const std::string& key, uint64_t otherwise = 0) const {
    const auto it = named_.find(key);
    uint64_t value = 0;
    return it != named_.end() && absl::SimpleAtoi(it->second, &value) ? value : otherwise;
  }
  std::vector<std::string> All(const std::string& key) const {
    std::vector<std::string> values;
    const auto range = named_.equal_range(key);
    for (auto it = range.first; it != range.second; ++it) values.push_back(it->second);
    return values;
  }
  bool Has(const std::string& word) const {
    return std::find(plain_.begin(), plain_.end(), word) != plain_.end();
  }
  const std::vector<std::string>& plain() const { return plain_; }

 private:
  std::multimap<std::string, std::string> named_;
  std::vector<std::string> plain_;
};

std::vector<uint64_t> Numbers(const std::string& text) {
  std::vector<uint64_t> out;
  for (absl::string_view word : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    out.emplace_back();
    if (!absl::SimpleAtoi(word, &out.back())) out.pop_back();
  }
  return out;
}

// `of` bytes, or the text `document`.
federation::v1::TrustUpdate MakeTrust(const Arguments& args) {
  federation::v1::TrustUpdate update;
  update.set_document(std::string(args.Number("of", 0), 'x'));
  for (const std::string& document : args.All("document")) update.set_document(document);
  return update;
}

federation::v1::Attestors MakeAttestors(const Arguments& args) {
  federation::v1::Attestors attestors;
  for (const std::string& key : args.All("key")) attestors.add_attestors()->add_certificates(key);
  return attestors;
}

federation::v1::Catalogue MakeCatalogue(const Arguments& args) {
  federation::v1::Catalogue catalogue;
  for (const std::string& type : args.All("offer")) catalogue.add_offers()->set_type(type);
  for (uint64_t i = 0; i < args.Number("more"); ++i) {
    catalogue.add_offers()->set_type(std::string(args.Number("of", 1), 'x'));
  }
  for (const std::string& id : args.All("asks")) catalogue.add_requests()->set_id(id);
  for (uint64_t i = 0; i < args.Number("ask"); ++i) catalogue.add_requests();
  for (const std::string& id : args.All("answers")) catalogue.add_answers()->set_id(id);
  for (uint64_t i = 0; i < args.Number("answer"); ++i) catalogue.add_answers();
  return catalogue;
}

federation::v1::Frame MakeCount(const std::string& kind, const Arguments& args) {
  federation::v1::Frame frame;
  if (kind == "ask") {
    frame.mutable_count_request()->set_id(args.Text("id"));
    frame.mutable_count_request()->set_origin(args.Text("origin"));
    return frame;
  }
  frame.mutable_count_answer()->set_id(args.Text("id"));
  frame.mutable_count_answer()->set_commitments(std::string(args.Number("of"), 'c'));
  return frame;
}

federation::v1::Groups MakeGroups(const Arguments& args) {
  federation::v1::Groups groups;
  for (const std::string& list : args.All("list")) groups.add_groups()->set_list(list);
  for (uint64_t i = 0; i < args.Number("more"); ++i) {
    groups.add_groups()->set_list(std::string(args.Number("of", 1), 'x'));
  }
  return groups;
}

// "replay=NUMBER first= last= [only=1,3]"
std::optional<link::ReplayJob> MakeJob(const Arguments& args) {
  if (args.Number("replay") == 0) return std::nullopt;
  link::ReplayJob job;
  job.number = args.Number("replay");
  job.first = Sequence(args.Number("first", 1));
  job.last = Sequence(args.Number("last"));
  for (const uint64_t s : Numbers(args.Text("only"))) job.sequences.push_back(Sequence(s));
  return job;
}

Frame MakeFrame(const Arguments& args) {
  Frame frame;
  const std::string kind = args.plain().at(0);
  if (kind == "hello") {
    auto& h = *frame.mutable_hello();
    h.set_min_version(static_cast<uint32_t>(args.Number("min", 1)));
    h.set_max_version(static_cast<uint32_t>(args.Number("max", 1)));
    h.set_domain(args.Text("domain", "beta.example"));
    h.set_instance(args.Text("instance", "gw1"));
    h.set_agreement_id(args.Text("agreement", "ag1"));
    for (absl::string_view c : absl::StrSplit(args.Text("capabilities"), ',', absl::SkipEmpty())) {
      h.add_capabilities(std::string(c));
    }
    h.set_max_frame_bytes(static_cast<uint32_t>(args.Number("frame", 1 << 20)));
    h.mutable_heartbeat_interval()->set_seconds(static_cast<int64_t>(args.Number("heartbeat", 5)));
  } else if (kind == "interest") {
    frame.mutable_interest()->set_version(args.Number("version"));
    for (const std::string& rule : args.All("rule")) {
      frame.mutable_interest()->add_rules()->set_when(rule);
    }
    frame.mutable_interest()->set_paused(args.Has("paused"));
  } else if (kind == "resume") {
    frame.mutable_resume()->set_token(args.Text("token"));
    frame.mutable_resume()->set_position(args.Number("position"));
    frame.mutable_resume()->set_link_epoch(args.Text("epoch"));
    for (const std::string& digest : args.All("digest")) {
      frame.mutable_resume()->set_digest(FakeDigest(digest));
    }
    if (args.Has("short")) frame.mutable_resume()->set_digest("short");
  } else if (kind == "credit") {
    frame.mutable_credit()->set_events(args.Number("events"));
    frame.mutable_credit()->set_bytes(args.Number("bytes", 1 << 20));
  } else if (kind == "batch") {
    frame.mutable_batch()->set_first_position(args.Number("first"));
    for (uint64_t i = 0; i < args.Number("events", 1); ++i) {
      frame.mutable_batch()->add_events()->set_cloud_event(absl::StrCat("e", i));
    }
    frame.mutable_batch()->set_token(args.Text("token", "T"));
    frame.mutable_batch()->set_link_epoch(args.Text("epoch", "E"));
    frame.mutable_batch()->set_replay(args.Has("replay"));
    if (args.Has("signed")) frame.mutable_batch()->mutable_export_statement()->set_signature("s");
  } else if (kind == "ack") {
    frame.mutable_ack()->set_position(args.Number("position"));
    for (const std::string& refused : args.All("refused")) {
      const std::vector<std::string> parts = absl::StrSplit(refused, ':');
      auto& refusal = *frame.mutable_ack()->add_refusals();
      refusal.set_position(Numbers(parts.at(0)).at(0));
      if (parts.size() > 1) refusal.set_reason(parts[1]);
      if (parts.size() > 2) refusal.set_rule(parts[2]);
    }
  } else if (kind == "attestors") {
    *frame.mutable_attestors() = MakeAttestors(args);
  } else if (kind == "trust") {
    *frame.mutable_trust() = MakeTrust(args);
  } else if (kind == "groups") {
    *frame.mutable_groups() = MakeGroups(args);
  } else if (kind == "catalogue") {
    *frame.mutable_catalogue() = MakeCatalogue(args);
  } else if (kind == "ask" || kind == "answer") {
    frame = MakeCount(kind, args);
  } else if (kind == "heartbeat") {
    frame.mutable_heartbeat()->set_last_position(args.Number("last"));
    frame.mutable_heartbeat()->set_token(args.Text("token"));
    frame.mutable_heartbeat()->set_link_epoch(args.Text("epoch"));
    frame.mutable_heartbeat()->set_exports_stopped(args.Has("stopped"));
    if (const uint64_t position = args.Number("receipt")) {
      frame.mutable_heartbeat()->mutable_receipt()->set_position(position);
      frame.mutable_heartbeat()->mutable_receipt()->set_digest(FakeDigest(args.Text("digest")));
    }
  } else if (kind == "goaway") {
    frame.mutable_go_away()->set_reason(args.Text("reason"));
    frame.mutable_go_away()->set_message(args.Text("message"));
    frame.mutable_go_away()->mutable_retry_after()->set_seconds(
        static_cast<int64_t>(args.Number("retry")));
  }
  return frame;
}

class Player {
 public:
  std::string Play(absl::string_view script) {
    for (absl::string_view line : absl::StrSplit(script, '\n')) {
      if (line.substr(0, 2) == "> ") {
        absl::StrAppend(&out_, line, "\n");
        Run(line.substr(2));
      } else if (line.empty() ? !ends_blank_ : line[0] == '#') {
        absl::StrAppend(&out_, line, "\n");
      }
      ends_blank_ = line.empty();
    }
    while (out_.size() > 1 && out_.substr(out_.size() - 2) == "\n\n") out_.pop_back();
    return out_;
  }

 private:
  struct Node {
    std::unique_ptr<link::Link> link;
    std::deque<link::SendFrame> outbox;
    uint64_t request = 0;
    uint64_t replay_request = 0;
    bool hold = false;
    bool writing = false;
  };

  void Run(absl::string_view command) {
    std::vector<std::string> words = absl::StrSplit(command, ' ', absl::SkipEmpty());
    const std::string first = words.at(0);
    const std::string second = words.size() > 1 ? words[1] : "";
    words.erase(words.begin(), words.begin() + std::min<long>(2, static_cast<long>(words.size())));
    const Arguments args(std::move(words));
    if (first == "new") return New(second, args);
    if (first == "deliver") return Deliver(second);
    Command(nodes_.at(first), second, args);
  }

  void New(const std::string& name, const Arguments& args) {
    link::LinkConfig config;
    config.domain = name + ".example";
    config.instance = "gw1";
    config.peer = args.Text("peer", "beta") + ".example";
    config.agreement_id = args.Text("agreement", "ag1");
    for (absl::string_view c : absl::StrSplit(args.Text("capabilities"), ',', absl::SkipEmpty())) {
      config.capabilities.emplace_back(c);
    }
    config.max_version = static_cast<uint32_t>(args.Number("max", 1));
    config.max_frame_bytes = static_cast<uint32_t>(args.Number("frame", 1 << 20));
    config.log_epoch = base::Epoch(args.Text("log", "log1"));
    config.head = Sequence(args.Number("head"));
    config.agreed_sequence = Sequence(args.Number("agreed", 1));
    config.horizon = Sequence(args.Number("horizon", 4096));
    if (const uint64_t sent = args.Number("sent_by", 1)) {
      config.sent_epoch.emplace().set_policy_version(sent);
    }
    config.acknowledged = Sequence(args.Number("acknowledged"));
    config.fresh_link_epoch = args.Text("fresh", "E1");
    config.sealer = &sealer_;
    config.policy_epoch.set_policy_version(args.Number("policy", 1));
    config.max_unacknowledged = args.Number("unacknowledged", 1 << 16);
    config.window_events = args.Number("window", 100);
    config.window_bytes = args.Number("window_bytes", 1 << 20);
    config.import_rate = {static_cast<uint32_t>(args.Number("rate")),
                          static_cast<uint32_t>(args.Number("burst"))};
    config.export_rate = {static_cast<uint32_t>(args.Number("export_rate")),
                          static_cast<uint32_t>(args.Number("export_burst"))};
    config.interest.set_version(args.Number("interest"));
    config.exports_held = args.Has("held");
    config.replay = MakeJob(args);
    config.replay_through = Sequence(args.Number("through"));
    const std::vector<std::string> cursor =
        absl::StrSplit(args.Text("cursor"), absl::MaxSplits(':', 2));
    if (cursor.size() == 3) {
      config.import_cursor = {Position(Numbers(cursor[0]).at(0)), cursor[2], cursor[1]};
    }
    for (const std::string& digest : args.All("digest")) {
      config.import_cursor.digest = FakeDigest(digest);
    }
    if (args.Has("signs")) config.signer = &signer_;
    TakeReceipt(args.Text("receipt"), &config);
    if (const auto reason = base::ReasonFromText(args.Text("refuse"))) {
      config.refuse = link::Refuse{*reason, "refused before anything is said", absl::Seconds(5)};
    }
    nodes_[name] = Node{};
    nodes_[name].link = std::make_unique<link::Link>(std::move(config));
  }

  // "POSITION:EPOCH:DIGEST"
  static void TakeReceipt(const std::string& text, link::LinkConfig* config) {
    const std::vector<std::string> parts = absl::StrSplit(text, ':');
    if (parts.size() != 3) return;
    config->receipt.emplace().set_position(Numbers(parts[0]).at(0));
    config->receipt->set_digest(FakeDigest(parts[2]));
    config->receipt_epoch = parts[1];
  }

  void Command(Node& node, const std::string& name, const Arguments& args) {
    if (name == "open") return Step(node, link::StreamOpened{});
    if (name == "recv") {
      const Frame frame = MakeFrame(args);
      const size_t bytes = args.Number("bytes", frame.ByteSizeLong());
      return Step(node, Received(frame, bytes));
    }
    if (name == "garbage") return Step(node, link::FrameMalformed{});
    if (name == "hold") return void(node.hold = true);
    if (name == "written") {
      node.hold = node.writing = false;
      return Step(node, link::Written{});
    }
    if (name == "tick") {
      absl::Duration by;
      if (absl::ParseDuration(args.plain().at(0), &by)) now_ += by;
      return Step(node, link::Tick{});
    }
    if (name == "head") {
      return Step(node, link::HeadMoved{Sequence(Numbers(args.plain().at(0)).at(0)), now_});
    }
    if (name == "drain") return Step(node, link::Drain{});
    if (name == "end") {
      return Step(node, link::End{*base::ReasonFromText(args.plain().at(0)), "as told", {}});
    }
    if (name == "closed") {
      const auto reason =
          args.plain().empty() ? std::nullopt : base::ReasonFromText(args.plain()[0]);
      return Step(node, link::StreamClosed{reason ? base::MakeError(*reason, "the stream ended")
                                                  : absl::OkStatus()});
    }
    Answer(node, name, args);
  }

  void Answer(Node& node, const std::string& name, const Arguments& args) {
    if (name == "decided") return Step(node, MakeDecided(node.request, args));
    if (name == "replayed") {
      return Step(node, link::ReplayDecided{MakeDecided(node.replay_request, args)});
    }
    if (name == "job") {
      return Step(node, link::ReplayChanged{MakeJob(args), Sequence(args.Number("through"))});
    }
    if (name == "groups") return Step(node, link::GroupsChanged{MakeGroups(args)});
    if (name == "catalogue") return Step(node, link::CatalogueChanged{MakeCatalogue(args)});
    if (name == "ask" || name == "answer") {
      return Step(node, link::SendCount{MakeCount(name, args)});
    }
    if (name == "trust") return Step(node, link::TrustChanged{MakeTrust(args)});
    if (name == "attestors") return signer_.Need(MakeAttestors(args));
    if (name == "placed") return Step(node, link::PlaceChecked{args.Has("same")});
    if (name == "horizon") {
      return Step(node, link::HorizonWritten{Sequence(Numbers(args.plain().at(0)).at(0))});
    }
    if (name == "committed") {
      link::Committed committed{Position(Numbers(args.plain().at(0)).at(0)), {}};
      std::vector<std::string> words = {"ack"};
      for (const std::string& r : args.All("refused")) words.push_back("refused=" + r);
      const Frame frame = MakeFrame(Arguments(words));
      for (const auto& refusal : frame.ack().refusals()) committed.refused.push_back(refusal);
      return Step(node, std::move(committed));
    }
    const link::Rate rate{static_cast<uint32_t>(args.Number("rate")),
                          static_cast<uint32_t>(args.Number("burst"))};
    if (name == "policy") {
      storage::v1::PolicyEpoch epoch;
      epoch.set_policy_version(args.Number("version"));
      return Step(node, link::PolicyChanged{epoch, rate});
    }
    if (name == "exports") return Step(node, link::ExportsHeld{args.Has("held")});
    if (name == "interest") {
      link::InterestChanged change{{}, rate};
      change.interest.set_version(args.Number("version"));
      change.interest.set_paused(args.Has("paused"));
      return Step(node, std::move(change));
    }
    absl::StrAppend(&out_, "  no such command\n");
  }

  static link::Decided MakeDecided(uint64_t request, const Arguments& args) {
    link::Decided decided;
    decided.request = args.Number("request", request);
    decided.first = Sequence(args.Number("first"));
    decided.last = Sequence(args.Number("last"));
    decided.last_mark = args.Number("mark");
    decided.policy_epoch.set_policy_version(args.Number("policy", 1));
    decided.tree = {"seed", args.Text("root")};
    for (uint64_t s : Numbers(args.Text("allow"))) {
      link::AppendRelayedEvent(absl::StrCat("#", s), "", &decided.events);
      decided.sequences.push_back(Sequence(s));
    }
    for (const std::string& except : args.All("except")) {
      const std::vector<std::string> parts = absl::StrSplit(except, ':');
      decided.exceptions.emplace_back();
      decided.exceptions.back().set_sequence(Numbers(parts.at(0)).at(0));
      decided.exceptions.back().set_state(parts.at(1));
      decided.exceptions.back().set_reason(parts.at(2));
    }
    for (const std::string& count : args.All("count")) {
      const std::vector<std::string> parts = absl::StrSplit(count, ':');
      auto& outcome = decided.counts.emplace_back();
      outcome.set_count(Numbers(parts.at(0)).at(0));
      outcome.set_state(parts.at(1));
      outcome.set_reason(parts.at(2));
    }
    return decided;
  }

  void Step(Node& node, link::Input input) {
    for (link::Output& output : node.link->Step(std::move(input), now_)) {
      absl::StrAppend(&out_, "  ", Describe(output), "\n");
      if (auto* need = std::get_if<link::NeedEvents>(&output)) node.request = need->request;
      if (auto* need = std::get_if<link::NeedReplay>(&output)) node.replay_request = need->request;
      if (auto* send = std::get_if<link::SendFrame>(&output)) {
        node.outbox.push_back(std::move(*send));
        node.writing = true;
      }
    }
    if (node.writing && !node.hold) {
      node.writing = false;
      Step(node, link::Written{});
    }
  }

  void Deliver(const std::string& from) {
    std::deque<link::SendFrame> outbox;
    outbox.swap(nodes_.at(from).outbox);
    for (auto& [name, node] : nodes_) {
      if (name == from) continue;
      for (const link::SendFrame& send : outbox) {
        const std::string bytes = link::EncodeHead(send) + send.events;
        Frame frame;
        if (!frame.ParseFromString(bytes)) continue;
        absl::StrAppend(&out_, " ", from, " -> ", name, ": ", DescribeFrame(frame), "\n");
        Step(node, Received(frame, bytes.size()));
      }
    }
  }

  FakeSealer sealer_;
  FakeSigner signer_;
  std::map<std::string, Node> nodes_;
  absl::Time now_ = ScriptEpoch();
  std::string out_;
  bool ends_blank_ = true;
};

}  // namespace

std::string PlayScript(absl::string_view script) { return Player().Play(script); }

}  // namespace cdgate::test
