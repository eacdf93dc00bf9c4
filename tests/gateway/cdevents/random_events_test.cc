// What holds for every valid event, of 20,000 random ones (tests/support/random_event.h).
#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/cdevents/typed.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/bridge.h"
#include "gateway/event/digests.h"
#include "gateway/event/json_parser.h"
#include "gateway/event/valid_event.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/conformance/ajv_oracle.h"
#include "tests/support/random.h"
#include "tests/support/random_event.h"
#include "tests/support/random_json.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cdevents {
namespace {

using test::JsonTree;
using test::Random;
using test::RandomEvent;

constexpr uint64_t kSeed = 20260102;
constexpr uint64_t kEvents = 20'000;
constexpr uint64_t kAskedOfAjv = 5'000;

std::string AsJson(const std::string& json) {
  const auto digest = event::CanonicalJsonDigest(json);
  CDGATE_EXPECT_OK(digest) << json;
  return digest.value_or(json);
}

class RandomEventsTest : public testing::Test {
 protected:
  // Until the first that fails.
  template <typename Check>
  void ForEach(Check check) {
    for (uint64_t i = 0; i < kEvents && !HasFailure(); ++i) {
      const RandomEvent event = events_.Make(i);
      check(event);
      if (HasFailure()) std::printf("number %ju: %s\n", uintmax_t{i}, event.json.c_str());
    }
  }

