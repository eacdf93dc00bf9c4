// What an event file proves, without a gateway and without a network.
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "auth/trust/bundle_document.h"
#include "auth/trust/trust_registry.h"
#include "federation/attestation/event_file.h"
#include "federation/attestation/file_keys.h"
#include "federation/attestation/judgement.h"
#include "federation/attestation/producer_signature.h"
#include "federation/policy/classification.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using attestation::Crossing;
using attestation::Judgement;
using attestation::Proof;
using attestation::Signer;
using federation::v1::EventFile;

constexpr size_t kShownDigits = 12;

struct VerifyFlags {
  std::string file;
  std::vector<std::string> bundles;
  std::vector<std::string> crls;
  std::vector<std::string> producer_keys;
};

// What the producer itself signed, where that was asked for.
struct Producer {
  absl::Status proven;
  std::string key_file;  // the one that signed
  std::vector<std::string> attributes;
};

// DOMAIN=FILE; the file's content.
absl::StatusOr<std::pair<std::string, std::string>> ReadOf(absl::string_view flag,
                                                           const std::string& value) {
  const size_t equals = value.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == value.size()) {
    return UsageError(absl::StrCat(flag, " '", base::Shorten(value), "': expected DOMAIN=FILE"));
  }
  absl::StatusOr<std::string> text =
      base::ReadFile(value.substr(equals + 1), trust::BundleDocument::kMaxBytes);
  if (!text.ok()) return AsUsageError(text.status());
  return std::make_pair(value.substr(0, equals), *std::move(text));
}

absl::Status ReadTrust(const VerifyFlags& flags, trust::TrustRegistry* trusted) {
  std::map<std::string, std::vector<std::string>> crls;
  for (const std::string& flag : flags.crls) {
    CDGATE_ASSIGN_OR_RETURN(auto crl, ReadOf("--crl", flag));
    crls[crl.first].push_back(std::move(crl.second));
  }
  std::set<std::string> given;
  for (const std::string& flag : flags.bundles) {
    CDGATE_ASSIGN_OR_RETURN(const auto bundle, ReadOf("--bundle", flag));
    if (!given.insert(bundle.first).second) {
      return UsageError(absl::StrCat("--bundle of ", bundle.first,
                                     " is given twice; put all its roots into one file"));
    }
    const absl::StatusOr<std::string> pem = trust::BundlePemOf(bundle.second);
    const absl::Status taken =
        pem.ok() ? trusted->Replace(bundle.first, *pem, crls[bundle.first]) : pem.status();
    if (!taken.ok()) return AsUsageError(base::Annotate(taken, absl::StrCat("--bundle ", flag)));
    crls.erase(bundle.first);
  }
  if (crls.empty()) return absl::OkStatus();
  return UsageError(
      absl::StrCat("--crl of ", crls.begin()->first, ": give the bundle of that domain, too"));
}

absl::StatusOr<EventFile> ReadEvent(const std::string& path, Invocation& run) {
  std::string json;
  if (path == "-") {
    CDGATE_ASSIGN_OR_RETURN(json,
                            ArgumentOrInput(path, run.streams(), attestation::kMaxEventFileBytes));
  } else {
    absl::StatusOr<std::string> read = base::ReadFile(path, attestation::kMaxEventFileBytes);
    if (!read.ok()) return AsUsageError(read.status());
    json = *std::move(read);
  }
  absl::StatusOr<EventFile> file = attestation::ReadEventFile(json);
  if (!file.ok()) return AsUsageError(base::Annotate(file.status(), path));
  return file;
}

absl::StatusOr<std::vector<crypto::PublicKey>> ReadKeys(const std::vector<std::string>& files) {
  std::vector<crypto::PublicKey> keys;
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> pem = base::ReadFile(file, trust::BundleDocument::kMaxBytes);
    if (!pem.ok()) return AsUsageError(pem.status());
    absl::StatusOr<crypto::PublicKey> key = crypto::PublicKey::FromPem(*pem);
    if (!key.ok()) return AsUsageError(base::Annotate(key.status(), file));
    keys.push_back(*std::move(key));
  }
  return keys;
}

