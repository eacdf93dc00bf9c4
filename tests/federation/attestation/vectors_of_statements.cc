// Events with their statements: on their way, and lied about.
#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_replace.h"
#include "gateway/base/errors.h"
#include "gateway/event/json_parser.h"
#include "tests/federation/attestation/vectors.h"

namespace cdgate::attestation {

// As the verifier says it, with what admission looks at before.
std::string Vectors::JudgeChain(const Holding& holding) {
  CloudEvent event;
  event::JsonParser parser;
  if (!event.ParseFromString(holding.event.cloud_event()) ||
      !parser.ParseIJson(event.binary_data()).ok()) {
    return "invalid";
  }
  const JsonTree data = test::ParseJsonTree(event.binary_data());
  const JsonTree* const context = data.Find("context");
  if (context == nullptr || context->Find("source")->text != event.source() ||
      context->Find("type")->text != event.type()) {
    return "invalid";
  }
  const auto proof = test::VerifyAt(holding.domain, holding.event, &verifier_);
  const absl::Status status = !proof.ok() ? proof.status() : test::VerifySent(holding, &verifier_);
  if (status.ok()) return std::string(ProofText(*proof));
  return base::ReasonOf(status) == base::Reason::kAttestationUnproven ? "unproven" : "invalid";
}

void Vectors::AddChain(absl::string_view name, const Holding& holding, absl::string_view expected) {
  EXPECT_EQ(JudgeChain(holding), expected) << name;
  std::string event;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(holding.event, &event).ok());
  Add("event", name,
      JsonTree::Object({{"receiver", JsonTree::Text(holding.domain)},
                        {"event", test::ParseJsonTree(event)},
                        {"sender_statement", Base64(holding.statement)},
                        {"verdict", JsonTree::Text(expected)}}));
}

void Vectors::AddChains() {
  for (const bool by_fields : {false, true}) {
    const std::string what = by_fields ? "fields" : "content";
    const Holding origin = Accept(kAlpha, StoryEvent(), by_fields);
    const Holding first = Send(origin, {.to = kBeta, .onward = 2});
    AddChain(absl::StrCat("from its origin, by ", what), first, "unaltered");
    AddChain(absl::StrCat("over one domain, by ", what), Send(first, {.to = kGamma, .onward = 1}),
             "unaltered");
    AddChain(absl::StrCat("altered by its origin, by ", what),
             Send(Send(origin, {.to = kBeta, .onward = 2, .redact = {"customData.people"}}),
                  {.to = kGamma}),
             by_fields ? "fields" : "origin export");
    AddChain(absl::StrCat("altered on the way, by ", what),
             Send(first, {.to = kGamma,
                          .redact = {"customData.people.author", "customData.people.reviewers"},
                          .pseudonymise = {"subject.id", "customData.cost"},
                          .drop_links = true}),
             by_fields ? "fields" : "unproven");
  }
  Holding twice = Accept(kAlpha, StoryEvent(), true);
  twice = Send(twice, {.to = kBeta, .onward = 3, .redact = {"customData.team"}});
  twice = Send(
      twice,
      {.to = kGamma, .onward = 2, .redact = {"customData.people"}, .pseudonymise = {"subject.id"}});
  AddChain("altered twice", twice, "fields");
  Holding bare = Send(Accept(kAlpha, StoryEvent(), true), {.to = kBeta});
  bare.event.clear_statements();
  bare.statement = test::StatementOf(kAlpha, kBeta, bare.event, 0, test::kSignTime);
  AddChain("from its origin, without a statement of it", bare, "direct");
  Holding alone = Accept(kAlpha, StoryEvent(), true, /*others=*/0);
  alone = Send(Send(alone, {.to = kBeta, .onward = 1, .others = 0}), {.to = kGamma, .others = 0});
  AddChain("each in a tree of its own", alone, "unaltered");
  AddLies();
  AddTermsAndKeys();
}

