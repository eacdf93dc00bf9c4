// Trust bundles as files: PEM, and the documents that SPIFFE exchanges.
#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/ca/folder.h"
#include "auth/trust/bundle_document.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/encoding.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using trust::BundleDocument;

struct ConvertFlags {
  std::string path;
  std::string format;
  std::optional<uint64_t> sequence;
  std::string refresh_hint;
};

// A file in either form, or the folder of a CA, which counts the versions of its bundle.
absl::StatusOr<BundleDocument> ReadBundle(const std::string& path) {
  const std::string in_folder = base::JoinPath(path, "bundle.pem");
  const bool is_folder = base::FileExists(in_folder);
  CDGATE_ASSIGN_OR_RETURN(const std::string text,
                          base::ReadFile(is_folder ? in_folder : path, BundleDocument::kMaxBytes));
  if (trust::LooksLikeBundleDocument(text)) return BundleDocument::Parse(text);
  BundleDocument document;
  CDGATE_ASSIGN_OR_RETURN(document.roots, crypto::Certificate::ParsePemChain(text));
  if (is_folder && base::FileExists(base::JoinPath(path, "issued.jsonl"))) {
    CDGATE_ASSIGN_OR_RETURN(const ca::Register issued, ca::Folder::ReadRegister(path));
    document.sequence = issued.bundle_sequence;
  }
  return document;
}

absl::StatusOr<int> Show(const std::string& path, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const BundleDocument document, ReadBundle(path));
  std::string digest;
  if (!document.roots.empty()) {
    CDGATE_ASSIGN_OR_RETURN(digest, trust::BundleDigest(crypto::ToPem(document.roots)));
  }
  Node roots = Node::List();
  Table table({{"ROOT", Table::kShrinks}, {"KEY"}, {"EXPIRES"}, {"SERIAL"}});
  for (const crypto::Certificate& root : document.roots) {
    roots.Append(
        std::move(Node::Object()
                      .Add("subject", Node::Text(root.subject()))
                      .Add("spiffe_id", Node::Text(absl::StrJoin(root.uri_names(), ", ")))
                      .Add("serial", Node::Text(root.serial()))
                      .Add("key", Node::Text(root.key_description()))
                      .Add("not_after", Node::Text(TimeText(root.not_after())))
                      .Add("sha256", Node::Text(base::Fingerprint(root.FingerprintSha256())))));
    table.AddRow(
        {root.subject(), root.key_description(), TimeText(root.not_after()), root.serial()});
  }
  Node node = Node::Object();
  node.Add("sha256", Node::Text(base::Fingerprint(digest)));
  if (document.sequence.has_value()) node.Add("sequence", Node::Number(*document.sequence));
  if (document.refresh_hint.has_value()) {
    node.Add("refresh_hint_seconds", Node::Number(absl::ToInt64Seconds(*document.refresh_hint)));
  }
  node.Add("roots", std::move(roots));
  run.Print(node, [&] {
    run.out() << "sha256      " << (digest.empty() ? "-" : base::Fingerprint(digest)) << "\n";
    if (document.sequence.has_value()) run.out() << "sequence    " << *document.sequence << "\n";
    run.Print(table, "no roots: nobody of this domain is trusted");
  });
  return kExitDone;
}

absl::StatusOr<int> Convert(const ConvertFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(BundleDocument document, ReadBundle(flags.path));
  if (flags.format == "pem") {
    if (flags.sequence.has_value() || !flags.refresh_hint.empty()) {
      return UsageError("PEM has no place for --sequence and --refresh-hint");
    }
    run.out() << crypto::ToPem(document.roots);
    return kExitDone;
  }
  if (flags.sequence.has_value()) document.sequence = flags.sequence;
  if (!flags.refresh_hint.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const absl::Duration hint,
                            ParseDurationFlag("--refresh-hint", flags.refresh_hint));
    document.refresh_hint = hint;
  }
  CDGATE_ASSIGN_OR_RETURN(const std::string json, document.ToJson());
  run.out() << json;
  return kExitDone;
}

}  // namespace

void AddBundleVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("bundle", "Trust bundles as PEM and SPIFFE documents");
  const auto path = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "show", "Show the roots of a bundle, and its fingerprint",
               "cdgate bundle show ca\ncdgate bundle show beta.bundle.json -o json", Verbs::kPrints,
               [path](Invocation& run) { return Show(*path, run); })
      ->add_option("PATH", *path, "PEM file, SPIFFE bundle document, or folder of a CA")
      ->required();
  const auto flags = std::make_shared<ConvertFlags>();
  CLI::App* const convert =
      verbs.AddVerb(group, "convert", "Write a bundle in the other form to standard output",
                    "cdgate bundle convert ca -o spiffe --refresh-hint 1h > alpha.bundle.json\n"
                    "cdgate bundle convert beta.bundle.json -o pem > beta.pem",
                    Verbs::kNone, [flags](Invocation& run) { return Convert(*flags, run); });
  convert->add_option("PATH", flags->path, "PEM file, SPIFFE bundle document, or folder of a CA")
      ->required();
  convert->add_option("-o,--output", flags->format, "pem or spiffe")
      ->check(CLI::IsMember({"pem", "spiffe"}))
      ->option_text("FORMAT")
      ->required();
  convert
      ->add_option("--sequence", flags->sequence,
                   "spiffe_sequence; that of the document or CA unless given")
      ->option_text("N");
  convert
      ->add_option("--refresh-hint", flags->refresh_hint,
                   "spiffe_refresh_hint: how often others should look for a new one")
      ->option_text("DURATION");
}

}  // namespace cdgate::cli