// None where no key was given.
absl::StatusOr<std::optional<Producer>> JudgeProducer(const EventFile& file,
                                                      const std::vector<std::string>& key_files) {
  if (key_files.empty()) return std::nullopt;
  CDGATE_ASSIGN_OR_RETURN(const auto keys, ReadKeys(key_files));
  Producer producer;
  event::CloudEventView view;
  const auto& sent = file.event().export_();
  if (!view.Assign(file.event().cloud_event())) {
    producer.proven = base::MakeError(base::Reason::kAttestationInvalid, "the event is malformed");
  } else if (sent.withheld_size() > 0 || sent.substituted_size() > 0) {
    producer.proven = base::MakeError(
        base::Reason::kAttestationUnproven,
        "a producer signs all of its event, and of this copy something was withheld or "
        "substituted: no signature of its producer can match it");
  } else {
    auto found = attestation::VerifyProducer(view, keys);
    producer.proven = found.status();
    if (found.ok()) {
      producer.key_file = key_files[found->key];
      producer.attributes = std::move(found->attributes);
    }
  }
  return producer;
}

absl::string_view ContentText(Proof proof) {
  switch (proof) {
    case Proof::kDirect: return "what its origin sent, in its own word";
    case Proof::kUnaltered: return "all of it is what the origin accepted";
    case Proof::kFields: return "every field that is left is what the origin accepted";
    case Proof::kOriginExport: return "what its origin sent, in its own word";
  }
  return "";
}

// What nobody can show with what is at hand, and why.
std::vector<std::string> NotShown(const EventFile& file, const Judgement& judged) {
  std::vector<std::string> out;
  if (!judged.proof) return out;
  if (!judged.origin) out.push_back("that the origin accepted it: no statement of it came");
  if (file.sender_statement().empty() && !file.event().path().empty()) {
    out.push_back(absl::StrCat("that ", file.receiver(),
                               " was sent it, and under which terms: no statement of who sent it"));
  }
  if (*judged.proof == Proof::kDirect || *judged.proof == Proof::kOriginExport) {
    out.push_back("that the origin accepted it with this content: only that it sent it so");
  }
  const auto& sent = file.event().export_();
  if (sent.withheld_size() > 0) {
    out.push_back(
        "what was withheld, and that no more was than the list says; the list is the "
        "senders' word, and signed");
  }
  if (sent.substituted_size() > 0) {
    out.push_back("which values the substitutes stand for: they are their senders' own");
  }
  out.push_back("that no other event was left out");
  return out;
}

class Report {
 public:
  Report(const EventFile& file, const Judgement& judged, const attestation::FileKeys& keys,
         const std::optional<Producer>& producer)
      : file_(file), judged_(judged), keys_(keys), producer_(producer) {}

  bool proven() const { return judged_.proven.ok() && (!producer_ || producer_->proven.ok()); }

  void Print(std::ostream& out) const {
    const auto& event = file_.event();
    if (judged_.proof) Line(out, "content", ContentText(*judged_.proof));
    if (judged_.origin) Line(out, "origin", SignedText(*judged_.origin));
    for (const Crossing& crossing : judged_.crossings) {
      Line(out, "sent",
           absl::StrCat(SignedText(crossing.sender), "\nto ", crossing.receiver, ", terms: ",
                        TermsText(crossing.terms), crossing.altered ? "; altered it" : ""));
    }
    PrintList(out, "withheld", event.export_().withheld());
    PrintList(out, "substituted", event.export_().substituted());
    for (const std::string& what : NotShown(file_, judged_)) Line(out, "not shown", what);
    PrintVerdicts(out);
  }

