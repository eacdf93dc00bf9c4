// Completion scripts for shells, written from the verbs that this program has.
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

// What may follow the words "peer", "peer invite", …
struct Place {
  std::string path;  // verbs so far, with a space between; empty: none
  struct Word {
    std::string text;
    std::string description;
  };
  std::vector<Word> words;  // verbs and long flags
};

void Collect(const CLI::App& app, const std::string& path, std::vector<Place>* places) {
  Place place{path, {}};
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    place.words.push_back({verb->get_name(), verb->get_description()});
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      place.words.push_back({absl::StrCat("--", name), option->get_description()});
    }
  }
  places->push_back(std::move(place));
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    Collect(*verb, path.empty() ? verb->get_name() : absl::StrCat(path, " ", verb->get_name()),
            places);
  }
}

std::string Words(const Place& place) {
  return absl::StrJoin(place.words, " ", [](std::string* out, const Place::Word& word) {
    absl::StrAppend(out, word.text);
  });
}

// The branches that tell a path's words, of a `case` in any Bourne shell.
std::string Branches(const std::vector<Place>& places) {
  std::string text;
  for (const Place& place : places) {
    absl::StrAppend(&text, "    '", place.path, "') words='", Words(place), "' ;;\n");
  }
  return text;
}

// The paths themselves, as a pattern of a `case`.
std::string Paths(const std::vector<Place>& places) {
  std::vector<std::string> paths;
  for (const Place& place : places) {
    if (!place.path.empty()) paths.push_back(absl::StrCat("'", place.path, "'"));
  }
  return absl::StrJoin(paths, " | ");
}

std::string Bash(const std::vector<Place>& places) {
  return absl::StrCat(
      "# bash completion of cdgate: source it, or put it into\n"
      "# ~/.local/share/bash-completion/completions/cdgate\n"
      "_cdgate() {\n"
      "  local path='' next words='' i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    next=\"${path:+$path }${COMP_WORDS[i]}\"\n"
      "    case $next in\n    ",
      Paths(places),
      ") path=$next ;;\n"
      "    esac\n"
      "  done\n"
      "  case $path in\n",
      Branches(places),
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
      "}\n"
      "complete -o default -F _cdgate cdgate\n");
}

std::string Zsh(const std::vector<Place>& places) {
  return absl::StrCat(
      "#compdef cdgate\n"
      "# zsh completion of cdgate: put it as _cdgate into a folder of $fpath\n"
      "_cdgate() {\n"
      "  local path_='' next all i\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    next=\"${path_:+$path_ }${words[i]}\"\n"
      "    case $next in\n    ",
      Paths(places),
      ") path_=$next ;;\n"
      "    esac\n"
      "  done\n"
      "  case $path_ in\n",
      absl::StrReplaceAll(Branches(places), {{"words=", "all="}}),
      "  esac\n"
      "  compadd -- ${=all}\n"
      "  _files\n"
      "}\n"
      "compdef _cdgate cdgate\n");
}

std::string FishQuoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

std::string Fish(const std::vector<Place>& places) {
  std::string text =
      "# fish completion of cdgate: put it into ~/.config/fish/completions/cdgate.fish\n"
      "function __cdgate_at\n"
      "  set -l path\n"
      "  for word in (commandline -opc)[2..]\n"
      "    switch (string join ' ' $path $word)\n"
      "      case ";
  absl::StrAppend(&text, absl::StrReplaceAll(Paths(places), {{" | ", " "}}),
                  "\n"
                  "        set -a path $word\n"
                  "    end\n"
                  "  end\n"
                  "  test \"$path\" = \"$argv[1]\"\n"
                  "end\n");
  for (const Place& place : places) {
    for (const Place::Word& word : place.words) {
      absl::StrAppend(&text, "complete -c cdgate -n \"__cdgate_at '", place.path, "'\" -a ",
                      FishQuoted(word.text), " -d ", FishQuoted(word.description), "\n");
    }
  }
  return text;
}

}  // namespace

void AddCompletionVerb(Verbs& verbs) {
  const auto shell = std::make_shared<std::string>();
  verbs
      .AddVerb(nullptr, "completion", "Print a completion script for a shell",
               "source <(cdgate completion bash)", Verbs::kNone,
               [shell, &app = verbs.app()](Invocation& run) -> absl::StatusOr<int> {
                 std::vector<Place> places;
                 Collect(app, "", &places);
                 run.out() << (*shell == "bash"  ? Bash(places)
                               : *shell == "zsh" ? Zsh(places)
                                                 : Fish(places));
                 return kExitDone;
               })
      ->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

}  // namespace cdgate::cli