  const test::RandomEvents events_{kSeed};
};

TEST_F(RandomEventsTest, AreWhatTheyAreSaidToBe) {
  std::set<std::string> ids;
  std::set<const Form*> forms;
  size_t smallest = 1 << 30, largest = 0, bytes = 0;
  ForEach([&](const RandomEvent& event) {
    ids.insert(event.id);
    forms.insert(event.form);
    smallest = std::min(smallest, event.json.size());
    largest = std::max(largest, event.json.size());
    bytes += event.json.size();
    EXPECT_EQ(events_.IndexOf(event.id), ids.size() - 1);
  });
  EXPECT_EQ(events_.Make(17).json, events_.Make(17).json);
  EXPECT_EQ(ids.size(), kEvents);
  size_t all = 0;
  for (const Type* const type : Catalogue::Get().types()) {
    all += type->forms.size() - std::count(type->forms.begin(), type->forms.end(), nullptr);
  }
  EXPECT_EQ(forms.size(), all + 3);
  EXPECT_GE(smallest, test::kMinRandomEventBytes);
  EXPECT_LE(largest, test::kMaxRandomEventBytes);
  EXPECT_GT(largest, test::kMaxRandomEventBytes / 2);
  std::printf("seed %ju: %zu events of %zu forms, %zu to %zu bytes, %zu on average\n",
              uintmax_t{kSeed}, ids.size(), forms.size(), smallest, largest, bytes / ids.size());
}

TEST_F(RandomEventsTest, AreValidAndAdmittedVerbatim) {
  event::Admitter admitter;
  event::JsonParser parser;
  ForEach([&](const RandomEvent& event) {
    CDGATE_ASSERT_OK(parser.ParseIJson(event.json));
    Envelope envelope;
    EXPECT_EQ(Judge(parser.document(), &envelope), Verdict::kValid);
    EXPECT_EQ(envelope.form, event.form);
    const Faults faults = FindFaults(parser.document());
    EXPECT_TRUE(faults.list.empty()) << ToText(faults.list.front());
    io::cloudevents::v1::CloudEvent cloud_event;
    cloud_event.set_id(event.id);
    cloud_event.set_source(event.source);
    cloud_event.set_spec_version("1.0");
    cloud_event.set_type(event.type);
    cloud_event.set_binary_data(event.json);
    const auto admitted = admitter.Admit(cloud_event.SerializeAsString());
    CDGATE_ASSERT_OK(admitted);
    EXPECT_EQ(admitted->data(), event.json);
    EXPECT_EQ(admitted->id(), event.id);
  });
}

std::unique_ptr<google::protobuf::Message> NewMessage(const Form& form) {
  auto* const factory = google::protobuf::MessageFactory::generated_factory();
  return std::unique_ptr<google::protobuf::Message>(factory->GetPrototype(form.message)->New());
}

TEST_F(RandomEventsTest, ComeBackEqualFromTheTypedForm) {
  TypedReader reader;
  ForEach([&](const RandomEvent& event) {
    const auto read = NewMessage(*event.form), again = NewMessage(*event.form);
    CDGATE_ASSERT_OK(reader.Read(event.json, *event.form, read.get()));
    ASSERT_TRUE(again->ParseFromString(read->SerializeAsString()));
    const auto family = FamilyOf(*again);
    CDGATE_ASSERT_OK(family);
    EXPECT_EQ(*family, event.form->family);
    const auto written = WriteJson(*again, *family);
    CDGATE_ASSERT_OK(written);
    EXPECT_EQ(AsJson(*written), AsJson(event.json)) << *written;
  });
}

// What a conversion there and back cannot keep: which release of its family the event
// declared, the subject.type that one type may have where no other has one, and that of a
// custom event where it is not what its type says.
JsonTree WithoutWhatIsLost(JsonTree event, Family family) {
  const bool older = family < Family::k05;
  JsonTree* const context = event.Find("context");
  context->Set(older ? "version" : "specversion", JsonTree::Text(ReleaseOf(family)));
  if (!older) event.Find("subject")->Remove("type");
  const absl::string_view subject = CustomSubjectOf(context->Find("type")->text);
  if (older && !subject.empty()) event.Find("subject")->Set("type", JsonTree::Text(subject));
  return event;
}

TEST_F(RandomEventsTest, ComeBackEqualFromTheOtherRelease) {
  event::Bridge bridge;
  size_t there = 0, back = 0;
  ForEach([&](const RandomEvent& event) {
    const Family from = event.form->family;
    const Family to = from == Family::k05 ? Family::k041 : Family::k05;
    const auto converted = bridge.Convert(event.json, to);
    if (!converted.ok()) {
      EXPECT_THAT(converted, test::HasReason(base::Reason::kNotConvertible));
      return;
    }
    ASSERT_TRUE(converted->has_value());
    ++there;
    if (from != Family::k041 && from != Family::k05) return;  // nothing leads back there
    const auto returned = bridge.Convert((*converted)->json, from);
    CDGATE_ASSERT_OK(returned);
    ++back;
    EXPECT_EQ(AsJson((*returned)->json), AsJson(WithoutWhatIsLost(event.tree, from).ToText()))
        << (*returned)->json;
  });
  std::printf("%zu converted, %zu of them back\n", there, back);
  EXPECT_GT(there, kEvents / 2);
  EXPECT_GT(back, kEvents / 4);
}

// All objects of the tree that have a member.
void Collect(JsonTree* tree, std::vector<JsonTree*>* objects) {
  if (!tree->members.empty()) objects->push_back(tree);
  for (auto& [name, value] : tree->members) Collect(&value, objects);
  for (JsonTree& item : tree->items) Collect(&item, objects);
}

TEST_F(RandomEventsTest, AreAmbiguousWithAMemberTwice) {
  event::Admitter admitter;
  Random random(kSeed);
  ForEach([&](const RandomEvent& event) {
    JsonTree tree = event.tree;
    std::vector<JsonTree*> objects;
    Collect(&tree, &objects);
    auto& members = objects[random.Below(objects.size())]->members;
    auto twice = members[random.Below(members.size())];
    if (random.OneIn(2)) twice.second = test::RandomJson(random, 1);
    members.insert(members.begin() + random.Below(members.size() + 1), std::move(twice));
    const std::string json = test::PrintJson(tree, random);
    EXPECT_THAT(admitter.AdmitCdEventJson(json), test::HasReason(base::Reason::kAmbiguousJson))
        << json;
  });
}

// ajv has schemas of five families, and of each type those of its own release.
std::string SchemasOf(const Form& form) {
  const absl::string_view release = ReleaseOf(form.family);
  return form.family == Family::k06 ? std::string(release) : absl::StrCat("v", release);
}

TEST_F(RandomEventsTest, AreValidForAjv) {
  std::vector<test::OracleQuestion> questions;
  for (uint64_t i = 0; i < kAskedOfAjv; ++i) {
    const RandomEvent event = events_.Make(i);
    questions.push_back({SchemasOf(*event.form), "", event.json});
  }
  const auto verdicts = test::AskAjv(questions);
  if (absl::IsUnavailable(verdicts.status())) {
    GTEST_SKIP() << "not compared with ajv: " << verdicts.status().message();
  }
  CDGATE_ASSERT_OK(verdicts);
  for (size_t i = 0; i < verdicts->size(); ++i) {
    const test::OracleVerdict& verdict = (*verdicts)[i];
    EXPECT_TRUE(verdict.valid) << verdict.faults.front().path << " "
                               << verdict.faults.front().keyword << "\n"
                               << questions[i].text;
  }
}

}  // namespace
}  // namespace cdgate::cdevents
