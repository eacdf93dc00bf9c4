// Random events, of which random members are removed and replaced, twice: what is left verifies,
// and nothing else does.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "federation/attestation/field_proof.h"
#include "federation/policy/json_edit.h"
#include "gateway/event/event_fields.h"
#include "gateway/event/json_parser.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/federation/attestation/attestors.h"
#include "tests/support/random.h"
#include "tests/support/random_event.h"
#include "tests/support/random_json.h"
#include "tests/support/status_matchers.h"

namespace cdgate::attestation {
namespace {

using Pointers = std::vector<std::string>;

// A copy and what it views.
struct Copy {
  std::string cloud_event;
  Pointers withheld, substituted;

  CopyView View() const {
    event::CloudEventView view;
    EXPECT_TRUE(view.Assign(cloud_event));
    CopyView out;
    out.Assign(view, withheld, substituted);
    return out;
  }
  io::cloudevents::v1::CloudEvent Parsed() const {
    io::cloudevents::v1::CloudEvent event;
    EXPECT_TRUE(event.ParseFromString(cloud_event));
    return event;
  }
};

bool IsUnder(absl::string_view pointer, absl::string_view above) {
  return absl::StartsWith(pointer, above) &&
         (pointer.size() == above.size() || pointer[above.size()] == '/');
}

bool IsUnderOne(absl::string_view pointer, absl::Span<const std::string> above) {
  return std::any_of(above.begin(), above.end(),
                     [&](const std::string& one) { return IsUnder(pointer, one); });
}

// As policies may not touch them (federation/policy/field_rules.h).
bool MayTouch(absl::string_view pointer) {
  for (const absl::string_view kept :
       {"/context/id", "/context/source", "/context/type", "/context/version",
        "/context/specversion", "/context/timestamp", "/subject/type", "/subject/id"}) {
    if (IsUnder(kept, pointer) || IsUnder(pointer, kept)) return false;
  }
  return !pointer.empty();
}

// A value of the event, or something above one.
std::string SomePointer(const Copy& copy, test::Random& random) {
  Pointers all;
  event::FieldReader reader;
  const CopyView view = copy.View();
  for (reader.Start(view.event); reader.Next();) {
    if (!reader.is_attribute()) all.emplace_back(reader.pointer());
  }
  std::string pointer = all[random.Below(all.size())];
  while (random.OneIn(3) && pointer.rfind('/') != std::string::npos) {
    pointer.resize(pointer.rfind('/'));
  }
  return pointer;
}

policy::JsonEdits SomeEdits(const Copy& copy, test::Random& random) {
  policy::JsonEdits edits;
  for (size_t n = random.From(1, 4); n > 0; --n) {
    const std::string pointer = SomePointer(copy, random);
    const auto path = filter::DataPath::Parse(pointer);
    if (!path.ok() || !MayTouch(pointer)) continue;
    if (random.OneIn(2)) {
      edits.Remove(*path);
    } else {
      edits.Replace(*path, "kind", policy::JsonEdits::Form::kText);
    }
  }
  return edits;
}

void Merge(const Copy& before, const policy::JsonEditor& editor, Copy* copy) {
  copy->withheld.assign(editor.removed().begin(), editor.removed().end());
  copy->substituted.assign(editor.replaced().begin(), editor.replaced().end());
  copy->withheld.insert(copy->withheld.end(), before.withheld.begin(), before.withheld.end());
  for (const std::string& pointer : before.substituted) {
    if (IsUnderOne(pointer, editor.removed()) || IsUnderOne(pointer, editor.replaced())) continue;
    copy->substituted.push_back(pointer);
  }
}

Copy Altered(const Copy& before, test::Random& random) {
  static int made = 0;
  io::cloudevents::v1::CloudEvent event = before.Parsed();
  const policy::JsonEdits edits = SomeEdits(before, random);
  policy::JsonEditor editor;
  const auto replacement = [](absl::string_view, absl::string_view, std::string* out) {
    absl::StrAppend(out, "pseudonym ", ++made);
  };
  EXPECT_TRUE(editor.Apply(edits, event.binary_data(), replacement));
  event.set_binary_data(editor.result());
  if (random.OneIn(2)) event.mutable_attributes()->erase("causationid");
  Copy copy;
  Merge(before, editor, &copy);
  if (random.OneIn(8) && event.attributes().contains("subject")) {
    copy.substituted.push_back("/subject/id");
    (*event.mutable_attributes())["subject"].set_ce_string(absl::StrCat("pseudonym ", ++made));
  }
  copy.cloud_event = event.SerializeAsString();
  return copy;
}

Copy Original(uint64_t i, test::Random& random) {
  static const auto* const events = new test::RandomEvents(5);
  io::cloudevents::v1::CloudEvent event;
  const test::RandomEvent made = events->Make(i);
  test::JsonTree tree = made.tree;
  tree.Set("customData", test::RandomJsonObject(random, 4));
  event.set_id(made.id);
  event.set_source(made.source);
  event.set_type(made.type);
  event.set_binary_data(test::PrintJson(tree, random));
  auto& attributes = *event.mutable_attributes();
  attributes["subject"].set_ce_string("subject");
  attributes["causationid"].set_ce_string("cause");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1);
  return {event.SerializeAsString(), {}, {}};
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// Without the values that anybody may have put there.
Fields ProvenFields(const Copy& copy) {
  Fields out;
  CopyReader reader;
  for (reader.Start(copy.View()); reader.Next();) {
    out.emplace_back(std::string(reader.name()),
                     reader.MaySubstitute() ? "" : std::string(reader.value()));
  }
  if (!reader.ok()) out.emplace_back("not JSON", "");
  return out;
}

class FieldProofPropertyTest : public testing::Test {
 protected:
  bool Verifies(const Copy& copy, const std::string& proof) {
    const auto found = prover_.Verify(copy.View(), proof);
    if (!found.ok()) {
      EXPECT_EQ(base::ReasonOf(found.status()), base::Reason::kAttestationInvalid);
    }
    return found.ok() && *found == commitment_;
  }
  void CheckTampered(const Copy& copy, const std::string& proof);