void Vectors::ChangeData(RelayedEvent* event, absl::string_view from, absl::string_view to) {
  CloudEvent cloud_event;
  ASSERT_TRUE(cloud_event.ParseFromString(event->cloud_event()));
  const std::string changed = absl::StrReplaceAll(cloud_event.binary_data(), {{from, to}});
  ASSERT_NE(changed, cloud_event.binary_data());
  cloud_event.set_binary_data(changed);
  event->set_cloud_event(test::Canonical(cloud_event));
}

Holding Vectors::Lie(Holding holding, const std::function<void(RelayedEvent*)>& change) {
  const std::string sender = *holding.event.path().rbegin();
  change(&holding.event);
  holding.statement =
      test::StatementOf(sender, holding.domain, holding.event, 3, test::kSignTime + 2);
  return holding;
}

void Vectors::AddLies() {
  const Holding first = Send(Accept(kAlpha, StoryEvent(), true), {.to = kBeta, .onward = 2});
  const Holding whole = Send(first, {.to = kGamma, .onward = 1});
  const Holding left = Send(first, {.to = kGamma, .onward = 1, .redact = {"customData.team"}});
  const auto lie = [&](absl::string_view name, const Holding& of, absl::string_view verdict,
                       const std::function<void(RelayedEvent*)>& change) {
    AddChain(name, Lie(of, change), verdict);
  };
  lie("a changed field, with the salt", whole, "invalid",
      [](RelayedEvent* e) { ChangeData(e, "1.50", "2"); });
  lie("a changed kept field", left, "invalid", [](RelayedEvent* e) { ChangeData(e, "1.50", "2"); });
  lie("a re-inserted dropped field", left, "invalid",
      [](RelayedEvent* e) { ChangeData(e, "\"cost\"", "\"team\": \"x\", \"cost\""); });
  lie("another source", left, "invalid",
      [](RelayedEvent* e) { ChangeData(e, "/alpha/ci", "/alpha/cd"); });
  const Holding replaced = Send(Send(Accept(kAlpha, StoryEvent(), true),
                                     {.to = kBeta, .onward = 2, .pseudonymise = {"subject.id"}}),
                                {.to = kGamma, .onward = 1});
  AddChain("replaced by its origin", replaced, "fields");
  lie("another text where its origin replaced one", replaced, "invalid",
      [](RelayedEvent* e) { ChangeData(e, "\"p1.", "\"p1.x"); });
  lie("without its field proof", left, "unproven", [](RelayedEvent* e) { e->clear_field_proof(); });
  lie("another salt", whole, "invalid", [](RelayedEvent* e) { (*e->mutable_salt())[0] ^= 1; });
  lie("another commitment", whole, "invalid",
      [](RelayedEvent* e) { (*e->mutable_commitment())[0] ^= 1; });
  lie("accepted at another time", whole, "invalid",
      [](RelayedEvent* e) { e->set_accepted_time_nanos(1); });
  lie("another classification", whole, "invalid",
      [](RelayedEvent* e) { e->set_classification("TLP:CLEAR"); });
  lie("another plane", whole, "invalid", [](RelayedEvent* e) { e->set_plane("cd"); });
  lie("outer attributes said to disagree", whole, "invalid",
      [](RelayedEvent* e) { e->set_notes(e->notes() | 1); });
  lie("another origin", whole, "invalid", [](RelayedEvent* e) { e->set_origin("rogue.example"); });
  lie("a statement of another place", whole, "invalid",
      [](RelayedEvent* e) { e->set_statements(0, e->statements(1)); });
  lie("a statement that is not there", whole, "unproven",
      [](RelayedEvent* e) { e->mutable_statements()->RemoveLast(); });
  lie("a salt with an altered copy", left, "invalid",
      [](RelayedEvent* e) { e->set_salt(std::string(16, 's')); });
  const auto statement = [&](absl::string_view name, int i,
                             const std::function<void(federation::v1::Statement*)>& change) {
    lie(name, whole, "invalid", [&](RelayedEvent* e) {
      federation::v1::Statement read;
      ASSERT_TRUE(read.ParseFromString(e->statements(i)));
      change(&read);
      e->set_statements(i, read.SerializeAsString());
    });
  };
  using federation::v1::Statement;
  statement("another place in the tree", 0, [](Statement* s) { s->set_index(s->index() ^ 1); });
  statement("another sibling", 1, [](Statement* s) { (*s->mutable_path())[3] ^= 1; });
  statement("another salt of a leaf", 0, [](Statement* s) { (*s->mutable_leaf_salt())[0] ^= 1; });
  statement("another time of signing", 0,
            [](Statement* s) { s->set_sign_time_nanos(s->sign_time_nanos() + 1); });
  statement("another signature", 1, [](Statement* s) { (*s->mutable_signature())[9] ^= 1; });
  statement("loosened terms of the domain before", 1,
            [](Statement* s) { s->mutable_export_()->mutable_terms()->set_onward(9); });
  statement("another place in the link", 1,
            [](Statement* s) { (*s->mutable_export_()->mutable_link())[0] ^= 1; });
}

