#include <algorithm>
#include <memory>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/clock.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/progress.h"
#include "gateway/cli/publish_stream.h"
#include "gateway/cli/verbs.h"
#include "gateway/rpc/status.h"

namespace cdgate::cli {
namespace {

struct PublishFlags {
  std::vector<std::string> files;
  bool new_ids = false;
};

// Counts and prints results as they come. Thread-safe: results come on the stream's
// thread, local faults on ours.
class Report {
 public:
  explicit Report(Invocation& run)
      : run_(run), progress_(run.err(), run.streams().err_is_terminal, base::SystemClock()) {}

  void OnResult(const SentEvent& sent, const events::v1::PublishResult& result) {
    if (result.has_error()) return OnFault(sent, rpc::FromProto(result.error()));
    base::MutexLock lock(mu_);
    ++stored_;
    if (result.duplicate()) ++duplicates_;
    if (first_ == 0 || result.sequence() < first_) first_ = result.sequence();
    last_ = std::max(last_, result.sequence());
    if (run_.table()) return;
    Print(Describe(sent)
              .Add("sequence", Node::Number(uint64_t{result.sequence()}))
              .Add("duplicate", Node::Bool(result.duplicate())));
  }

  void OnFault(const SentEvent& sent, const absl::Status& error) {
    base::MutexLock lock(mu_);
    ++refused_;
    worst_ =
        refused_ == 1 ? ExitCodeOf(error) : (worst_ == ExitCodeOf(error) ? worst_ : int{kExitNo});
    const auto reason = base::ReasonOf(error);
    const std::string label = reason ? base::ReasonLabel(*reason) : "internal";
    if (run_.table()) {
      progress_.Hide();
      run_.Note(absl::StrCat(sent.place, ": ", error.message(), " (", label, ")"));
    } else {
      Print(Describe(sent).Add(
          "error", std::move(Node::Object()
                                 .Add("reason", Node::Text(label))
                                 .Add("message", Node::Text(std::string(error.message()))))));
    }
  }

  void OnProgress(uint64_t done, uint64_t all) {
    base::MutexLock lock(mu_);
    progress_.Show(done, all, stored_ + refused_);
  }

  int Finish() {
    base::MutexLock lock(mu_);
    progress_.Hide();
    if (run_.table()) run_.out() << Summary() << "\n";
    return refused_ == 0 ? int{kExitDone} : worst_;
  }

  std::string Summary() const CDGATE_REQUIRES(mu_) {
    std::string text = absl::StrCat("published ", Count(stored_, "event"));
    if (stored_ == 1) absl::StrAppend(&text, ", sequence ", first_);
    if (stored_ > 1) absl::StrAppend(&text, ", sequences ", first_, " to ", last_);
    if (duplicates_ > 0) {
      absl::StrAppend(&text, "; ", duplicates_, duplicates_ == 1 ? " was" : " were",
                      " there already");
    }
    if (refused_ > 0) absl::StrAppend(&text, "; ", refused_, " refused");
    return text;
  }

  uint64_t stored() {
    base::MutexLock lock(mu_);
    return stored_;
  }

 private:
  static Node Describe(const SentEvent& sent) {
    Node node = Node::Object();
    node.Add("input", Node::Text(sent.place));
    if (!sent.id.empty()) node.Add("id", Node::Text(sent.id)).Add("type", Node::Text(sent.type));
    return node;
  }

  void Print(const Node& node) const {
    if (run_.output == "json") {
      run_.out() << node.ToJson() << "\n";
    } else {
      run_.out() << "---\n" << node.ToYaml();
    }
  }

  Invocation& run_;
  base::Mutex mu_;
  Progress progress_ CDGATE_GUARDED_BY(mu_);
  uint64_t stored_ CDGATE_GUARDED_BY(mu_) = 0;
  uint64_t duplicates_ CDGATE_GUARDED_BY(mu_) = 0;
  uint64_t refused_ CDGATE_GUARDED_BY(mu_) = 0;
  uint64_t first_ CDGATE_GUARDED_BY(mu_) = 0;
  uint64_t last_ CDGATE_GUARDED_BY(mu_) = 0;
  int worst_ CDGATE_GUARDED_BY(mu_) = kExitDone;
};

// One run of the verb.
class Publisher {
 public:
  Publisher(const PublishFlags& flags, Connection& connection, Invocation& run)
      : flags_(flags),
        report_(run),
        run_(run),
        reader_(flags.new_ids, base::SystemRandom()),
        stream_(connection, [this](const SentEvent& sent, const events::v1::PublishResult& result) {
          report_.OnResult(sent, result);
        }) {}

  absl::StatusOr<int> Run() {
    absl::Status status = ReadInputs(
        flags_.files, run_.streams(),
        {.text = [this](InputText text) { return Send(text); },
         .idle = [this] { return stream_.Flush(); },
         .progress = [this](uint64_t done, uint64_t all) { report_.OnProgress(done, all); }});
    if (status.ok()) status = stream_.Finish();
    const int code = report_.Finish();
    if (status.ok()) return code;
    return base::Annotate(status, absl::StrCat("after ", Count(report_.stored(), "event"),
                                               "; publishing again is safe"));
  }

 private:
  absl::Status Send(const InputText& text) {
    io::cloudevents::v1::CloudEvent event;
    if (absl::Status read = reader_.Read(text.json, &event); !read.ok()) {
      report_.OnFault({text.place(), "", ""}, read);
      return absl::OkStatus();
    }
    const SentEvent sent{text.place(), event.id(), event.type()};
    absl::Status status = stream_.Add(std::move(event), sent.place);
    if (base::ReasonOf(status) != base::Reason::kTooLarge) return status;
    report_.OnFault(sent, status);
    return absl::OkStatus();
  }

  const PublishFlags& flags_;
  Report report_;
  Invocation& run_;
  EventReader reader_;
  PublishStream stream_;  // last: its thread uses the others
};

}  // namespace

void AddPublishVerb(Verbs& verbs) {
  const auto flags = std::make_shared<PublishFlags>();
  CLI::App* const verb = verbs.AddVerb(
      nullptr, "publish", "Publish events: each is on disk when it is reported",
      "cdgate publish event.json\n"
      "tail -f events.ndjson | cdgate publish -",
      Verbs::kConnects | Verbs::kPrints, [flags](Invocation& run) -> absl::StatusOr<int> {
        CDGATE_ASSIGN_OR_RETURN(Connection* const connection, run.Connect());
        return Publisher(*flags, *connection, run).Run();
      });
  verb->add_option("FILE", flags->files,
                   "CDEvents or CloudEvents in JSON: one, NDJSON or an array; - or none reads "
                   "standard input");
  verb->add_flag("--new-ids", flags->new_ids,
                 "Give every event a new id of its own, for samples that share one");
}

}  // namespace cdgate::cli