  test::Random random_{3};
  const std::string salt_ = test::FixedSeed("salt");
  event::FieldCommitter committer_;
  FieldProver prover_;
  event::JsonParser parser_;
  Digest commitment_{};
};

// One byte of the data is another: where that is an event at all, it has other fields, or it does
// not verify.
void FieldProofPropertyTest::CheckTampered(const Copy& copy, const std::string& proof) {
  const Fields fields = ProvenFields(copy);
  for (int i = 0; i < 40; ++i) {
    io::cloudevents::v1::CloudEvent event = copy.Parsed();
    std::string data = event.binary_data();
    char& byte = data[random_.Below(data.size())];
    byte = random_.OneIn(2) ? static_cast<char>(byte ^ (1 << random_.Below(8)))
                            : *random_.Pick({"0", "1", "\"", "{", "}", "[", "]", ",", " ", "n"});
    if (!parser_.ParseIJson(data).ok()) continue;
    event.set_binary_data(data);
    const Copy tampered{event.SerializeAsString(), copy.withheld, copy.substituted};
    ASSERT_TRUE(!Verifies(tampered, proof) || ProvenFields(tampered) == fields) << data;
  }
  for (int i = 0; i < 20; ++i) {
    std::string other = proof;
    char& byte = other[random_.Below(other.size())];
    byte = static_cast<char>(byte ^ (1 << random_.Below(8)));
    ASSERT_FALSE(Verifies(copy, other));
  }
}

TEST_F(FieldProofPropertyTest, WhatIsLeftOfRandomEventsVerifies) {
  for (uint64_t i = 0; i < 400; ++i) {
    const Copy original = Original(i, random_);
    commitment_ = committer_.Commit(salt_, original.View().event).value();
    const Copy once = Altered(original, random_);
    CDGATE_ASSERT_OK_AND_ASSIGN(const std::string first,
                                prover_.Alter(original.View().event, salt_, once.View()));
    ASSERT_TRUE(Verifies(once, first)) << once.Parsed().binary_data();
    CheckTampered(once, first);
    const Copy twice = Altered(once, random_);
    CDGATE_ASSERT_OK_AND_ASSIGN(const std::string second,
                                prover_.AlterAgain(once.View(), first, twice.View()));
    ASSERT_TRUE(Verifies(twice, second)) << twice.Parsed().binary_data();
    CheckTampered(twice, second);
    // Whether it was one step or two does not show.
    CDGATE_ASSERT_OK_AND_ASSIGN(const std::string direct,
                                prover_.Alter(original.View().event, salt_, twice.View()));
    ASSERT_EQ(second, direct);
  }
}

// ------------------------------------------------------------------ what has to be said by hand

class FieldProofRuleTest : public testing::Test {
 protected:
  static Copy Of(absl::string_view data, Pointers withheld = {}, Pointers substituted = {}) {
    io::cloudevents::v1::CloudEvent event;
    event.set_id("1");
    event.set_binary_data(std::string(data));
    return {event.SerializeAsString(), std::move(withheld), std::move(substituted)};
  }
  // The proof of an honest copy.
  std::string ProofOf(const Copy& original, const Copy& copy) {
    commitment_ = committer_.Commit(salt_, original.View().event).value();
    return prover_.Alter(original.View().event, salt_, copy.View()).value();
  }
  bool Verifies(const Copy& copy, const std::string& proof) {
    const auto found = prover_.Verify(copy.View(), proof);
    return found.ok() && *found == commitment_;
  }

