#include "gateway/cli/input.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>
#include <string>
#include <vector>

#include "gateway/base/file.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::cli {
namespace {

using base::Reason;
using io::cloudevents::v1::CloudEvent;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kEvent[] = R"({ "context": {"version": "0.4.1", "id": "e1", "source": "/a",
  "type": "dev.cdevents.service.published.0.2.0", "timestamp": "2026-01-02T03:04:05.25Z"},
  "subject": {"id": "s1", "type": "service", "content": {}}, "customData": {"n": 1.0} })";

class InputTest : public testing::Test {
 protected:
  // Runs ReadInputs; places and texts go to places_ and texts_.
  absl::Status Read(const std::vector<std::string>& files, const std::string& input = "") {
    const int fd = InputFd(input);
    std::ostringstream none;
    const Streams streams{fd, none, none, false, false, nullptr};
    const absl::Status status =
        ReadInputs(files, streams,
                   {.text =
                        [this](const InputText& text) {
                          places_.push_back(text.place());
                          texts_.push_back(text.json);
                          return absl::OkStatus();
                        },
                    .progress = [this](uint64_t done, uint64_t all) { done_ = done, all_ = all; }});
    close(fd);
    return status;
  }
  std::string Write(const std::string& name, const std::string& content) {
    CDGATE_EXPECT_OK(base::WriteFileAtomically(dir_.File(name), content));
    return dir_.File(name);
  }

  test::TempDir dir_;
  std::vector<std::string> places_;
  std::vector<std::string> texts_;
  uint64_t done_ = 0;
  uint64_t all_ = 0;
};

TEST_F(InputTest, ReadsFilesInOrderAndSaysWhere) {
  const std::string a = Write("a", "{}\n{\"x\":1}\n");
  const std::string b = Write("b", "{\"y\":2}");
  CDGATE_ASSERT_OK(Read({a, b}));
  EXPECT_THAT(texts_, ElementsAre("{}", "{\"x\":1}", "{\"y\":2}"));
  EXPECT_THAT(places_, ElementsAre(a, a + ":2", b));
  EXPECT_EQ(done_, all_);
  EXPECT_EQ(all_, 18u);
}

TEST_F(InputTest, StandardInputIsTheDefault) {
  CDGATE_ASSERT_OK(Read({}, "{}"));
  CDGATE_ASSERT_OK(Read({"-"}, "{}"));
  EXPECT_THAT(places_, ElementsAre("standard input", "standard input"));
}

TEST_F(InputTest, AnEmptyInputGivesOneEmptyText) {
  CDGATE_ASSERT_OK(Read({}, " \n"));
  EXPECT_THAT(texts_, ElementsAre(""));
}

TEST_F(InputTest, NothingIsReadWhereAFileIsMissing) {
  const std::string a = Write("a", "{}");
  EXPECT_THAT(Read({a, dir_.File("none")}),
              test::HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr("none")));
  EXPECT_THAT(Read({dir_.path()}), test::HasReason(Reason::kFileUnreadable));
  EXPECT_THAT(texts_, IsEmpty());
}

TEST_F(InputTest, IdleIsCalledWhereTheNextReadWouldWait) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  std::ostringstream none;
  const Streams streams{fds[0], none, none, false, false, nullptr};
  ASSERT_EQ(write(fds[1], "{}", 2), 2);
  int texts = 0;
  int idle = 0;
  CDGATE_EXPECT_OK(ReadInputs({}, streams,
                              {.text =
                                   [&](const InputText&) {
                                     ++texts;
                                     return absl::OkStatus();
                                   },
                               .idle =
                                   [&] {
                                     ++idle;
                                     EXPECT_EQ(texts, 1) << "what was there is read first";
                                     close(fds[1]);  // the end
                                     return absl::OkStatus();
                                   }}));
  EXPECT_EQ(idle, 1);
  close(fds[0]);
}

class FixedRandom final : public base::Random {
 public:
  std::string Bytes(size_t n) override { return std::string(n, '\xff'); }
  double Unit() override { return 0; }
};

TEST(NewUuidTest, IsVersionFour) {
  FixedRandom random;
  EXPECT_EQ(NewUuid(random), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

TEST(EventReaderTest, GivesABareCdEventItsEnvelope) {
  EventReader reader(false, base::SystemRandom());
  CloudEvent event;
  CDGATE_ASSERT_OK(reader.Read(kEvent, &event));
  EXPECT_EQ(event.id(), "e1");
  EXPECT_EQ(event.source(), "/a");
  EXPECT_EQ(event.type(), "dev.cdevents.service.published.0.2.0");
  EXPECT_EQ(event.attributes().at("subject").ce_string(), "s1");
  EXPECT_EQ(event.binary_data(), kEvent);
}

TEST(EventReaderTest, TakesACloudEventAsItIs) {
  EventReader reader(false, base::SystemRandom());
  CloudEvent event;
  CDGATE_ASSERT_OK(reader.Read(
      std::string(R"({"specversion":"1.0","id":"outer","data":)") + kEvent + "}", &event));
  EXPECT_EQ(event.id(), "outer");
  EXPECT_EQ(event.binary_data(), kEvent);
}

TEST(EventReaderTest, NewIdsChangeTheIdAndNothingElse) {
  FixedRandom random;
  EventReader reader(true, random);
  const std::string id = NewUuid(random);
  std::string expected = kEvent;
  expected.replace(expected.find("\"e1\""), 4, "\"" + id + "\"");
  CloudEvent event;
  CDGATE_ASSERT_OK(reader.Read(kEvent, &event));
  EXPECT_EQ(event.id(), id);
  EXPECT_EQ(event.binary_data(), expected);
  CDGATE_ASSERT_OK(reader.Read(
      std::string(R"({"specversion":"1.0","id":"outer","data":)") + kEvent + "}", &event));
  EXPECT_EQ(event.id(), id);
  EXPECT_EQ(event.binary_data(), expected);
}

TEST(EventReaderTest, FaultsHaveTheReasonsOfAdmission) {
  EventReader reader(true, base::SystemRandom());
  CloudEvent event;
  EXPECT_THAT(reader.Read("", &event), test::HasReason(Reason::kInvalidJson));
  EXPECT_THAT(reader.Read("{\"a\":1,\"a\":2}", &event), test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(reader.Read("{}", &event), test::HasReason(Reason::kInvalidEvent));
  EXPECT_THAT(reader.Read(R"({"context":{"id":5}})", &event),
              test::HasReason(Reason::kInvalidEvent));
  EXPECT_THAT(reader.Read(R"({"specversion":"1.0","data":[]})", &event),
              test::HasReason(Reason::kUnsupportedData));
}

TEST(ArgumentOrInputTest, DashReadsStandardInput) {
  const int fd = InputFd("  token\n");
  std::ostringstream none;
  const Streams streams{fd, none, none, false, false, nullptr};
  EXPECT_EQ(ArgumentOrInput("given", streams).value(), "given");
  EXPECT_EQ(ArgumentOrInput("-", streams).value(), "token");
  close(fd);
}

}  // namespace
}  // namespace cdgate::cli