  Node ToNode() const {
    Node node = Node::Object();
    node.Add("proven", Node::Bool(proven()));
    if (judged_.proof) node.Add("proof", Node::Text(attestation::ProofText(*judged_.proof)));
    AddFault(judged_.proven, &node);
    if (producer_) node.Add("producer", ProducerNode());
    node.Add("origin", Node::Text(file_.event().origin()))
        .Add("receiver", Node::Text(file_.receiver()));
    if (judged_.origin) node.Add("originStatement", SignerNode(*judged_.origin));
    Node crossings = Node::List();
    for (const Crossing& crossing : judged_.crossings) crossings.Append(CrossingNode(crossing));
    node.Add("crossings", std::move(crossings))
        .Add("withheld", TextsNode(file_.event().export_().withheld()))
        .Add("substituted", TextsNode(file_.event().export_().substituted()))
        .Add("notShown", TextsNode(NotShown(file_, judged_)));
    return node;
  }

 private:
  // What comes from the file must not draw lines of its own on a terminal.
  static std::string Printable(absl::string_view line) {
    std::string out;
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte >= 0x7f) {
        absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
      } else {
        out.push_back(c);
      }
    }
    return out;
  }

  static void Line(std::ostream& out, std::string title, absl::string_view text) {
    constexpr size_t kTitle = 12;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      out << title << std::string(kTitle - title.size(), ' ') << Printable(line) << "\n";
      title = "";
    }
  }

  void PrintVerdicts(std::ostream& out) const {
    if (producer_) Line(out, producer_->proven.ok() ? "producer" : "NOT PROVEN", ProducerText());
    if (judged_.proven.ok()) {
      Line(out, "proven",
           absl::StrCat("of ", file_.event().origin(), ", as ", file_.receiver(), " has it"));
    } else {
      Line(out, "NOT PROVEN", FaultText(judged_.proven));
      out << "What is said above is what the file claims.\n";
    }
  }

  std::string ProducerText() const {
    if (!producer_->proven.ok()) return FaultText(producer_->proven);
    std::string text = absl::StrCat("signed its data and CloudEvents attributes by the key of ",
                                    producer_->key_file);
    if (!producer_->attributes.empty()) {
      absl::StrAppend(&text, ", with ", absl::StrJoin(producer_->attributes, ", "));
    }
    return text;
  }

  Node ProducerNode() const {
    Node node = Node::Object();
    node.Add("proven", Node::Bool(producer_->proven.ok()));
    AddFault(producer_->proven, &node);
    if (producer_->proven.ok()) node.Add("key", Node::Text(producer_->key_file));
    node.Add("signedExtensions", TextsNode(producer_->attributes));
    return node;
  }

  static absl::string_view ReasonOfIt(const absl::Status& fault) {
    return base::ReasonText(base::ReasonOf(fault).value_or(base::Reason::kInternal));
  }

  static std::string FaultText(const absl::Status& fault) {
    return absl::StrCat(fault.message(), " (", ReasonOfIt(fault), ")");
  }

  static void AddFault(const absl::Status& status, Node* node) {
    if (status.ok()) return;
    node->Add("reason", Node::Text(ReasonOfIt(status)))
        .Add("message", Node::Text(status.message()));
  }

  // "ci.example/attestor/gw1 …": the name is the certificate's, which was verified where the event
  // is proven.
  std::string SignedText(const Signer& signer) const {
    const std::string id = keys_.NameOf(signer.key_id);
    return absl::StrCat(signer.domain, " signed by ", id.empty() ? "a key that is missing" : id,
                        ", key ", base::HexEncode(signer.key_id).substr(0, kShownDigits), ", at ",
                        TimeText(absl::FromUnixNanos(signer.sign_time_nanos)));
  }

  static std::string TermsText(const storage::v1::Terms& terms) {
    std::string text = absl::StrCat("onward ", terms.onward());
    for (const std::string& group : terms.groups()) absl::StrAppend(&text, ", group ", group);
    if (!terms.classification().empty()) absl::StrAppend(&text, ", ", terms.classification());
    return text;
  }

  // By whom: where several altered it, their statements do not say who did which.
  std::string AlteredBy() const {
    std::vector<std::string> domains;
    for (const Crossing& crossing : judged_.crossings) {
      if (crossing.altered) domains.push_back(crossing.sender.domain);
    }
    return domains.empty() ? "" : absl::StrCat(", by ", absl::StrJoin(domains, " or "));
  }

  template <typename Texts>
  void PrintList(std::ostream& out, const std::string& title, const Texts& texts) const {
    for (const std::string& text : texts) Line(out, title, absl::StrCat(text, AlteredBy()));
  }

  template <typename Texts>
  static Node TextsNode(const Texts& texts) {
    Node list = Node::List();
    for (const std::string& text : texts) list.Append(Node::Text(text));
    return list;
  }

  Node SignerNode(const Signer& signer) const {
    return std::move(
        Node::Object()
            .Add("domain", Node::Text(signer.domain))
            .Add("attestor", Node::Text(keys_.NameOf(signer.key_id)))
            .Add("keyId", Node::Text(base::HexEncode(signer.key_id)))
            .Add("signTime", Node::Text(TimeText(absl::FromUnixNanos(signer.sign_time_nanos)))));
  }

  Node CrossingNode(const Crossing& crossing) const {
    return std::move(Node::Object()
                         .Add("sender", SignerNode(crossing.sender))
                         .Add("receiver", Node::Text(crossing.receiver))
                         .Add("terms", Node::FromMessage(crossing.terms))
                         .Add("altered", Node::Bool(crossing.altered)));
  }

  const EventFile& file_;
  const Judgement& judged_;
  const attestation::FileKeys& keys_;
  const std::optional<Producer>& producer_;
};