  const std::string salt_ = test::FixedSeed("salt");
  event::FieldCommitter committer_;
  FieldProver prover_;
  Digest commitment_{};
};

TEST_F(FieldProofRuleTest, AnElementThatWasWithheldIsNull) {
  const Copy copy = Of(R"({"a":[1,null,3]})", {"/a/1"});
  const std::string proof = ProofOf(Of(R"({"a":[1,{"x":2,"y":[]},3]})"), copy);
  EXPECT_TRUE(Verifies(copy, proof));
  EXPECT_FALSE(Verifies(Of(R"({"a":[1,null,3]})"), proof));
  EXPECT_FALSE(Verifies(Of(R"({"a":[1,3]})", {"/a/1"}), proof));
  EXPECT_FALSE(Verifies(Of(R"({"a":{"0":1,"1":null,"2":3}})", {"/a/1"}), proof));
}

TEST_F(FieldProofRuleTest, EmptyThingsStandOnlyWhereSomethingWasWithheld) {
  const Copy copy = Of(R"({"a":{},"b":1})", {"/a/x"});
  const std::string proof = ProofOf(Of(R"({"a":{"x":1},"b":1})"), copy);
  EXPECT_TRUE(Verifies(copy, proof));
  // Nothing was withheld there, whatever the lists say.
  EXPECT_FALSE(Verifies(Of(R"({"a":{},"b":1,"c":{}})", {"/a/x", "/c/x"}), proof));
  EXPECT_FALSE(Verifies(Of(R"({"a":{},"a2":{},"b":1})", {"/a/x", "/a2/x"}), proof));
  EXPECT_FALSE(Verifies(Of(R"({"b":1,"a":{}})", {"/a/x"}), proof));
}

TEST_F(FieldProofRuleTest, NothingStandsInForWhatAnEventIsKnownBy) {
  const Copy original = Of(R"({"context":{"id":"1","source":"/a"},"n":1})");
  for (const char* pointer : {"/context/id", "/context/source"}) {
    const Copy copy =
        Of(pointer == std::string("/context/id") ? R"({"context":{"id":"2","source":"/a"},"n":1})"
                                                 : R"({"context":{"id":"1","source":"/b"},"n":1})",
           {}, {pointer});
    EXPECT_THAT(
        prover_.Alter(original.View().event, salt_, copy.View()),
        test::HasReasonAndMessage(base::Reason::kAttestationInvalid, testing::HasSubstr(pointer)));
    // Nor by a proof made by hand: the first field is @id.
    const std::string kept = ProofOf(original, original);
    federation::v1::FieldProof proof;
    ASSERT_TRUE(proof.ParseFromString(kept));
    const size_t at = pointer == std::string("/context/id") ? 1 : 2;
    (*proof.mutable_kinds())[at] = 2;
    const std::string name = pointer, value = at == 1 ? "\"1\"" : "\"/a\"";
    event::FieldHasher hasher;
    const Digest digest = hasher.Field(proof.values().substr(at * 16, 16), name, value);
    proof.mutable_values()->replace(at * 16, 16, std::string(event::AsBytes(digest)));
    EXPECT_FALSE(Verifies(copy, proof.SerializeAsString()));
  }
}

TEST_F(FieldProofRuleTest, OfAttributesOnlyTheSubjectIsReplaced) {
  const auto with = [](const char* name, const char* value, Pointers withheld,
                       Pointers substituted) {
    Copy copy = Of(R"({"subject":{"id":"s"}})", std::move(withheld), std::move(substituted));
    io::cloudevents::v1::CloudEvent event = copy.Parsed();
    (*event.mutable_attributes())[name].set_ce_string(value);
    copy.cloud_event = event.SerializeAsString();
    return copy;
  };
  const auto alter = [&](const Copy& original, const Copy& copy) {
    return prover_.Alter(original.View().event, salt_, copy.View());
  };
  CDGATE_EXPECT_OK(alter(with("subject", "s", {}, {}), with("subject", "p", {}, {"/subject/id"})));
  EXPECT_THAT(alter(with("subject", "s", {}, {}), with("subject", "p", {}, {"/subject"})),
              test::HasReason(base::Reason::kAttestationInvalid));
  EXPECT_THAT(alter(with("time", "s", {}, {}), with("time", "p", {}, {"@time", "/subject/id"})),
              test::HasReason(base::Reason::kAttestationInvalid));
}

TEST_F(FieldProofRuleTest, ProofsOutOfBoundsAreRefused) {
  const Copy copy = Of("{}");
  federation::v1::FieldProof proof;
  EXPECT_FALSE(prover_.Verify(copy.View(), "").ok());
  EXPECT_FALSE(prover_.Verify(copy.View(), "\xff").ok());
  proof.set_kinds(std::string("\3\0", 2));
  proof.set_values(std::string(48, 'v'));
  EXPECT_FALSE(prover_.Verify(copy.View(), proof.SerializeAsString()).ok());
  proof.set_kinds(std::string("\0\0", 2));
  EXPECT_FALSE(prover_.Verify(copy.View(), proof.SerializeAsString()).ok());
  proof.set_values(std::string(32, 'v'));
  EXPECT_TRUE(prover_.Verify(copy.View(), proof.SerializeAsString()).ok());
  proof.set_kinds(std::string(event::kMaxFields + 1, '\1'));
  proof.set_values(std::string((event::kMaxFields + 1) * 32, 'v'));
  EXPECT_FALSE(prover_.Verify(copy.View(), proof.SerializeAsString()).ok());
}

}  // namespace
}  // namespace cdgate::attestation
