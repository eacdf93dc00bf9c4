// Runs every case of the CESQL conformance kit through the built command line: one
// `cdgate filter eval` each, with the event as a CloudEvent on standard input.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/gateway/filter/tck.h"
#include "tests/support/temp_dir.h"

extern char** environ;

namespace cdgate::filter {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

// A scalar of the kit as JSON.
std::string JsonOf(const YAML::Node& node) {
  int32_t integer = 0;
  bool boolean = false;
  if (test::IsPlain(node) && YAML::convert<int32_t>::decode(node, integer)) {
    return absl::StrCat(integer);
  }
  if (test::IsPlain(node) && YAML::convert<bool>::decode(node, boolean)) {
    return boolean ? "true" : "false";
  }
  return Quoted(node.Scalar());
}

// The event of a case, or any with its overrides.
std::string EventOf(const YAML::Node& test) {
  std::map<std::string, std::string> members;
  if (!test["event"]) {
    members = {{"specversion", "\"1.0\""},
               {"id", "\"event-1\""},
               {"source", "\"/alpha/ci\""},
               {"type", "\"com.example.any\""}};
  }
  for (const char* part : {"event", "eventOverrides"}) {
    if (!test[part]) continue;
    for (const auto& entry : test[part]) {
      members[entry.first.as<std::string>()] = JsonOf(entry.second);
    }
  }
  std::string out;
  for (const auto& [name, value] : members) {
    absl::StrAppend(&out, out.empty() ? "{" : ",", Quoted(name), ":", value);
  }
  return out + "}";
}

class TckCliTest : public testing::Test {
 protected:
  // What the command prints with -o json.
  std::string Evaluate(const std::string& expression, const std::string& event) {
    const std::string in = dir_.File("event.json");
    const std::string out = dir_.File("out.json");
    std::ofstream(in) << event;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    std::string arguments[] = {binary_, "filter", "eval", "-o", "json", "--", expression};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    EXPECT_EQ(posix_spawn(&pid, binary_.c_str(), &files, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&files);
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) <= 1) << status;
    std::ifstream result(out);
    return std::string((std::istreambuf_iterator<char>(result)), {});
  }

  // {"value": ..., "errors": [...]}: the value in its type; the kit names one error at the most.
  void Expect(const YAML::Node& test, const std::string& printed) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    ASSERT_EQ(parser.parse(printed).get(root), simdjson::SUCCESS) << printed;
    std::string error;
    std::string_view kind;
    if (root["errors"].at(0).get(kind) == simdjson::SUCCESS) error = std::string(kind);
    EXPECT_EQ(error, test["error"] ? test["error"].as<std::string>() : "");
    if (!test["result"]) return;
    EXPECT_EQ(simdjson::minify(root["value"].value()), JsonOf(test["result"]));
  }

  void SetUp() override {
    const char* binary = std::getenv("CDGATE_BINARY");
    ASSERT_NE(binary, nullptr) << "CDGATE_BINARY names the program";
    binary_ = binary;
  }

  std::string binary_;
  test::TempDir dir_;
};

TEST_F(TckCliTest, EveryCaseOfTheKitPasses) {
  const std::vector<test::TckCase> cases = test::TckCases();
  if (cases.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
  for (const test::TckCase& each : cases) {
    SCOPED_TRACE(each.name);
    const std::string printed =
        Evaluate(each.test["expression"].as<std::string>(), EventOf(each.test));
    Expect(each.test, printed);
  }
  EXPECT_GE(cases.size(), 200u);
  std::cout << cases.size() << " cases\n";
}

}  // namespace
}  // namespace cdgate::filter
