// Dead letters of peers: what could not be sent to them or imported from them.
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
using admin::v1::Direction;
using admin::v1::PeerDeadLetterKey;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;
constexpr int kKeysAtOnce = 1000;

// "export/1204/0": what people copy from the list.
std::string KeyText(const PeerDeadLetterKey& key) {
  const bool exported = key.direction() == admin::v1::DIRECTION_EXPORT;
  return absl::StrCat(exported ? "export" : "import", "/", key.commit(), "/", key.index());
}

absl::StatusOr<PeerDeadLetterKey> ParseKey(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  PeerDeadLetterKey key;
  uint64_t commit = 0;
  uint32_t index = 0;
  const bool known = parts.size() == 3 && (parts[0] == "export" || parts[0] == "import") &&
                     absl::SimpleAtoi(parts[1], &commit) && absl::SimpleAtoi(parts[2], &index);
  if (!known) {
    return UsageError(absl::StrCat(base::Shorten(text),
                                   " is no dead letter; write it as cdgate "
                                   "peer dead-letters shows it, export/1204/0"));
  }
  key.set_direction(parts[0] == "export" ? admin::v1::DIRECTION_EXPORT
                                         : admin::v1::DIRECTION_IMPORT);
  key.set_commit(commit);
  key.set_index(index);
  return key;
}

absl::StatusOr<std::vector<admin::v1::PeerDeadLetter>> ListAll(const std::string& peer,
                                                               Invocation& run) {
  std::vector<admin::v1::PeerDeadLetter> all;
  for (const Direction direction : {admin::v1::DIRECTION_EXPORT, admin::v1::DIRECTION_IMPORT}) {
    admin::v1::ListPeerDeadLettersRequest request;
    request.set_peer(peer);
    request.set_direction(direction);
    do {
      CDGATE_ASSIGN_OR_RETURN(const auto page, run.Admin(&Admin::ListPeerDeadLetters, request));
      all.insert(all.end(), page.dead_letters().begin(), page.dead_letters().end());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
  }
  return all;
}

absl::StatusOr<int> List(const std::string& peer, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto all, ListAll(peer, run));
  admin::v1::ListPeerDeadLettersResponse answer;
  for (const auto& letter : all) *answer.add_dead_letters() = letter;
  run.Print(answer, [&] {
    Table table({{"KEY"},
                 {"SINCE"},
                 {"REASON"},
                 {"TYPE", Table::kShrinks},
                 {"ID", Table::kShrinks},
                 {"REDRIVE"}});
    for (const admin::v1::PeerDeadLetter& letter : all) {
      const admin::v1::EventSummary& event = letter.event();
      const std::string id =
          event.id().empty() ? absl::StrCat("sequence ", event.sequence()) : event.id();
      table.AddRow({KeyText(letter.key()), TimeText(ToTime(letter.create_time())), letter.reason(),
                    event.type(), id, letter.redrivable() ? "yes" : "gone"});
    }
    run.Print(table, absl::StrCat("no dead letters of ", peer));
  });
  return kExitDone;
}

struct KeyFlags {
  std::string peer;
  std::vector<std::string> keys;
  bool all = false;
};

absl::StatusOr<std::vector<PeerDeadLetterKey>> KeysOf(const KeyFlags& flags, Invocation& run) {
  std::vector<PeerDeadLetterKey> keys;
  if (flags.all != flags.keys.empty()) return UsageError("name dead letters, or say --all");
  if (flags.all) {
    CDGATE_ASSIGN_OR_RETURN(const auto letters, ListAll(flags.peer, run));
    for (const auto& letter : letters) keys.push_back(letter.key());
  }
  for (const std::string& text : flags.keys) {
    CDGATE_ASSIGN_OR_RETURN(keys.emplace_back(), ParseKey(text));
  }
  return keys;
}

void PrintResult(const PeerDeadLetterKey& key, const admin::v1::RedriveResult& result,
                 std::ostream& out) {
  out << KeyText(key) << ": " << result.state();
  if (!result.reason().empty()) out << " (" << result.reason() << ")";
  if (result.sequence() != 0) out << " as sequence " << result.sequence();
  out << "\n";
}

// Requests for all of the keys, of kKeysAtOnce each.
template <typename Request, typename Keys>
std::vector<Request> InParts(const std::string& peer, const Keys& keys) {
  std::vector<Request> out;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i % kKeysAtOnce == 0) out.emplace_back().set_peer(peer);
    *out.back().add_keys() = keys[i];
  }
  return out;
}

absl::StatusOr<int> Redrive(const KeyFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto keys, KeysOf(flags, run));
  admin::v1::RedrivePeerDeadLettersResponse all;
  for (const auto& request : InParts<admin::v1::RedrivePeerDeadLettersRequest>(flags.peer, keys)) {
    CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::RedrivePeerDeadLetters, request));
    all.MergeFrom(answer);
  }
  bool kept = false;
  for (const auto& result : all.results()) kept = kept || result.state() == "kept";
  run.Print(all, [&] {
    for (int i = 0; i < all.results_size(); ++i) {
      PrintResult(keys[static_cast<size_t>(i)], all.results(i), run.out());
    }
    if (keys.empty()) run.Note(absl::StrCat("no dead letters of ", flags.peer));
  });
  return kept ? kExitNo : kExitDone;
}

absl::StatusOr<int> Drop(const KeyFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto keys, KeysOf(flags, run));
  admin::v1::DropPeerDeadLettersResponse all;
  for (const auto& request : InParts<admin::v1::DropPeerDeadLettersRequest>(flags.peer, keys)) {
    CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::DropPeerDeadLetters, request));
    all.set_dropped(all.dropped() + answer.dropped());
  }
  run.Print(all, [&] { run.out() << "dropped " << Count(all.dropped(), "dead letter") << "\n"; });
  return kExitDone;
}

void AddKeyVerb(Verbs& verbs, CLI::App* group, const std::string& name,
                const std::string& description,
                absl::StatusOr<int> (*action)(const KeyFlags&, Invocation&)) {
  const auto flags = std::make_shared<KeyFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, name, description, absl::StrCat("cdgate peer ", name, " beta.example export/1204/0"),
      kBoth, [flags, action](Invocation& run) { return action(*flags, run); });
  verb->add_option("DOMAIN", flags->peer, "The peer")->required();
  verb->add_option("KEY", flags->keys, "Dead letters as cdgate peer dead-letters shows them");
  verb->add_flag("--all", flags->all, "All of the peer's");
}

}  // namespace

void AddDeadLetterVerbs(Verbs& verbs, CLI::App* group) {
  const auto peer = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "dead-letters", "List what could not be sent to a peer or imported from it",
               "cdgate peer dead-letters beta.example", kBoth,
               [peer](Invocation& run) { return List(*peer, run); })
      ->add_option("DOMAIN", *peer, "The peer")
      ->required();
  AddKeyVerb(verbs, group, "redrive", "Try dead letters again, by the policy in force", Redrive);
  AddKeyVerb(verbs, group, "drop", "Forget dead letters; the ledger keeps what became of them",
             Drop);
}

}  // namespace cdgate::cli
