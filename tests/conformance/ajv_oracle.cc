#include "tests/conformance/ajv_oracle.h"

#include <fcntl.h>
#include <simdjson.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

extern char** environ;

namespace cdgate::test {
namespace {

constexpr char kPrograms[] = "tests/conformance/ajv";  // tests run in the repository's root

// Where a process reads and writes: files, so that neither side can wait for the other.
struct Streams {
  std::string in = "/dev/null", out = "/dev/null", err = "/dev/null";
};

// Runs `argv` to its end. Unavailable where the program is not installed.
absl::Status Run(std::vector<std::string> argv, const Streams& streams) {
  std::vector<char*> arguments;
  for (std::string& argument : argv) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, streams.in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, streams.out.c_str(), kWrite, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, streams.err.c_str(), kWrite, 0600);
  pid_t pid;
  const int error =
      posix_spawnp(&pid, argv[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return absl::UnavailableError(absl::StrCat(argv[0], " is not installed"));
  if (error != 0) return absl::InternalError(absl::StrCat(argv[0], ": ", strerror(error)));
  int status;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return absl::InternalError(strerror(errno));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  const auto said = base::ReadFile(streams.err);
  return absl::InternalError(
      absl::StrCat(argv[0], " ended with ", status, ": ", said.ok() ? *said : ""));
}

// Held by one process at a time, until it is closed.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : fd_(open(base::JoinPath(folder, "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    while (flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~FolderLock() { close(fd_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  const int fd_;
};

// Copies what differs, in one step each: another test may be running the programs.
absl::Status CopyPrograms(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(kPrograms)) {
    if (!entry.is_regular_file()) continue;
    const std::string copy = base::JoinPath(folder, entry.path().filename().string());
    CDGATE_ASSIGN_OR_RETURN(const std::string wanted, base::ReadFile(entry.path()));
    const auto there = base::ReadFile(copy);
    if (there.ok() && *there == wanted) continue;
    CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(copy, wanted));
  }
  return absl::OkStatus();
}

// The copy of the programs, with what they need.
absl::StatusOr<std::string> Installed() {
  const std::string folder = CDGATE_AJV_FOLDER;
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(folder));
  const FolderLock lock(folder);
  CDGATE_RETURN_IF_ERROR(CopyPrograms(folder));
  const std::string stamp = base::JoinPath(folder, "installed");
  CDGATE_ASSIGN_OR_RETURN(const std::string wanted,
                          base::ReadFile(base::JoinPath(folder, "package-lock.json")));
  const auto there = base::ReadFile(stamp);
  if (there.ok() && *there == wanted) return folder;
  const Streams streams{.err = base::JoinPath(folder, "npm.log")};
  const absl::Status installed = Run(
      {"npm", "ci", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts"}, streams);
  if (!installed.ok()) return absl::UnavailableError(installed.message());
  CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(stamp, wanted));
  return folder;
}

// What the program writes, as lines; as many as `count`.
absl::StatusOr<std::vector<std::string>> Ask(const std::string& program,
                                             const std::vector<std::string>& arguments,
                                             const std::string& questions, size_t count) {
  CDGATE_ASSIGN_OR_RETURN(const std::string folder, Installed());
  const TempDir work;
  const Streams streams{work.File("in"), work.File("out"), work.File("err")};
  CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(streams.in, questions));
  std::vector<std::string> argv = {"node", base::JoinPath(folder, program)};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  CDGATE_RETURN_IF_ERROR(Run(argv, streams));
  CDGATE_ASSIGN_OR_RETURN(const std::string out, base::ReadFile(streams.out, 1 << 30));
  std::vector<std::string> lines = absl::StrSplit(out, '\n', absl::SkipEmpty());
  if (lines.size() == count) return lines;
  return absl::InternalError(
      absl::StrCat(program, " gave ", lines.size(), " answers to ", count, " questions"));
}

std::string JsonString(const std::string& text) {
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", byte);
    } else {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
    }
  }
  return json + "\"";
}

// A line with one object: names and values in turn, empty values left out but the last.
std::string QuestionLine(std::initializer_list<std::string> members) {
  std::string line = "{";
  for (auto at = members.begin(); at != members.end(); at += 2) {
    const bool last = at + 2 == members.end();
    if (!last && at[1].empty()) continue;
    absl::StrAppend(&line, JsonString(at[0]), ":", JsonString(at[1]), last ? "}\n" : ",");
  }
  return line;
}

absl::StatusOr<OracleVerdict> ReadVerdict(simdjson::dom::parser* parser, const std::string& line) {
  OracleVerdict verdict;
  simdjson::dom::element root;
  simdjson::dom::array faults;
  if (parser->parse(line).get(root) != 0 || root["valid"].get(verdict.valid) != 0 ||
      root["faults"].get(faults) != 0) {
    return absl::InternalError(absl::StrCat("this is no verdict: ", line));
  }
  for (const simdjson::dom::element fault : faults) {
    std::string_view path, keyword;
    if (fault["path"].get(path) != 0 || fault["keyword"].get(keyword) != 0) {
      return absl::InternalError(absl::StrCat("this is no fault: ", line));
    }
    verdict.faults.push_back({std::string(path), std::string(keyword)});
  }
  return verdict;
}

}  // namespace

absl::StatusOr<std::vector<OracleVerdict>> AskAjv(absl::Span<const OracleQuestion> questions) {
  const std::string schemas = TestData("cdevents");
  if (schemas.empty()) return absl::UnavailableError("no test data: set CDGATE_TEST_DATA");
  std::string in;
  for (const auto& q : questions) {
    in += QuestionLine({"release", q.release, "schema", q.schema, "text", q.text});
  }
  CDGATE_ASSIGN_OR_RETURN(const auto lines, Ask("oracle.mjs", {schemas}, in, questions.size()));
  std::vector<OracleVerdict> verdicts;
  simdjson::dom::parser parser;
  for (const std::string& line : lines) {
    CDGATE_ASSIGN_OR_RETURN(OracleVerdict verdict, ReadVerdict(&parser, line));
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

absl::StatusOr<std::vector<bool>> AskAjvFormats(absl::Span<const FormatQuestion> questions) {
  std::string in;
  for (const auto& q : questions) in += QuestionLine({"format", q.format, "text", q.text});
  CDGATE_ASSIGN_OR_RETURN(const auto lines, Ask("formats.mjs", {}, in, questions.size()));
  std::vector<bool> verdicts;
  for (const std::string& line : lines) verdicts.push_back(line == "true");
  return verdicts;
}

}  // namespace cdgate::test
