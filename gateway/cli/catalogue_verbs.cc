// What domains offer to each other.
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cdgate/admin/v1/catalogue.grpc.pb.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using admin::v1::CatalogueEntry;
using Catalogues = admin::v1::CatalogueService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

struct Flags {
  std::string peer, type, source;
};

std::string OrAny(const std::string& text) { return text.empty() ? "(any)" : text; }

std::string GivenText(const CatalogueEntry& entry) {
  return entry.has_last_given() ? DayText(absl::FromUnixSeconds(entry.last_given().seconds())) : "";
}

absl::StatusOr<int> OfOurs(Invocation& run) {
  admin::v1::ListOffersResponse all;
  admin::v1::ListOffersRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(const auto page, run.Call(&Catalogues::ListOffers, request));
    all.mutable_offers()->MergeFrom(page.offers());
    // Each page names those it looked at.
    for (const std::string& peer : page.truncated_peers()) {
      const auto& named = all.truncated_peers();
      if (std::find(named.begin(), named.end(), peer) == named.end()) all.add_truncated_peers(peer);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    Table table({{"PEER"},
                 {"TYPE", Table::kShrinks},
                 {"SOURCE", Table::kShrinks},
                 {"PLANE"},
                 {"LAST GIVEN"},
                 {"RULE", Table::kShrinks}});
    for (const CatalogueEntry& entry : all.offers()) {
      table.AddRow({entry.peer(), OrAny(entry.type()), OrAny(entry.source()), entry.plane(),
                    GivenText(entry), entry.rule()});
    }
    run.Print(table,
              "nothing is offered to anybody: no peer was given an event in the last 30 days, and "
              "no export rule names one");
    if (!all.truncated_peers().empty()) {
      run.Note(absl::StrCat("more kinds of events than are remembered went to ",
                            absl::StrJoin(all.truncated_peers(), ", ")));
    }
  });
  return kExitDone;
}

void PrintNothing(const Flags& flags, bool asked, Invocation& run) {
  if (!asked) {
    run.out() << flags.peer << " offers nothing\n";
    return;
  }
  // Which of both it is cannot be told, and must not be.
  run.out() << flags.peer << " does not offer it: there is no such thing, or it is not for us\n";
  run.Note(absl::StrCat("next: cdgate access request ", flags.peer,
                        " --type TYPE --reason TEXT asks for it"));
}

absl::StatusOr<int> OfPeer(const Flags& flags, Invocation& run) {
  admin::v1::GetPeerCatalogueRequest request;
  request.set_peer(flags.peer);
  request.set_type(flags.type);
  request.set_source(flags.source);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Call(&Catalogues::GetPeerCatalogue, request));
  const bool asked = !flags.type.empty() || !flags.source.empty();
  run.Print(answer, [&] {
    if (!answer.has_receive_time()) {
      run.out() << flags.peer << " has not told what it offers since this gateway started\n";
      run.Note("next: cdgate peer show " + flags.peer +
               " says whether the link is up; a gateway of an older release never tells");
      return;
    }
    if (answer.offers().empty()) return PrintNothing(flags, asked, run);
    Table table(
        {{"TYPE", Table::kShrinks}, {"SOURCE", Table::kShrinks}, {"PLANE"}, {"LAST GIVEN"}});
    for (const CatalogueEntry& entry : answer.offers()) {
      table.AddRow({OrAny(entry.type()), OrAny(entry.source()), entry.plane(), GivenText(entry)});
    }
    run.Print(table, "");
    run.Note(absl::StrCat(flags.peer, " told so at ", TimeText(true, answer.receive_time())));
    if (answer.truncated()) run.Note(absl::StrCat(flags.peer, " offers more than it could tell"));
  });
  if (!answer.has_receive_time()) return kExitNo;
  return asked && answer.offers().empty() ? kExitNo : kExitDone;
}

}  // namespace

void AddCatalogueVerb(Verbs& verbs) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* const verb = verbs.AddVerb(
      nullptr, "catalogue", "List what we offer to peers, or what one of them offers us",
      "cdgate catalogue\n"
      "cdgate catalogue beta.example\n"
      "cdgate catalogue beta.example --type dev.cdevents.build.finished.0.2.0",
      kBoth,
      [flags](Invocation& run) { return flags->peer.empty() ? OfOurs(run) : OfPeer(*flags, run); });
  const auto peer =
      verb->add_option("PEER", flags->peer, "The peer; without it what we offer, to all of them");
  verb->add_option("--type", flags->type, "Only what this type may be offered as; exit 1: nothing")
      ->needs(peer)
      ->option_text("TYPE");
  verb->add_option("--source", flags->source, "The same of a source")
      ->needs(peer)
      ->option_text("SOURCE");
}

}  // namespace cdgate::cli