absl::StatusOr<int> Verify(const VerifyFlags& flags, Invocation& run) {
  trust::TrustRegistry trusted;
  CDGATE_RETURN_IF_ERROR(ReadTrust(flags, &trusted));
  CDGATE_ASSIGN_OR_RETURN(const EventFile file, ReadEvent(flags.file, run));
  const auto snapshot = trusted.Current();
  attestation::FileKeys keys(*snapshot, absl::Now());
  for (const std::string& pem : file.attestors()) {
    const absl::Status added = keys.Add(pem);
    if (!added.ok()) return AsUsageError(base::Annotate(added, "attestors"));
  }
  const auto strict = [](absl::string_view before, absl::string_view after) {
    return policy::Classifications::BuiltIn().Stricter(before, after) == after;
  };
  const Judgement judged = attestation::Judge(file, keys, strict);
  CDGATE_ASSIGN_OR_RETURN(const auto producer, JudgeProducer(file, flags.producer_keys));
  const Report report(file, judged, keys, producer);
  run.Print(report.ToNode(), [&] { report.Print(run.out()); });
  return report.proven() ? kExitDone : kExitNo;
}

}  // namespace

void AddVerifyVerb(Verbs& verbs) {
  const auto flags = std::make_shared<VerifyFlags>();
  CLI::App* const verify = verbs.AddVerb(
      nullptr, "verify", "Say what an event file proves, without a gateway",
      "cdgate get 271069a8-fc18-44f1-b38f-9d70a1695819 --proof > event.json\n"
      "cdgate verify event.json --bundle alpha.example=alpha.pem --bundle beta.example=beta.pem",
      Verbs::kPrints, [flags](Invocation& run) { return Verify(*flags, run); });
  verify->add_option("FILE", flags->file, "What cdgate get --proof wrote; - for standard input")
      ->required();
  verify
      ->add_option("--bundle", flags->bundles,
                   "Roots of a domain whose statements count, PEM or SPIFFE; may be repeated")
      ->option_text("DOMAIN=FILE");
  verify
      ->add_option("--crl", flags->crls,
                   "Revocation list of a domain: what a revoked key signed, ever, counts for "
                   "nothing; may be repeated")
      ->option_text("DOMAIN=FILE");
  verify
      ->add_option("--producer-key", flags->producer_keys,
                   "Public key of the producer, PEM: its own signature (dssematerial) must be by "
                   "one of these, too; may be repeated")
      ->option_text("FILE");
}

}  // namespace cdgate::cli