void Vectors::AddTermsAndKeys() {
  const Holding origin = Accept(kAlpha, StoryEvent(), true);
  const auto two = [&](absl::string_view name, absl::string_view verdict, test::Sending first,
                       test::Sending second) {
    first.to = kBeta;
    second.to = kGamma;
    AddChain(name, Send(Send(origin, first), second), verdict);
  };
  const Pointers both = {"g@alpha.example", "h@alpha.example"};
  two("narrower terms", "unaltered", {.onward = 2, .groups = both, .classification = "TLP:GREEN"},
      {.onward = 1, .groups = {both[1]}, .classification = "TLP:AMBER"});
  two("no fewer crossings", "invalid", {.onward = 2}, {.onward = 2});
  two("no crossings were left", "invalid", {.onward = 0}, {.onward = 0});
  two("groups that were not named", "invalid", {.onward = 2, .groups = both},
      {.onward = 1, .groups = {"other@beta.example"}});
  two("groups that were dropped", "invalid", {.onward = 2, .groups = both}, {.onward = 1});
  two("a lower classification", "invalid", {.onward = 2, .classification = "TLP:AMBER"},
      {.onward = 1, .classification = "TLP:GREEN"});
  two("a classification of another scale", "invalid", {.onward = 2, .classification = "TLP:AMBER"},
      {.onward = 1, .classification = "restricted"});
  two("signed when the certificate had ended", "unproven",
      {.onward = 2, .sign_time_nanos = 1'900'000'000'000'000'000}, {.onward = 1});
  const Holding whole = Send(Send(origin, {.to = kBeta, .onward = 2}), {.to = kGamma});
  // Beta passes on what alpha had sent to somebody else.
  Holding elsewhere = Send(origin, {.to = "delta.example", .onward = 2});
  elsewhere.domain = kBeta;
  AddChain("sent to another", Send(elsewhere, {.to = kGamma}), "invalid");
  Holding rogue = whole;
  rogue.event.set_path(1, "rogue.example");
  rogue.statement = test::StatementOf("rogue.example", kGamma, rogue.event, 3, test::kSignTime + 2);
  AddChain("passed on by another", rogue, "invalid");
  Holding foreign = Send(Accept("rogue.example", StoryEvent(), true), {.to = kBeta, .onward = 1});
  AddChain("of an origin that nobody knows", Send(foreign, {.to = kGamma}), "unproven");
  Holding wrong_key = whole;
  federation::v1::Statement read;
  ASSERT_TRUE(read.ParseFromString(wrong_key.statement));
  read.set_key_id(test::AttestorOf(kAlpha).key_id);
  wrong_key.statement = read.SerializeAsString();
  AddChain("the key of another domain", wrong_key, "unproven");
}

}  // namespace cdgate::attestation
